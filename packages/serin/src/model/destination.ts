import type { Origin } from './origin.ts'

/** One version of a Route: one Mapping. Everything here is per Mapping, never merged over the group. */
export interface Destination {
  /** `namespace/name` of the Mapping; the label `mapping` of metrics. */
  readonly mapping: string
  /** The label `version` of metrics: label `version` or `app.kubernetes.io/version` of the Mapping, else its name. */
  readonly version: string
  /** Of SHARE_WHOLE. */
  readonly share: number
  /** Whether the path match of the Route regards case, for this destination. */
  readonly caseSensitive: boolean
  readonly action: Action
  readonly origin: Origin
}

export type Action =
  | ({ readonly kind: 'forward' } & Forward)
  | ({ readonly kind: 'redirect' } & Redirect)
  /** The gateway answers by itself. */
  | { readonly kind: 'respond'; readonly status: number; readonly body: string; readonly reason: string }

/** Sends the request to an endpoint of a Cluster. */
export interface Forward {
  /** Name of a Cluster of the Snapshot. */
  readonly cluster: string
  readonly rewrite: Rewrite
  /** Host sent upstream; absent: as received. `auto`: the name of the endpoint. */
  readonly host?: { readonly kind: 'literal'; readonly value: string } | { readonly kind: 'auto' }
  readonly requestHeaders: HeaderChanges
  readonly responseHeaders: HeaderChanges
  /** From the whole request received to the whole response sent. 0: no limit. */
  readonly timeoutMs: number
  /** No octet in either direction for this long. 0: no limit. */
  readonly idleTimeoutMs: number
  readonly retry?: RetryPolicy
  readonly cors?: CorsPolicy
  /** Upgrade tokens that may become a tunnel, lower case (`websocket`). */
  readonly upgrades: readonly string[]
  readonly shadow?: Shadow
  /** What ring_hash and maglev hash; absent where the Cluster does not hash. */
  readonly hash?: HashKey
  readonly bypassAuth: boolean
  readonly authContextExtensions?: Readonly<Record<string, string>>
  readonly rateLimits: readonly RateLimitDescriptor[]
  readonly priority: 'default' | 'high'
  readonly errorResponses: readonly ErrorResponse[]
}

export type Rewrite =
  | { readonly kind: 'none' }
  /** Replaces the matched prefix (a `prefix` or `exact` match), or the whole path (a `regex` match). */
  | { readonly kind: 'prefix'; readonly value: string }
  /** RE2, replaces all occurrences in the path; `\1` is a group. */
  | { readonly kind: 'regex'; readonly pattern: string; readonly substitution: string }

export interface HeaderChange {
  /** As written; compared without regard to case. */
  readonly name: string
  /** Literal text and Envoy's `%OPERATOR%`s, parsed at compile time. */
  readonly value: readonly HeaderValuePart[]
  /** false: replaces what is there. */
  readonly append: boolean
}

export type HeaderValuePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'operator'; readonly operator: string; readonly argument?: string }

/** Removals happen before additions. */
export interface HeaderChanges {
  readonly add: readonly HeaderChange[]
  /** Lower case. */
  readonly remove: readonly string[]
}

export interface Redirect {
  readonly host: string
  readonly status: 301 | 302 | 303 | 307 | 308
  readonly path:
    | { readonly kind: 'same' }
    | { readonly kind: 'path'; readonly value: string }
    | { readonly kind: 'prefix'; readonly value: string }
    | { readonly kind: 'regex'; readonly pattern: string; readonly substitution: string }
}

/** Envoy's conditions, as Emissary's retry_policy.retry_on allows them. */
export type RetryOn =
  | '5xx'
  | 'gateway-error'
  | 'connect-failure'
  | 'retriable-4xx'
  | 'refused-stream'
  | 'retriable-status-codes'

export interface RetryPolicy {
  readonly on: RetryOn
  readonly retriesMax: number
  readonly perTryTimeoutMs?: number
}

export interface CorsPolicy {
  readonly origins: readonly string[]
  readonly methods?: string
  readonly headers?: string
  readonly exposedHeaders?: string
  readonly credentials: boolean
  readonly maxAge?: string
}

export interface Shadow {
  readonly cluster: string
  readonly mapping: string
  /** Of SHARE_WHOLE. */
  readonly share: number
}

export type HashKey =
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string; readonly path?: string; readonly ttlSeconds?: number }
  | { readonly kind: 'source-ip' }

export interface RateLimitDescriptor {
  readonly entries: readonly RateLimitEntry[]
}

export type RateLimitEntry =
  | { readonly kind: 'generic-key'; readonly key: string; readonly value: string }
  | { readonly kind: 'request-header'; readonly key: string; readonly header: string; readonly omitIfAbsent: boolean }
  | { readonly kind: 'remote-address' }
  | { readonly kind: 'source-cluster' }
  | { readonly kind: 'destination-cluster' }

export interface ErrorResponse {
  readonly status: number
  readonly contentType: string
  readonly body: readonly HeaderValuePart[]
}
