import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Head, parseRequestHead } from '../wire/head.ts'
import { DEFAULT_LIMITS } from '../wire/limits.ts'
import { Cors, type CorsAnswer } from './cors.ts'

const cors = new Cors({
  origins: ['http://foo.example.com'],
  methods: 'GET, POST',
  exposedHeaders: 'X-A',
  credentials: true,
  maxAge: '10',
})

function answer(policy: Cors, method: string, ...lines: string[]): CorsAnswer | null {
  const head = new Head(DEFAULT_LIMITS.fieldsMax)
  const octets = Buffer.from(`${method} / HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`)
  assert.ok(parseRequestHead(head, octets, 0, octets.length, DEFAULT_LIMITS) > 0)
  return policy.answer(head, method)
}

function linesOf(given: CorsAnswer | null): string[] {
  return (given?.changes.add ?? []).map(({ line }) => Buffer.from(line!).toString().trim())
}

test('an allowed origin gets its headers, in place of the upstream’s own', () => {
  const given = answer(cors, 'GET', 'Origin: http://foo.example.com')
  assert.equal(given?.isPreflight, false)
  assert.ok(given?.changes.add.every(({ change }) => !change.append))
  assert.deepEqual(linesOf(given), [
    'access-control-allow-origin: http://foo.example.com',
    'access-control-allow-credentials: true',
    'access-control-expose-headers: X-A',
  ])
})

test('a preflight names what it asks for; without that it is a request like others', () => {
  const origin = 'Origin: http://foo.example.com'
  const given = answer(cors, 'OPTIONS', origin, 'Access-Control-Request-Method: DELETE')
  assert.equal(given?.isPreflight, true)
  assert.ok(linesOf(given).includes('access-control-allow-methods: GET, POST'))
  assert.ok(linesOf(given).includes('access-control-max-age: 10'))
  assert.equal(answer(cors, 'OPTIONS', origin)?.isPreflight, false)
  assert.equal(answer(cors, 'GET', origin, 'Access-Control-Request-Method: DELETE')?.isPreflight, false)
})

test('a foreign origin, or none, is not our business; a star echoes any', () => {
  assert.equal(answer(cors, 'GET'), null)
  assert.equal(answer(cors, 'GET', 'Origin: http://bar.example.com'), null)
  assert.equal(answer(cors, 'GET', 'Origin: HTTP://FOO.EXAMPLE.COM'), null)
  const any = new Cors({ origins: ['*'], credentials: false })
  assert.deepEqual(linesOf(answer(any, 'GET', 'Origin: null')), ['access-control-allow-origin: null'])
})
