import assert from 'node:assert/strict'
import { test } from 'node:test'
import { octetsOf } from './octets.ts'
import { normalisePath } from './path.ts'

const rules = { mergeSlashes: false, rejectEscapedSlashes: false }

function normalised(path: string, changes: Partial<typeof rules> = {}): string | null {
  const octets = octetsOf(path)
  return normalisePath(octets, 0, octets.length, { ...rules, ...changes })
}

const TABLE: readonly (readonly [string, string | null])[] = [
  ['/a/../b', '/b'],
  ['/a/./b', '/a/b'],
  ['/a/%2e%2E/b', '/b'],
  ['/a/..', '/'],
  ['/a/.', '/a/'],
  ['/..', '/'],
  ['/../../etc/passwd', '/etc/passwd'],
  ['/%61dmin%7E', '/admin~'],
  ['/a\\..\\b', '/b'],
  ['/a%2Fb', '/a%2Fb'],
  ['/a/..%2fb', '/a/..%2fb'],
  ['/a%5cb', '/a%5cb'],
  ['/a%252e', '/a%252e'],
  ['/a;b=c', '/a;b=c'],
  ['/a//b', '/a//b'],
  ['/a//../b', '/a/b'],
  ['/a%00', null],
  ['/a%', null],
  ['/a%2', null],
  ['/a%zz', null],
  ['/%u002e', null],
]

for (const [path, expected] of TABLE) {
  test(`${path} is ${expected ?? 'refused'}`, () => assert.equal(normalised(path), expected))
}

test('slashes are merged after dots are resolved', () => {
  assert.equal(normalised('/a//..//b/', { mergeSlashes: true }), '/a/b/')
  assert.equal(normalised('///a///x', { mergeSlashes: true }), '/a/x')
})

test('escaped slashes are refused on demand', () => {
  assert.equal(normalised('/a/%2Fx', { rejectEscapedSlashes: true }), null)
  assert.equal(normalised('/a/%5Cx', { rejectEscapedSlashes: true }), null)
  assert.equal(normalised('/a/%252Fx', { rejectEscapedSlashes: true }), '/a/%252Fx')
})
