import assert from 'node:assert/strict'
import { test } from 'node:test'

import { formatAddress, isLoopback, parseHostPort } from './host-port.ts'

test('HOST:PORT is understood as people write it', () => {
  assert.deepEqual(parseHostPort('127.0.0.1:6440'), { host: '127.0.0.1', port: 6440 })
  assert.deepEqual(parseHostPort('[::1]:80'), { host: '::1', port: 80 })
  assert.deepEqual(parseHostPort(':80'), { host: '127.0.0.1', port: 80 })
  assert.deepEqual(parseHostPort('0'), { host: '127.0.0.1', port: 0 })
  for (const wrong of ['', 'x', '::1:80', '1.2.3.4:70000', 'a:b:1', '127.0.0.1']) {
    assert.equal(parseHostPort(wrong), undefined, wrong)
  }
  assert.equal(formatAddress({ host: '::1', port: 80 }), '[::1]:80')
})

test('loopback is told from the rest', () => {
  for (const host of ['localhost', '127.0.0.1', '127.96.3.4', '::1']) assert.ok(isLoopback(host), host)
  for (const host of ['0.0.0.0', '10.0.0.1', '127.0.0.1.example', '::']) assert.ok(!isLoopback(host), host)
})
