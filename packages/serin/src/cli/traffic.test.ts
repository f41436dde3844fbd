import assert from 'node:assert/strict'
import { test } from 'node:test'

import { readTraffic, trafficText } from './traffic.ts'

const line = (mapping: string, code: number, count: number | string): string =>
  `serin_requests_total{mapping="${mapping}",version="x",code="${code}",class="${Math.trunc(code / 100)}xx"} ${count}\n`

test('requests, failures and shares are read out of Prometheus text', () => {
  const before = readTraffic(line('default/a', 200, 10))
  const now = readTraffic(
    `# TYPE serin_requests_total counter\n${line('default/a', 200, 100)}${line('default/b', 200, 9)}${line('default/b', 503, '1')}serin_requests_active{mapping="default/a"} 7\n`,
  )
  assert.equal(now.requests, 110)
  assert.equal(now.failed, 1)
  assert.equal(trafficText(before, now, 2_000), '50 req/s · 1 failed · a 90 % · b 10 %')
})

test('nothing is said when nothing came', () => {
  const now = readTraffic('')
  assert.equal(trafficText(now, now, 1_000), '')
})
