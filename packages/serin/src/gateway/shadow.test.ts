import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shadowHead } from './shadow.ts'

test('a shadow’s head says that it is one', () => {
  const head = 'GET / HTTP/1.1\r\nhost: a.com:8080\r\nx-forwarded-for: 1.1.1.1\r\nvia: x\r\n\r\n'
  assert.equal(
    shadowHead(head, '2.2.2.2'),
    'GET / HTTP/1.1\r\nhost: a.com-shadow:8080\r\nx-forwarded-for: 1.1.1.1,2.2.2.2\r\nvia: x\r\nx-envoy-internal: true\r\n\r\n',
  )
  assert.match(shadowHead('GET / HTTP/1.1\r\nhost: [::1]:80\r\n\r\n', 'x'), /host: \[::1\]-shadow:80\r\n/u)
})
