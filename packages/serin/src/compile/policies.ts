/** The small policies that Mappings and the Module share: load balancer, retries, circuit breakers, cors, health checks. */
import type { CircuitBreaker, CircuitBreakers, Cluster, HealthCheck } from '../model/cluster.ts'
import type { CorsPolicy, HashKey, RetryOn, RetryPolicy } from '../model/destination.ts'
import type {
  CircuitBreakerSpec,
  CorsSpec,
  HealthCheckSpec,
  KeepaliveSpec,
  LoadBalancerSpec,
  RetryPolicySpec,
} from '../resources/ambassador/types.ts'
import { parseDuration } from './duration.ts'
import { readHeaderChanges } from './headers.ts'

/** A value, or why there is none. */
export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string; readonly field?: string }

const ok = <T>(value: T): Read<T> => ({ ok: true, value })
const wrong = (reason: string, field?: string): Read<never> => ({
  ok: false,
  reason,
  ...(field !== undefined && { field }),
})

export interface LoadBalancer {
  readonly balance: Cluster['balance']
  readonly hash?: HashKey
}

const PLAIN_POLICIES: Readonly<Record<string, Cluster['balance']>> = {
  round_robin: 'round-robin',
  least_request: 'least-request',
}
const HASH_POLICIES: Readonly<Record<string, Cluster['balance']>> = { ring_hash: 'ring-hash', maglev: 'maglev' }

/** round_robin and least_request take no key; ring_hash and maglev exactly one. Pure. */
export function readLoadBalancer(spec: LoadBalancerSpec): Read<LoadBalancer> {
  const { policy = '', header, cookie, source_ip: sourceIp } = spec
  const keys = [header, cookie, sourceIp].filter((key) => key !== undefined).length
  const plain = PLAIN_POLICIES[policy]
  if (plain !== undefined)
    return keys === 0 ? ok({ balance: plain }) : wrong(`${policy} takes neither header, cookie nor source_ip`, 'policy')
  const balance = HASH_POLICIES[policy]
  if (balance === undefined) return wrong('policy is one of round_robin, least_request, ring_hash, maglev', 'policy')
  if (keys !== 1) return wrong(`${policy} wants exactly one of header, cookie and source_ip`, 'policy')
  if (header !== undefined) return ok({ balance, hash: { kind: 'header', name: header.toLowerCase() } })
  // Emissary accepts `source_ip: false`; there is then nothing to hash.
  if (cookie === undefined) return ok(sourceIp === true ? { balance, hash: { kind: 'source-ip' } } : { balance })
  const ttl = cookie.ttl === undefined ? undefined : parseDuration(cookie.ttl)
  if (cookie.ttl !== undefined && ttl === undefined)
    return wrong(`"${cookie.ttl}" is no duration; write 125s`, 'cookie')
  return ok({
    balance,
    hash: {
      kind: 'cookie',
      name: cookie.name,
      ...(cookie.path !== undefined && { path: cookie.path }),
      ...(ttl !== undefined && { ttlSeconds: Math.floor(ttl / 1000) }),
    },
  })
}

const RETRY_ON: readonly string[] = [
  '5xx',
  'gateway-error',
  'connect-failure',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
] satisfies RetryOn[]

/** Pure. */
export function readRetryPolicy(spec: RetryPolicySpec): Read<RetryPolicy> {
  const { retry_on: on, num_retries: retriesMax = 1, per_try_timeout: perTry } = spec
  if (on === undefined || !RETRY_ON.includes(on)) return wrong(`retry_on is one of ${RETRY_ON.join(', ')}`, 'retry_on')
  if (retriesMax < 0) return wrong('num_retries is at least 0', 'num_retries')
  const perTryTimeoutMs = perTry === undefined ? undefined : parseDuration(perTry)
  if (perTry !== undefined && perTryTimeoutMs === undefined)
    return wrong(`"${perTry}" is no duration; write 0.3s or 300ms`, 'per_try_timeout')
  return ok({ on: on as RetryOn, retriesMax, ...(perTryTimeoutMs !== undefined && { perTryTimeoutMs }) })
}

const CIRCUIT_BREAKER: CircuitBreaker = {
  connectionsMax: 1024,
  pendingRequestsMax: 1024,
  requestsMax: 1024,
  retriesMax: 3,
}
export const CIRCUIT_BREAKERS: CircuitBreakers = { default: CIRCUIT_BREAKER, high: CIRCUIT_BREAKER }

