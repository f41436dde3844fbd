/** Services that the gateway asks: external authorization and rate limits. */
import type { Cluster } from '../model/cluster.ts'
import type { Origin } from '../model/origin.ts'
import type { AuthSettings, RateLimitSettings } from '../model/settings.ts'
import type { AuthServiceSpec, RateLimitServiceSpec } from '../resources/ambassador/types.ts'
import { AuthService, RateLimitService } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { readClusterPlan } from './cluster-plan.ts'
import type { MappingContext } from './mapping.ts'
import type { ClusterPlan } from './plan.ts'
import { CIRCUIT_BREAKERS } from './policies.ts'
import { namespaceOf, type Report } from './report.ts'
import { parseService, type ServiceAddress } from './service.ts'
import { checkSpec } from './spec.ts'

export interface AuthPlan {
  readonly settings: AuthSettings
  readonly cluster: ClusterPlan
}

export interface RateLimitPlan {
  readonly settings: RateLimitSettings
  readonly cluster: ClusterPlan
}

const DENIAL_ORIGIN: Origin = { kind: 'AuthService', namespace: '', name: '' }

/** Stands for AuthServices of which none can be used: nobody gets in, where Emissary would let everybody in. */
export const DENIAL: { readonly settings: AuthSettings; readonly cluster: Cluster } = {
  settings: {
    cluster: 'cluster_no_auth_service',
    protocol: 'http',
    pathPrefix: '',
    timeoutMs: 1,
    allowedRequestHeaders: [],
    allowedAuthorizationHeaders: [],
    addAuthHeaders: [],
    failureModeAllow: false,
    statusOnError: 403,
  },
  cluster: {
    name: 'cluster_no_auth_service',
    statName: 'no_auth_service',
    source: { kind: 'endpoints', endpoints: [] },
    protocol: 'http1',
    balance: 'round-robin',
    connectTimeoutMs: 1,
    limits: CIRCUIT_BREAKERS,
    healthChecks: [],
    origin: DENIAL_ORIGIN,
  },
}

/** Request headers that every HTTP auth service gets. */
const REQUEST_HEADERS: readonly string[] = [
  'authorization',
  'cookie',
  'from',
  'proxy-authorization',
  'user-agent',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]
/** Answer headers that are passed on: to the client where it refuses, to the upstream where it allows. */
const ANSWER_HEADERS: readonly string[] = [
  'location',
  'authorization',
  'proxy-authenticate',
  'set-cookie',
  'www-authenticate',
]
const AUTH_TIMEOUT_MS = 5000
const AUTH_STATUS_ON_ERROR = 403
/** What `allow_request_body: true` stands for. */
const AUTH_BODY = { bytesMax: 4096, allowPartial: true }
const RATE_LIMIT_TIMEOUT_MS = 20

/** Pure but for the report. */
export function readAuthService(object: KubeObject, context: MappingContext, report: Report): AuthPlan | undefined {
  const spec = checkSpec<AuthServiceSpec>(AuthService, object, report)
  if (spec === undefined) return undefined
  const protocol = spec.proto ?? 'http'
  requireV3(protocol === 'grpc', spec.protocol_version, report)
  const address = addressOf(spec.auth_service, object, context, report)
  const read = readClusterPlan(
    {
      ...(protocol === 'grpc' && { grpc: true }),
      ...(spec.tls !== undefined && { tls: spec.tls }),
      ...(spec.stats_name !== undefined && { stats_name: spec.stats_name }),
      ...(spec.circuit_breakers !== undefined && { circuit_breakers: spec.circuit_breakers }),
    },
    address,
    { context, report, namespace: namespaceOf(object) },
  )
  if (read === undefined || report.failed) return undefined
  const added = Object.entries(spec.add_auth_headers ?? {})
  if (spec.add_linkerd_headers ?? context.module.addLinkerdHeaders) {
    added.push(['l5d-dst-override', `${address.host}:${address.port}`])
  }
  return {
    cluster: read.plan,
    settings: {
      cluster: read.plan.name,
      protocol,
      pathPrefix: spec.path_prefix ?? '',
      timeoutMs: spec.timeout_ms ?? AUTH_TIMEOUT_MS,
      allowedRequestHeaders: union(REQUEST_HEADERS, spec.allowed_request_headers),
      allowedAuthorizationHeaders: union(ANSWER_HEADERS, spec.allowed_authorization_headers),
      addAuthHeaders: added,
      ...readBody(spec),
      failureModeAllow: spec.failure_mode_allow ?? false,
      statusOnError: spec.status_on_error?.code ?? AUTH_STATUS_ON_ERROR,
    },
  }
}

function readBody(spec: AuthServiceSpec): Pick<AuthSettings, 'includeBody'> {
  const { include_body: body, allow_request_body: whole = false } = spec
  if (body !== undefined) return { includeBody: { bytesMax: body.max_bytes, allowPartial: body.allow_partial } }
  return whole ? { includeBody: AUTH_BODY } : {}
}

function union(always: readonly string[], more: readonly string[] = []): string[] {
  return [...new Set([...always, ...more.map((name) => name.toLowerCase())])].toSorted()
}

/** Pure but for the report. */
export function readRateLimitService(
  object: KubeObject,
  context: MappingContext,
  report: Report,
): RateLimitPlan | undefined {
  const spec = checkSpec<RateLimitServiceSpec>(RateLimitService, object, report)
  if (spec === undefined) return undefined
  requireV3(true, spec.protocol_version, report)
  const address = addressOf(spec.service, object, context, report)
  const read = readClusterPlan(
    {
      grpc: true,
      ...(spec.tls !== undefined && { tls: spec.tls }),
      ...(spec.stats_name !== undefined && { stats_name: spec.stats_name }),
    },
    address,
    { context, report, namespace: namespaceOf(object) },
  )
  if (read === undefined || report.failed) return undefined
  return {
    cluster: read.plan,
    settings: {
      cluster: read.plan.name,
      domain: rateLimitDomainOf(spec),
      timeoutMs: spec.timeout_ms ?? RATE_LIMIT_TIMEOUT_MS,
      failureModeDeny: spec.failure_mode_deny ?? false,
    },
  }
}

/** Pure. */
export function rateLimitDomainOf({ domain = 'ambassador' }: { readonly domain?: string }): string {
  return domain
}

function requireV3(isGrpc: boolean, version: string | undefined, report: Report): void {
  if (!isGrpc || version === 'v3') return
  report.error('bad-protocol-version', 'gRPC services are spoken to in version v3', {
    path: ['spec', 'protocol_version'],
    expected: 'v3',
    suggestion: 'protocol_version: v3',
  })
}

function addressOf(service: string, object: KubeObject, context: MappingContext, report: Report): ServiceAddress {
  const address = parseService(service, {
    namespace: namespaceOf(object),
    gatewayNamespace: context.gatewayNamespace,
    useGatewayNamespace: context.module.useGatewayNamespace,
  })
  for (const problem of address.problems) report.warning('bad-service', problem, { path: ['spec', 'service'] })
  return address
}
