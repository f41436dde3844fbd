/** docs/reference/diagnostics.md against the code, both ways. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { repository } from './emissary/case.ts'

const page = readFileSync(resolve(repository, 'docs/reference/diagnostics.md'), 'utf8')
const written = new Map(
  [...page.matchAll(/^\| `([a-z\d-]+)` \| ([a-z, ]+) \|/gm)].map(([, code, severity]) => [code!, severity!]),
)

function sources(): string {
  return ['compile', 'resources', 'resources/ambassador']
    .map((room) => join(repository, 'packages/serin/src', room))
    .flatMap((directory) => readdirSync(directory).map((file) => join(directory, file)))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n')
}

/** Codes that are made of a field's name. */
const MADE = ['bad-retry-policy', 'bad-load-balancer', 'bad-circuit-breakers']

test('every code in the code stands on the page', () => {
  const source = sources()
  const patterns = [
    /(?:report|collector)\s*(?:\.|\[severity\]\()?(?:error|warning|note)?\(?\s*'([a-z\d-]+)'/g,
    /\bcode: '([a-z\d-]+)'/g,
    /#mistake\([^,]+,\s*'([a-z\d-]+)'/g,
    /\bcode: \w[^'\n]*\? '([a-z-]+)' : '([a-z-]+)'/g,
  ]
  const codes = new Set([
    ...patterns.flatMap((pattern) => [...source.matchAll(pattern)].flatMap(([, ...found]) => found)),
    ...MADE,
  ])
  codes.delete('error')
  codes.delete('warning')
  assert.deepEqual([...codes].filter((code) => code !== undefined && !written.has(code)).toSorted(), [])
})

test('every code on the page stands in the code', () => {
  const source = sources()
  assert.deepEqual(
    [...written.keys()].filter((code) => !source.includes(`'${code}'`) && !MADE.includes(code)),
    [],
  )
})
