import assert from 'node:assert/strict'
import { test } from 'node:test'
import { globsOverlap } from './hosts.ts'

const TABLE: readonly (readonly [string, string, boolean])[] = [
  ['*', 'a.example.com', true],
  ['a.example.com', 'a.example.com', true],
  ['a.example.com', 'b.example.com', false],
  ['*.example.com', 'a.example.com', true],
  ['*.example.com', 'a.b.example.com', true],
  ['*.example.com', 'example.com', false],
  ['*example.com', 'example.com', false],
  ['*example.com', 'an-example.com', true],
  ['a.*', 'a.com', true],
  ['a.*', 'a.', false],
  ['a.*', 'b.com', false],
  ['*.example.com', '*.com', true],
  ['*.example.com', '*.example.org', false],
  ['a.*', 'a.b.*', true],
  ['a.*', 'b.*', false],
  ['a.*', '*.com', true],
  ['*', '*', true],
]

test('two globs overlap where one name matches both; a star stands for at least one character', () => {
  for (const [left, right, expected] of TABLE) {
    assert.equal(globsOverlap(left, right), expected, `${left} ${right}`)
    assert.equal(globsOverlap(right, left), expected, `${right} ${left}`)
  }
})
