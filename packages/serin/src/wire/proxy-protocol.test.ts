import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readProxyHeader } from './proxy-protocol.ts'

test('version 1: a line', () => {
  const line = Buffer.from('PROXY TCP4 1.2.3.4 5.6.7.8 1234 80\r\nGET / HTTP/1.1\r\n')
  assert.deepEqual(readProxyHeader(line), { kind: 'header', length: 36, address: '1.2.3.4' })
  for (let at = 0; at < 36; at++) assert.equal(readProxyHeader(line.subarray(0, at)).kind, 'incomplete')
  assert.deepEqual(readProxyHeader(Buffer.from('PROXY UNKNOWN\r\n')), { kind: 'header', length: 15, address: null })
  assert.deepEqual(readProxyHeader(Buffer.from('PROXY TCP6 ::1 ::2 1 2\r\n')), {
    kind: 'header',
    length: 24,
    address: '::1',
  })
  for (const bad of [
    'GET / HTTP/1.1\r\n',
    'PROXY TCP4 ::1 ::2 1 2\r\n',
    'PROXY TCP4 1.2.3.4\r\n',
    `PROXY ${'x'.repeat(110)}`,
  ])
    assert.equal(readProxyHeader(Buffer.from(bad)).kind, 'bad', bad)
})

const SIGNATURE = '0d0a0d0a000d0a515549540a'

test('version 2: octets', () => {
  const v4 = Buffer.from(`${SIGNATURE}2111000f0102030405060708001000500400ff`, 'hex')
  assert.deepEqual(readProxyHeader(v4), { kind: 'header', length: 31, address: '1.2.3.4' })
  for (let at = 0; at < 31; at++) assert.equal(readProxyHeader(v4.subarray(0, at)).kind, 'incomplete')
  const v6 = Buffer.from(`${SIGNATURE}21210024${'20010db8000000000000000000000001'.repeat(2)}00500050`, 'hex')
  assert.deepEqual(readProxyHeader(v6), { kind: 'header', length: 52, address: '2001:db8::1' })
  assert.deepEqual(readProxyHeader(Buffer.from(`${SIGNATURE}20000000`, 'hex')), {
    kind: 'header',
    length: 16,
    address: null,
  })
  for (const bad of ['31110000', '2111ffff', '22110000', '21110004'])
    assert.equal(readProxyHeader(Buffer.from(`${SIGNATURE}${bad}00000000`, 'hex')).kind, 'bad', bad)
})

test('no octets make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (octets, signed) => {
      readProxyHeader(Buffer.concat([Buffer.from(signed ? SIGNATURE : '', 'hex'), octets]))
    }),
  )
})
