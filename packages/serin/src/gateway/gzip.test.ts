import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Head, parseResponseHead } from '../wire/head.ts'
import { DEFAULT_LIMITS } from '../wire/limits.ts'
import { acceptsGzip, Gzip } from './gzip.ts'

test('what a client accepts', () => {
  for (const accepted of ['gzip', 'br, gzip;q=0.5', '*', 'x-gzip', 'GZIP ; q=1'])
    assert.equal(acceptsGzip(accepted), true, accepted)
  for (const accepted of ['', 'br', 'gzip;q=0', '*;q=0', 'identity'])
    assert.equal(acceptsGzip(accepted), false, accepted)
})

const gzip = new Gzip({ minLength: 30, contentTypes: ['application/json'] })

function plan(lines: readonly string[], length: number, accepted?: string): { compresses: boolean; fields: string[] } {
  const head = new Head(DEFAULT_LIMITS.fieldsMax)
  const octets = Buffer.from(`HTTP/1.1 200 OK\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`)
  parseResponseHead(head, octets, 0, octets.length, DEFAULT_LIMITS)
  const { changes, compresses } = gzip.plan(head, length, accepted)
  return { compresses, fields: (changes?.add ?? []).map(({ change }) => change.name) }
}

test('only large answers of a listed type that nobody has encoded', () => {
  const type = 'Content-Type: application/json; charset=utf-8'
  assert.deepEqual(plan([type], 30, 'gzip'), { compresses: true, fields: ['vary', 'content-encoding'] })
  assert.equal(plan([type], -1, 'gzip').compresses, true)
  assert.deepEqual(plan([type], 30), { compresses: false, fields: ['vary'] })
  assert.deepEqual(plan([type, 'Vary: accept-encoding'], 30), { compresses: false, fields: [] })
  for (const lines of [
    [],
    ['Content-Type: image/png'],
    [type, 'Content-Encoding: br'],
    [type, 'Cache-Control: no-transform'],
  ])
    assert.deepEqual(plan(lines, 100, 'gzip'), { compresses: false, fields: [] })
  assert.deepEqual(plan([type], 29, 'gzip'), { compresses: false, fields: [] })
})
