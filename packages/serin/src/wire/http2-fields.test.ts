import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Head, parseRequestHead, parseResponseHead, REFUSED } from './head.ts'
import {
  fieldsOf,
  PREFACE,
  requestHeadOf,
  responseHeadOf,
  settingsFollow,
  startsPreface,
  trailersOf,
} from './http2-fields.ts'
import { DEFAULT_LIMITS } from './limits.ts'

const GET = [':method', 'GET', ':path', '/x', ':authority', 'a.test', ':scheme', 'http']

function textOf(raw: readonly string[], bodyless = true): string | null {
  return requestHeadOf(raw, bodyless)?.toString('latin1') ?? null
}

test('a stream’s fields become a head', () => {
  const raw = [...GET, 'accept', '*/*', 'cookie', 'a=1', 'cookie', 'b=2', 'te', 'trailers', 'x-a', '1', 'x-a', '2']
  assert.equal(
    textOf(raw),
    'GET /x HTTP/1.1\r\nhost: a.test\r\naccept: */*\r\nx-a: 1\r\nx-a: 2\r\ncookie: a=1; b=2\r\n\r\n',
  )
  assert.equal(textOf(GET, false), 'GET /x HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n')
  assert.equal(
    textOf([...GET, 'content-length', '5'], false),
    'GET /x HTTP/1.1\r\nhost: a.test\r\ncontent-length: 5\r\n\r\n',
  )
  assert.equal(textOf([':method', 'GET', ':path', '/', 'host', 'b.test']), 'GET / HTTP/1.1\r\nhost: b.test\r\n\r\n')
})

test('what could become another message is malformed', () => {
  const bad: readonly (readonly string[])[] = [
    [':method', 'GET', ':path', '/x HTTP/1.1\r\nx: y'],
    [':method', 'GET', ':path', '/x y'],
    [':method', 'GET x', ':path', '/'],
    [':method', 'GET', ':path', '/', ':path', '/y'],
    [...GET, 'x-a', '1\r\nx-b: 2'],
    [...GET, 'x a', '1'],
    [...GET, 'X-A', '1'],
    [...GET, 'x:', '1'],
    [...GET, 'x-a', '1', ':method', 'POST'],
    [':path', '/'],
    [':method', 'GET'],
  ]
  for (const raw of bad) assert.equal(textOf(raw), null, raw.join(' '))
})

test('no list of fields becomes more than one request', () => {
  const name = fc.oneof(
    fc.constantFrom(
      'x',
      'content-length',
      'transfer-encoding',
      'host',
      'connection',
      ':method',
      ':path',
      ':authority',
      'cookie',
    ),
    fc.string({ maxLength: 6 }),
  )
  const value = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom('chunked', '5', '\r\n\r\nGET / HTTP/1.1\r\n\r\n', 'a\nb', '/'),
  )
  const head = new Head(DEFAULT_LIMITS.fieldsMax)
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), fc.boolean(), (fields, bodyless) => {
      const octets = requestHeadOf([...GET.slice(0, 4), ...fields.flat()], bodyless)
      if (octets === null) return
      const after = parseRequestHead(head, octets, 0, octets.length, DEFAULT_LIMITS)
      assert.ok(after === REFUSED || after === octets.length)
      if (after > 0)
        assert.ok(
          head.transferEncodingCount <= 1 &&
            (head.transferEncodingCount === 0) === (bodyless || head.contentLengthCount > 0),
        )
    }),
    { numRuns: 500 },
  )
})

test('a response’s head, and its fields back', () => {
  const head = new Head(DEFAULT_LIMITS.fieldsMax)
  const octets = responseHeadOf(
    200,
    [':status', '200', 'set-cookie', 'a', 'set-cookie', 'b', 'x', '1', 'x', '2', 'connection', 'close'],
    false,
    false,
  )
  assert.ok(parseResponseHead(head, octets, 0, octets.length, DEFAULT_LIMITS) > 0)
  assert.deepEqual(fieldsOf(head), { 'set-cookie': ['a', 'b'], x: '1, 2' })
  assert.equal(responseHeadOf(200, [], true, false).toString(), 'HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n')
  assert.equal(responseHeadOf(204, [], true, false).toString(), 'HTTP/1.1 204 \r\n\r\n')
  assert.deepEqual(trailersOf('grpc-status: 0\r\ngrpc-message: a: b\r\n'), {
    'grpc-status': '0',
    'grpc-message': 'a: b',
  })
})

test('the preface is told from requests early, and waits for SETTINGS', () => {
  assert.equal(startsPreface(PREFACE, 0, 16), true)
  assert.equal(startsPreface(PREFACE, 0, 10), false)
  assert.equal(startsPreface(Buffer.from('PRI * HTTP/2.0\r\nHost: a\r\n\r\n'), 0, 27), false)
  assert.equal(settingsFollow(PREFACE, 0, PREFACE.length), null)
  const settings = Buffer.concat([PREFACE, Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])])
  assert.equal(settingsFollow(settings, 0, settings.length), true)
  assert.equal(settingsFollow(Buffer.concat([PREFACE, Buffer.from('GET / H')]), 0, 31), false)
})