/** Pure. */
export function readCircuitBreakers(specs: readonly CircuitBreakerSpec[]): Read<CircuitBreakers> {
  let result = CIRCUIT_BREAKERS
  for (const spec of specs) {
    const { priority = 'default', ...limits } = spec
    for (const [name, value] of Object.entries(limits)) if (value < 0) return wrong(`${name} is at least 0`)
    result = {
      ...result,
      [priority]: {
        connectionsMax: limits.max_connections ?? CIRCUIT_BREAKER.connectionsMax,
        pendingRequestsMax: limits.max_pending_requests ?? CIRCUIT_BREAKER.pendingRequestsMax,
        requestsMax: limits.max_requests ?? CIRCUIT_BREAKER.requestsMax,
        retriesMax: limits.max_retries ?? CIRCUIT_BREAKER.retriesMax,
      },
    }
  }
  return ok(result)
}

/** Undefined: no origins, and so no CORS (as Emissary). Pure. */
export function readCors(spec: CorsSpec): CorsPolicy | undefined {
  const origins = asList(spec.origins)
  if (origins.length === 0) return undefined
  const methods = joined(spec.methods)
  const headers = joined(spec.headers)
  const exposedHeaders = joined(spec.exposed_headers)
  return {
    origins,
    ...(methods !== undefined && { methods }),
    ...(headers !== undefined && { headers }),
    ...(exposedHeaders !== undefined && { exposedHeaders }),
    credentials: spec.credentials ?? false,
    ...(spec.max_age !== undefined && { maxAge: spec.max_age }),
  }
}

function joined(value: string | readonly string[] | undefined): string | undefined {
  return value === undefined ? undefined : asList(value).join(', ')
}

/** A list, or the one text that stands for it. Pure. */
export function asList(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : value
}

/** Pure. */
export function readKeepalive(spec: KeepaliveSpec): NonNullable<Cluster['keepalive']> {
  return {
    ...(spec.probes !== undefined && { probes: spec.probes }),
    ...(spec.idle_time !== undefined && { idleSeconds: spec.idle_time }),
    ...(spec.interval !== undefined && { intervalSeconds: spec.interval }),
  }
}

const HEALTH_TIMEOUT = '3s'
const HEALTH_INTERVAL = '5s'

/** Pure. */
export function readHealthChecks(specs: readonly HealthCheckSpec[]): Read<readonly HealthCheck[]> {
  const checks: HealthCheck[] = []
  for (const [index, spec] of specs.entries()) {
    const timeoutMs = parseDuration(spec.timeout ?? HEALTH_TIMEOUT)
    const intervalMs = parseDuration(spec.interval ?? HEALTH_INTERVAL)
    const { http, grpc } = spec.health_check
    if (timeoutMs === undefined || intervalMs === undefined)
      return wrong('timeout and interval are durations like 3s', String(index))
    if ((http === undefined) === (grpc === undefined))
      return wrong('health_check has exactly one of http and grpc', String(index))
    checks.push({
      timeoutMs,
      intervalMs,
      unhealthyThreshold: spec.unhealthy_threshold ?? 2,
      healthyThreshold: spec.healthy_threshold ?? 1,
      check: http === undefined ? grpcCheck(grpc!) : httpCheck(http),
    })
  }
  return ok(checks)
}

function httpCheck(spec: NonNullable<HealthCheckSpec['health_check']['http']>): HealthCheck['check'] {
  const { changes } = readHeaderChanges(spec.add_request_headers ?? {}, spec.remove_request_headers ?? [])
  return {
    kind: 'http',
    path: spec.path,
    ...(spec.hostname !== undefined && { hostname: spec.hostname }),
    addHeaders: changes.add.map(({ name, value }) => [
      name,
      value.map((part) => (part.kind === 'text' ? part.text : '')).join(''),
    ]),
    removeHeaders: changes.remove,
    // Envoy's ranges end before `end`; Emissary adds one, so `max` itself counts.
    expectedStatuses: spec.expected_statuses ?? [{ min: 200, max: 200 }],
  }
}

function grpcCheck(spec: NonNullable<HealthCheckSpec['health_check']['grpc']>): HealthCheck['check'] {
  return {
    kind: 'grpc',
    service: spec.upstream_name,
    ...(spec.authority !== undefined && { authority: spec.authority }),
  }
}
