/**
 * From the sums of all workers to metrics with names: serin's own, per Mapping and version, and beside them Envoy's, as Emissary
 * exposes them, so that dashboards made for those keep working. `docs/reference/metrics.md` lists them; a test compares.
 */
import { CELL, COMMON_CODES, FIRST_BUCKET, FIRST_CODE, FIRST_FLAG, FIRST_UPSTREAM_BUCKET } from './cells.ts'
import { FLAG_NAMES } from './flags.ts'
import { BUCKET_COUNT, cumulative, ENVOY_BOUNDS_MS, EXPOSED_BOUNDS_SECONDS } from './histogram.ts'
import type { Family, FamilySample, FamilyType, HistogramValue, LabelValues } from './prometheus.ts'
import type { Series } from './sample.ts'

/** Codes that every version has from the start, so that a rate sees its first error. */
const CODES_FROM_THE_START = [200, 500, 502, 503, 504]

type Kind = Series['labels']['kind']
type Measure = (series: Series) => readonly FamilySample[]

interface Metric {
  readonly name: string
  readonly type: FamilyType
  readonly help: string
  readonly of: Kind
  readonly measure: Measure
}

/** Every metric that is made from the counts of workers. */
export const METRICS: readonly Metric[] = [
  ...ofDestinations(),
  ...ofListeners(),
  ...ofWorkers(),
  ...envoyMetricsOfClusters(),
  ...envoyMetricsOfListeners(),
]

/** Families of all metrics. Pure. */
export function families(series: readonly Series[]): Family[] {
  const byKind: Record<Kind, Series[]> = { destination: [], listener: [], cluster: [], worker: [] }
  for (const one of series) byKind[one.labels.kind].push(one)
  return METRICS.map(({ name, type, help, of, measure }) => ({
    name,
    type,
    help,
    samples: byKind[of].flatMap(measure),
  }))
}

function ofDestinations(): Metric[] {
  const counter = metricMaker('destination', 'counter')
  return [
    counter('serin_requests_total', 'Requests that ended, by status code (0: no response was begun).', codes),
    {
      name: 'serin_request_duration_seconds',
      type: 'histogram',
      help: 'From a whole request head to the last octet of the response.',
      of: 'destination',
      measure: (series) => (touched(series) ? [{ labels: labelsOf(series), value: durationSeconds(series) }] : []),
    },
    {
      name: 'serin_requests_active',
      type: 'gauge',
      help: 'Requests that have begun and not ended.',
      of: 'destination',
      measure: (series) => [one(series, series.cells[CELL.started]! - series.cells[CELL.ended]!)],
    },
    counter('serin_request_bytes_total', 'Octets of request bodies.', cell(CELL.bytesIn)),
    counter('serin_response_bytes_total', 'Octets of response bodies.', cell(CELL.bytesOut)),
    counter(
      'serin_request_flags_total',
      'Requests that ended with a response flag (the letters are those of Envoy).',
      flags,
    ),
    counter(
      'serin_upstream_connect_failures_total',
      'Connections to endpoints that failed.',
      cell(CELL.connectFailures),
    ),
    counter('serin_upstream_retries_total', 'Requests sent again to an endpoint.', cell(CELL.retries)),
    counter('serin_upstream_timeouts_total', 'Requests that took longer than their time limit.', cell(CELL.timeouts)),
  ]
}

function ofListeners(): Metric[] {
  const counter = metricMaker('listener', 'counter')
  return [
    counter('serin_listener_requests_total', 'Requests of a port, routed or not, by status code.', codes),
    counter('serin_listener_request_flags_total', 'Requests of a port that ended with a response flag.', flags),
    counter('serin_listener_connections_total', 'Connections accepted.', cell(CELL.connectionsOpened)),
    {
      name: 'serin_listener_connections_active',
      type: 'gauge',
      help: 'Connections that are open.',
      of: 'listener',
      measure: connectionsActive,
    },
    counter(
      'serin_listener_connections_refused_total',
      'Connections closed at once because of a limit.',
      cell(CELL.connectionsRefused),
    ),
    counter('serin_listener_protocol_errors_total', 'Requests that were not HTTP.', cell(CELL.protocolErrors)),
  ]
}

