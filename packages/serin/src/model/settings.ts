import type { UpstreamTls } from './cluster.ts'
import type { ErrorResponse } from './destination.ts'

/** What holds for the whole gateway: Ambassador's Module and the external services. */
export interface Settings {
  readonly serverName: string
  readonly suppressEnvoyHeaders: boolean
  readonly useRemoteAddress: boolean
  readonly preserveExternalRequestId: boolean
  /** Which port is taken off the Host header before a route is looked for: that of the Listener (`matching`), or whatever there is. */
  readonly stripHostPort: 'none' | 'matching' | 'any'
  readonly mergeSlashes: boolean
  readonly rejectEscapedSlashes: boolean
  readonly underscoreHeaders: 'allow' | 'reject' | 'drop'
  readonly requestHeadersKbMax: number
  readonly http10: boolean
  readonly properCase: boolean
  readonly listenerIdleTimeoutMs?: number
  readonly ipFilter?: { readonly kind: 'allow' | 'deny'; readonly rules: readonly IpRule[] }
  readonly gzip?: { readonly minLength: number; readonly contentTypes: readonly string[] }
  readonly buffer?: { readonly requestBytesMax: number }
  readonly accessLog: {
    readonly format: 'text' | 'json'
    readonly template?: string | Readonly<Record<string, string>>
  }
  readonly probes: { readonly liveness: boolean; readonly readiness: boolean; readonly diagnostics: boolean }
  /** Several share the load. */
  readonly auth: readonly AuthSettings[]
  readonly rateLimit?: RateLimitSettings
  /** For the gateway's own answers where no Mapping was found; Forward.errorResponses hold for the others. */
  readonly defaultErrorResponses?: readonly ErrorResponse[]
}

export interface IpRule {
  /** peer: the TCP peer; remote: the client after trusted X-Forwarded-For. */
  readonly of: 'peer' | 'remote'
  readonly cidr: string
}

export interface AuthSettings {
  readonly cluster: string
  readonly protocol: 'http' | 'grpc'
  readonly pathPrefix: string
  readonly timeoutMs: number
  readonly allowedRequestHeaders: readonly string[]
  readonly allowedAuthorizationHeaders: readonly string[]
  readonly addAuthHeaders: readonly (readonly [string, string])[]
  readonly includeBody?: { readonly bytesMax: number; readonly allowPartial: boolean }
  readonly failureModeAllow: boolean
  readonly statusOnError: number
}

export interface RateLimitSettings {
  readonly cluster: string
  readonly domain: string
  readonly timeoutMs: number
  readonly failureModeDeny: boolean
  readonly tls?: UpstreamTls
}

export const DEFAULT_SETTINGS: Settings = {
  serverName: 'envoy',
  suppressEnvoyHeaders: false,
  useRemoteAddress: true,
  preserveExternalRequestId: false,
  stripHostPort: 'none',
  mergeSlashes: false,
  rejectEscapedSlashes: false,
  underscoreHeaders: 'allow',
  requestHeadersKbMax: 60,
  http10: false,
  properCase: false,
  accessLog: { format: 'text' },
  probes: { liveness: true, readiness: true, diagnostics: true },
  auth: [],
}
