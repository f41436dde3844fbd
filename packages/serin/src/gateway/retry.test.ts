import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RetryOn } from '../model/destination.ts'
import { FAULTS } from '../wire/fault.ts'
import { OutBuffer } from '../wire/out-buffer.ts'
import type { ClusterState } from './cluster-state.ts'
import { backOffMs, Retries, retriesFault, retriesStatus } from './retry.ts'

test('which answers are worth another try', () => {
  const table: Readonly<Record<RetryOn, readonly number[]>> = {
    '5xx': [500, 502, 503, 504, 599],
    'gateway-error': [502, 503, 504],
    'retriable-4xx': [409],
    'connect-failure': [],
    'refused-stream': [],
    'retriable-status-codes': [],
  }
  for (const [on, expected] of Object.entries(table)) {
    const retried = [200, 404, 409, 429, 500, 502, 503, 504, 599].filter((status) =>
      retriesStatus(on as RetryOn, status),
    )
    assert.deepEqual(retried, expected, on)
  }
})

test('a connection that fails is worth one to connect-failure, one that is closed only to 5xx and gateway-error', () => {
  assert.equal(retriesFault('connect-failure', FAULTS.connectFailed), true)
  assert.equal(retriesFault('connect-failure', FAULTS.upstreamClosed), false)
  assert.equal(retriesFault('5xx', FAULTS.upstreamClosed), true)
  assert.equal(retriesFault('gateway-error', FAULTS.upstreamPerTryTimeout), true)
  assert.equal(retriesFault('retriable-4xx', FAULTS.connectFailed), false)
  assert.equal(retriesFault('5xx', FAULTS.overflow), false)
})

test('the wait doubles from 25 ms to 250 ms', () => {
  const longest = [1, 2, 3, 4, 5, 9].map((retry) => backOffMs(retry, 0.999_999))
  assert.deepEqual(longest, [24, 49, 99, 199, 249, 249])
  assert.equal(backOffMs(3, 0), 0)
})

function cluster(retriesMax: number): ClusterState {
  return {
    conduct: { retries: 0, limits: { retriesMax } },
    meter: { count: () => undefined },
  } as unknown as ClusterState
}

test('retries end with the policy, and with what the circuit breaker allows all requests together', () => {
  const shared = cluster(1)
  const one = new Retries({ on: '5xx', retriesMax: 2 }, shared, 100)
  const other = new Retries({ on: '5xx', retriesMax: 2 }, shared, 100)
  assert.equal(one.next(503, null), true)
  assert.equal(other.next(503, null), false)
  assert.equal(one.next(503, null), true)
  assert.equal(one.next(503, null), false)
  assert.equal(shared.conduct.retries, 0)
  assert.equal(other.next(503, null), true)
  other.end()
  assert.equal(shared.conduct.retries, 0)
})

test('the request is sent again as it was, but for the time that is left', () => {
  const retries = new Retries({ on: '5xx', retriesMax: 1 }, cluster(3), 200)
  const head = Buffer.from('POST / HTTP/1.1\r\nhost: a\r\nx-envoy-expected-rq-timeout-ms: 3000\r\nvia: x\r\n\r\n')
  retries.keep(head, 0, head.length)
  retries.keep(Buffer.from('hello'), 0, 5)
  const out = new OutBuffer(16)
  retries.write(out, 1234.5)
  assert.equal(
    out.buffer.toString('latin1', 0, out.position),
    'POST / HTTP/1.1\r\nhost: a\r\nx-envoy-expected-rq-timeout-ms: 1235\r\nvia: x\r\n\r\nhello',
  )
})

test('a request that is too large to be kept is not sent again', () => {
  const retries = new Retries({ on: '5xx', retriesMax: 1 }, cluster(3), 10)
  retries.keep(Buffer.alloc(11), 0, 11)
  assert.equal(retries.next(503, null), false)
})
