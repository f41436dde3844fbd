import assert from 'node:assert/strict'
import { test } from 'node:test'
import { regexProblem } from './regex.ts'

test('what RE2 takes is taken', () => {
  const good = [
    '/[a-z]+/v[0-9]',
    '(?i)abc',
    '(?P<name>x)',
    String.raw`\Qa(b\E`,
    '[[:alpha:]]+',
    String.raw`\d{1,3}\.`,
    'a*?',
    '(?:x|y)',
    String.raw`\pL`,
    String.raw`\x{41}`,
    '[]a]',
    String.raw`[\]]`,
    '(?s:.)',
    String.raw`\\1`,
    '.*',
  ]
  assert.deepEqual(
    good.filter((pattern) => regexProblem(pattern) !== undefined),
    [],
  )
})

test('what RE2 lacks, or nobody can read, is refused', () => {
  const bad = [
    '/(?!x).*',
    'a(?=b)',
    '(?<=a)b',
    '(?<!a)b',
    String.raw`(a)\1`,
    '(',
    '[a',
    '*a',
    'a**',
    '(?>a)',
    'a++',
    '\\',
  ]
  assert.deepEqual(
    bad.filter((pattern) => regexProblem(pattern) === undefined),
    [],
  )
})