function ofWorkers(): Metric[] {
  const counter = metricMaker('worker', 'counter')
  const gauge = metricMaker('worker', 'gauge')
  return [
    counter(
      'serin_worker_cpu_seconds_total',
      'Processor time that a worker (and those it replaced) used.',
      cell(CELL.cpuSeconds),
    ),
    gauge('serin_worker_resident_memory_bytes', 'Resident memory of a worker.', cell(CELL.residentBytes)),
    gauge('serin_worker_heap_bytes', 'JavaScript heap that a worker uses.', cell(CELL.heapBytes)),
    gauge(
      'serin_worker_loop_utilization_ratio',
      'Share of the time since the last sample that a worker was busy.',
      cell(CELL.loopUtilization),
    ),
    counter('serin_access_log_lines_total', 'Lines written to the access log.', cell(CELL.logLines)),
    counter(
      'serin_access_log_dropped_lines_total',
      'Lines that the access log could not take.',
      cell(CELL.logLinesDropped),
    ),
  ]
}

/** Names that break Prometheus' rules (a counter without `_total`, and the reverse) are exposed as untyped. */
function envoyMetricsOfClusters(): Metric[] {
  const counter = metricMaker('cluster', 'counter')
  const untyped = metricMaker('cluster', 'untyped')
  const gauge = metricMaker('cluster', 'gauge')
  return [
    untyped('envoy_cluster_upstream_rq', 'Responses by code.', envoyCodes),
    untyped('envoy_cluster_upstream_rq_xx', 'Responses by class of code.', envoyClasses),
    untyped('envoy_cluster_upstream_rq_completed', 'Responses.', cell(CELL.ended)),
    counter('envoy_cluster_upstream_rq_total', 'Requests.', cell(CELL.started)),
    gauge('envoy_cluster_upstream_rq_active', 'Requests that have not ended.', (series) => [
      one(series, series.cells[CELL.started]! - series.cells[CELL.ended]!),
    ]),
    untyped('envoy_cluster_upstream_rq_timeout', 'Requests that took too long.', cell(CELL.timeouts)),
    untyped('envoy_cluster_upstream_rq_per_try_timeout', 'Tries that took too long.', cell(CELL.perTryTimeouts)),
    untyped('envoy_cluster_upstream_rq_retry', 'Retries.', cell(CELL.retries)),
    untyped('envoy_cluster_upstream_rq_retry_success', 'Retries that were answered well.', cell(CELL.retrySuccesses)),
    untyped(
      'envoy_cluster_upstream_rq_pending_overflow',
      'Requests refused by a circuit breaker.',
      cell(CELL.pendingOverflows),
    ),
    untyped('envoy_cluster_upstream_rq_rx_reset', 'Requests reset by the upstream.', cell(CELL.resetsReceived)),
    untyped('envoy_cluster_upstream_rq_tx_reset', 'Requests reset by the gateway.', cell(CELL.resetsSent)),
    counter('envoy_cluster_upstream_cx_total', 'Connections.', cell(CELL.connectionsOpened)),
    gauge('envoy_cluster_upstream_cx_active', 'Open connections.', connectionsActive),
    untyped('envoy_cluster_upstream_cx_connect_fail', 'Connections that failed.', cell(CELL.connectFailures)),
    untyped(
      'envoy_cluster_upstream_cx_connect_timeout',
      'Connections that took too long to make.',
      cell(CELL.connectTimeouts),
    ),
    gauge('envoy_cluster_membership_healthy', 'Endpoints that take requests.', cell(CELL.membersHealthy)),
    untyped('envoy_cluster_membership_total', 'Endpoints.', cell(CELL.membersTotal)),
    {
      name: 'envoy_cluster_upstream_rq_time',
      type: 'histogram',
      help: 'From the request sent to an endpoint to the head of its response, in milliseconds.',
      of: 'cluster',
      measure: (series) =>
        touched(series) ? [{ labels: labelsOf(series), value: envoyHistogram(series, FIRST_UPSTREAM_BUCKET) }] : [],
    },
  ]
}

function envoyMetricsOfListeners(): Metric[] {
  const counter = metricMaker('listener', 'counter')
  const untyped = metricMaker('listener', 'untyped')
  const gauge = metricMaker('listener', 'gauge')
  const relabel =
    (measure: Measure): Measure =>
    (series) =>
      measure(series).map((sample) => ({ ...sample, labels: envoyListenerLabels(series, sample.labels) }))
  return [
    counter('envoy_http_downstream_rq_total', 'Requests.', relabel(cell(CELL.started))),
    untyped('envoy_http_downstream_rq_completed', 'Requests that ended.', relabel(cell(CELL.ended))),
    untyped('envoy_http_downstream_rq_xx', 'Responses by class of code.', relabel(envoyClasses)),
    gauge(
      'envoy_http_downstream_rq_active',
      'Requests that have not ended.',
      relabel((series) => [one(series, series.cells[CELL.started]! - series.cells[CELL.ended]!)]),
    ),
    counter('envoy_http_downstream_cx_total', 'Connections.', relabel(cell(CELL.connectionsOpened))),
    gauge('envoy_http_downstream_cx_active', 'Open connections.', relabel(connectionsActive)),
    untyped(
      'envoy_http_downstream_cx_protocol_error',
      'Requests that were not HTTP.',
      relabel(cell(CELL.protocolErrors)),
    ),
    {
      name: 'envoy_http_downstream_rq_time',
      type: 'histogram',
      help: 'From a whole request head to the last octet of the response, in milliseconds.',
      of: 'listener',
      measure: relabel((series) =>
        touched(series) ? [{ labels: labelsOf(series), value: envoyHistogram(series, FIRST_BUCKET) }] : [],
      ),
    },
  ]
}

