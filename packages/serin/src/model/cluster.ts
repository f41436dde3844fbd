import type { Origin } from './origin.ts'

/** A program's address. `id` is stable over compiles: `address:port`. */
export interface Endpoint {
  readonly id: string
  readonly address: string
  readonly port: number
  /** Name of the Pod behind it, where one is known. */
  readonly pod?: string
}

export type Balance = 'round-robin' | 'least-request' | 'ring-hash' | 'maglev' | 'random'

/** What takes a Destination's requests: addresses, how one is chosen, how it is spoken to. */
export interface Cluster {
  /** Unique in a Snapshot. */
  readonly name: string
  /** Envoy's alt_stat_name, for metrics: `helloworld_8000` or the Mapping's stats_name. */
  readonly statName: string
  readonly source:
    /** Known addresses (EndpointSlices, or a literal IP). Empty: 503 "no healthy upstream". */
    | { readonly kind: 'endpoints'; readonly endpoints: readonly Endpoint[] }
    /** A name that each worker resolves. */
    | {
        readonly kind: 'dns'
        readonly hostname: string
        readonly port: number
        readonly respectTtl: boolean
        readonly logical: boolean
      }
  readonly protocol: 'http1' | 'http2'
  readonly tls?: UpstreamTls
  readonly balance: Balance
  readonly connectTimeoutMs: number
  /** Pooled connections idle for longer are closed. */
  readonly idleTimeoutMs?: number
  readonly connectionLifetimeMs?: number
  readonly limits: CircuitBreakers
  readonly healthChecks: readonly HealthCheck[]
  readonly keepalive?: { readonly probes?: number; readonly idleSeconds?: number; readonly intervalSeconds?: number }
  readonly origin: Origin
}

/** Envoy's circuit breakers. */
export interface CircuitBreakers {
  readonly default: CircuitBreaker
  readonly high: CircuitBreaker
}

export interface CircuitBreaker {
  readonly connectionsMax: number
  readonly pendingRequestsMax: number
  readonly requestsMax: number
  readonly retriesMax: number
}

export interface UpstreamTls {
  readonly sni?: string
  /** PEM. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly verify: boolean
  readonly alpn: readonly string[]
}

export interface HealthCheck {
  readonly timeoutMs: number
  readonly intervalMs: number
  readonly unhealthyThreshold: number
  readonly healthyThreshold: number
  readonly check:
    | {
        readonly kind: 'http'
        readonly path: string
        readonly hostname?: string
        readonly addHeaders: readonly (readonly [string, string])[]
        readonly removeHeaders: readonly string[]
        readonly expectedStatuses: readonly { readonly min: number; readonly max: number }[]
      }
    | { readonly kind: 'grpc'; readonly service: string; readonly authority?: string }
}
