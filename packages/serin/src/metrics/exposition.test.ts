import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { CELL } from './cells.ts'
import { families, METRICS } from './exposition.ts'
import { FLAG, FLAG_MEANINGS } from './flags.ts'
import {
  BUCKET_BOUNDS_MS,
  bucketOf,
  cumulative,
  ENVOY_BOUNDS_MS,
  EXPOSED_BOUNDS_SECONDS,
  quantile,
} from './histogram.ts'
import { prometheusText } from './prometheus.ts'
import { Registry } from './registry.ts'
import { Totals } from './sample.ts'

const hasPromtool = spawnSync('promtool', ['--version']).status === 0

function exampleText(): string {
  const registry = new Registry()
  registry.beginPlan()
  const version = registry.destination('default/he"llo\\wo\nrld', 'v2')
  registry.destination('default/idle', 'v1')
  const cluster = registry.cluster('helloworld_8000')
  const listener = registry.listener('http-8080', 'ingress_http')
  registry.endPlan(0)
  for (const meter of [version, cluster, listener]) {
    for (const [status, ms] of [
      [200, 0.4],
      [200, 3],
      [503, 80],
      [226, 4_000_000],
    ] as const) {
      meter.started()
      meter.upstreamAnswered(ms / 2)
      meter.ended(status, ms, 5, 25, status === 503 ? FLAG.UF | FLAG.URX : 0)
    }
  }
  cluster.count(CELL.retries)
  cluster.set(CELL.membersTotal, 4)
  listener.count(CELL.connectionsOpened)
  const totals = new Totals()
  totals.apply(1, registry.sample())
  return prometheusText(families(totals.series(0)))
}

test('every exposed bound is a bound of the buckets', () => {
  for (const bound of [...EXPOSED_BOUNDS_SECONDS.map((seconds) => seconds * 1_000), ...ENVOY_BOUNDS_MS]) {
    assert.ok(BUCKET_BOUNDS_MS.includes(bound), String(bound))
  }
})

test('a duration falls into the first bucket whose bound it does not exceed', () => {
  assert.equal(bucketOf(0), 0)
  BUCKET_BOUNDS_MS.forEach((bound, index) => {
    assert.equal(bucketOf(bound), index)
    assert.equal(bucketOf(bound + 0.001), index + 1)
  })
})

test('quantiles lie within the bucket that holds them', () => {
  const buckets = new Float64Array(BUCKET_BOUNDS_MS.length + 1)
  assert.ok(Number.isNaN(quantile(buckets, 0.5)))
  for (let ms = 1; ms <= 100; ms++) buckets[bucketOf(ms)]! += 1
  assert.ok(Math.abs(quantile(buckets, 0.5) - 50) <= 1)
  assert.ok(Math.abs(quantile(buckets, 0.99) - 99) <= 1)
  assert.deepEqual(cumulative(buckets, [1, 10, 100, 60_000]), [1, 10, 100, 100])
})

test('the text has what was counted, per version, for the port, and under Envoy’s names', () => {
  const text = exampleText()
  for (const line of [
    'serin_requests_total{mapping="default/he\\"llo\\\\wo\\nrld",version="v2",code="200",class="2xx"} 2',
    'serin_requests_total{mapping="default/idle",version="v1",code="500",class="5xx"} 0',
    'serin_request_duration_seconds_bucket{mapping="default/he\\"llo\\\\wo\\nrld",version="v2",le="0.005"} 2',
    'serin_request_flags_total{mapping="default/he\\"llo\\\\wo\\nrld",version="v2",flag="URX"} 1',
    'serin_listener_requests_total{listener="http-8080",code="503",class="5xx"} 1',
    'envoy_cluster_upstream_rq{envoy_cluster_name="helloworld_8000",envoy_response_code="200"} 2',
    'envoy_cluster_upstream_rq_xx{envoy_cluster_name="helloworld_8000",envoy_response_code_class="5"} 1',
    'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="helloworld_8000",le="0.5"} 1',
    'envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="ingress_http",listener="http-8080"} 3',
  ]) {
    assert.ok(text.split('\n').includes(line), `${line}\nis not in\n${text}`)
  }
})

test('promtool finds nothing to say', { skip: !hasPromtool && 'promtool is not installed' }, () => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: exampleText(),
    encoding: 'utf8',
  })
  assert.equal(stdout + stderr, '')
  assert.equal(status, 0)
})

test('the reference page lists every metric and flag, and none that does not exist', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../../../../docs/reference/metrics.md'), 'utf8')
  const rows = (heading: string): string[] =>
    [...(page.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '').matchAll(/^\| `([^`]+)` \| (.*) \|$/gm)].map(
      ([, name, rest]) => `${name} | ${rest}`,
    )
  assert.deepEqual(
    rows('Metrics'),
    METRICS.map(({ name, type, help }) => `${name} | ${type} | ${help}`),
  )
  assert.deepEqual(
    rows('Response flags'),
    Object.entries(FLAG_MEANINGS).map(([flag, meaning]) => `${flag} | ${meaning}`),
  )
})