function metricMaker(of: Kind, type: FamilyType): (name: string, help: string, measure: Measure) => Metric {
  return (name, help, measure) => ({ name, type, help, of, measure })
}

function labelsOf({ labels }: Series): LabelValues {
  switch (labels.kind) {
    case 'destination':
      return { mapping: labels.mapping, version: labels.version }
    case 'listener':
      return { listener: labels.listener }
    case 'cluster':
      return { envoy_cluster_name: labels.statName }
    case 'worker':
      return { worker: labels.worker }
  }
}

function envoyListenerLabels({ labels }: Series, { listener, ...rest }: LabelValues): LabelValues {
  const prefix = labels.kind === 'listener' ? labels.statsPrefix : ''
  return { ...rest, envoy_http_conn_manager_prefix: prefix, ...(listener !== undefined && { listener }) }
}

/** A histogram without a count says nothing and costs 20 lines; with 10,000 Mappings that matters. */
function touched(series: Series): boolean {
  return series.cells[CELL.ended]! > 0
}

function one(series: Series, value: number, more: LabelValues = {}): FamilySample {
  return { labels: { ...labelsOf(series), ...more }, value }
}

function cell(index: number): Measure {
  return (series) => [one(series, series.cells[index]!)]
}

function connectionsActive(series: Series): readonly FamilySample[] {
  return [one(series, series.cells[CELL.connectionsOpened]! - series.cells[CELL.connectionsClosed]!)]
}

/** Code and count of every code that was seen. Pure. */
export function codeCounts({ cells, rareCodes }: Series): Map<number, number> {
  const counts = new Map<number, number>()
  COMMON_CODES.forEach((code, index) => {
    const count = cells[FIRST_CODE + index]!
    if (count > 0) counts.set(code, count)
  })
  for (const [code, count] of rareCodes) counts.set(code, count)
  return counts
}

function codes(series: Series): FamilySample[] {
  const counts = codeCounts(series)
  for (const code of CODES_FROM_THE_START) if (!counts.has(code)) counts.set(code, 0)
  return [...counts].map(([code, count]) =>
    one(series, count, { code, class: code === 0 ? 'none' : `${classOf(code)}xx` }),
  )
}

function flags(series: Series): FamilySample[] {
  return FLAG_NAMES.flatMap((flag, index) => {
    const count = series.cells[FIRST_FLAG + index]!
    return count > 0 ? [one(series, count, { flag })] : []
  })
}

function envoyCodes(series: Series): FamilySample[] {
  return [...codeCounts(series)].map(([code, count]) => one(series, count, { envoy_response_code: code }))
}

function envoyClasses(series: Series): FamilySample[] {
  const classes = new Map([2, 4, 5].map((digit) => [digit, 0]))
  for (const [code, count] of codeCounts(series)) {
    if (code > 0) classes.set(classOf(code), (classes.get(classOf(code)) ?? 0) + count)
  }
  return [...classes].map(([digit, count]) => one(series, count, { envoy_response_code_class: digit }))
}

function classOf(code: number): number {
  return Math.trunc(code / 100)
}

function buckets(series: Series, first: number): Float64Array {
  return series.cells.subarray(first, first + BUCKET_COUNT)
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0)
}

function durationSeconds(series: Series): HistogramValue {
  const values = buckets(series, FIRST_BUCKET)
  const boundsMs = EXPOSED_BOUNDS_SECONDS.map((bound) => bound * 1_000)
  return {
    bounds: EXPOSED_BOUNDS_SECONDS,
    counts: cumulative(values, boundsMs),
    count: sum(values),
    sum: series.cells[CELL.durationMsSum]! / 1_000,
  }
}

function envoyHistogram(series: Series, first: number): HistogramValue {
  const values = buckets(series, first)
  const total = first === FIRST_BUCKET ? CELL.durationMsSum : CELL.upstreamMsSum
  return {
    bounds: ENVOY_BOUNDS_MS,
    counts: cumulative(values, ENVOY_BOUNDS_MS),
    count: sum(values),
    sum: series.cells[total]!,
  }
}
