import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCounters } from './traffic.ts'

test('requests and their time are summed by Mapping, over codes and versions', () => {
  const counters = parseCounters(
    [
      '# TYPE serin_requests_total counter',
      'serin_requests_total{mapping="default/web",version="v1",code="200",class="2xx"} 10',
      'serin_requests_total{mapping="default/web",version="v1",code="503",class="5xx"} 2',
      'serin_requests_total{code="200",mapping="shop/cart"} 5',
      'serin_request_duration_seconds_sum{mapping="default/web",version="v1"} 1.5',
      'serin_request_duration_seconds_count{mapping="default/web",version="v1"} 12',
      'serin_listener_requests_total{listener="http"} 99',
    ].join('\n'),
  )
  assert.deepEqual(
    [...counters],
    [
      ['default/web', { requests: 12, seconds: 1.5 }],
      ['shop/cart', { requests: 5, seconds: 0 }],
    ],
  )
})
