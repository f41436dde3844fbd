/** The cluster that a Mapping asks for. */
import { createHash } from 'node:crypto'
import type { HashKey } from '../model/destination.ts'
import type { MappingSpec } from '../resources/ambassador/types.ts'
import { suggest } from '../resources/suggest.ts'
import type { MappingContext } from './mapping.ts'
import type { ClusterPlan } from './plan.ts'
import { CIRCUIT_BREAKERS, readCircuitBreakers, readHealthChecks, readKeepalive, readLoadBalancer } from './policies.ts'
import type { Report } from './report.ts'
import type { ServiceAddress } from './service.ts'

const CONNECT_TIMEOUT_MS = 3000

interface Options {
  readonly context: MappingContext
  readonly report: Report
  readonly namespace: string
}

type ClusterFields = Pick<
  MappingSpec,
  | 'resolver'
  | 'load_balancer'
  | 'circuit_breakers'
  | 'health_checks'
  | 'keepalive'
  | 'connect_timeout_ms'
  | 'cluster_idle_timeout_ms'
  | 'cluster_max_connection_lifetime_ms'
  | 'grpc'
  | 'tls'
  | 'dns_type'
  | 'respect_dns_ttl'
  | 'cluster_tag'
  | 'stats_name'
  | 'shadow'
>

/** Undefined: the Mapping cannot be used; the report says why. */
export function readClusterPlan(
  spec: ClusterFields,
  service: ServiceAddress,
  options: Options,
): { readonly plan: ClusterPlan; readonly hash: HashKey | undefined } | undefined {
  const { context, report } = options
  const { module } = context
  const resolver = readResolver(spec, options)
  const balancer = readBalancer(spec, resolver, options)
  const limits = readLimits(spec, options)
  const healthChecks = resolver === 'endpoint' ? readChecks(spec, report) : []
  if (spec.health_checks !== undefined && resolver === 'service') {
    report.warning('health-checks-ignored', 'health_checks work only with an endpoint resolver', {
      path: ['spec', 'health_checks'],
    })
  }
  if (resolver === undefined || report.failed) return undefined
  const idleTimeoutMs = spec.cluster_idle_timeout_ms ?? module.clusterIdleTimeoutMs
  const lifetimeMs = spec.cluster_max_connection_lifetime_ms ?? module.clusterMaxConnectionLifetimeMs
  const keepalive = spec.keepalive === undefined ? module.keepalive : readKeepalive(spec.keepalive)
  const settings = {
    protocol: spec.grpc === true ? ('http2' as const) : ('http1' as const),
    ...(spec.tls !== undefined && { tlsContext: spec.tls }),
    balance: balancer.balance,
    connectTimeoutMs: spec.connect_timeout_ms ?? CONNECT_TIMEOUT_MS,
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
    ...(lifetimeMs !== undefined && { connectionLifetimeMs: lifetimeMs }),
    limits,
    healthChecks,
    ...(keepalive !== undefined && { keepalive }),
    respectDnsTtl: spec.respect_dns_ttl ?? false,
    logicalDns: spec.dns_type?.toLowerCase() === 'logical_dns',
  }
  const statName = (spec.stats_name ?? service.text).replace(/[^0-9A-Za-z_]/g, '_')
  const name = clusterName({ spec, service, resolver, settings, namespace: options.namespace, statName })
  return {
    plan: { name, statName, service, resolver, ...settings, origin: report.origin, orderKey: orderKeyOf(report) },
    hash: balancer.hash,
  }
}

function readResolver(spec: ClusterFields, { context, report }: Options): 'service' | 'endpoint' | undefined {
  const name = spec.resolver ?? context.module.resolver
  const resolver = context.resolvers.get(name)
  if (resolver !== undefined) return resolver
  report.error('unknown-resolver', `no resolver is named "${name}"`, {
    path: ['spec', spec.resolver === undefined ? 'service' : 'resolver'],
    expected: `one of ${[...context.resolvers.keys()].join(', ')}`,
    suggestion: suggest(name, context.resolvers.keys()),
  })
  return undefined
}

interface Balancer {
  readonly balance: ClusterPlan['balance']
  readonly hash?: HashKey | undefined
}

function readBalancer(spec: ClusterFields, resolver: string | undefined, { context, report }: Options): Balancer {
  if (spec.load_balancer === undefined) return context.module.loadBalancer ?? { balance: 'round-robin' }
  const path = ['spec', 'load_balancer']
  const read = readLoadBalancer(spec.load_balancer)
  if (!read.ok)
    report.error('bad-load-balancer', read.reason, {
      path: [...path, ...(read.field === undefined ? [] : [read.field])],
    })
  else if (resolver === 'service') {
    report.error('load-balancer-without-endpoints', 'load_balancer works only with an endpoint resolver', {
      path,
      suggestion: 'resolver: endpoint',
    })
  }
  return read.ok ? read.value : { balance: 'round-robin' }
}

function readLimits(spec: ClusterFields, { context, report }: Options): ClusterPlan['limits'] {
  if (spec.circuit_breakers === undefined) return context.module.circuitBreakers ?? CIRCUIT_BREAKERS
  const read = readCircuitBreakers(spec.circuit_breakers)
  if (read.ok) return read.value
  report.error('bad-circuit-breakers', read.reason, { path: ['spec', 'circuit_breakers'] })
  return CIRCUIT_BREAKERS
}

function readChecks(spec: ClusterFields, report: Report): ClusterPlan['healthChecks'] {
  const read = readHealthChecks(spec.health_checks ?? [])
  if (read.ok) return read.value
  report.error('bad-health-checks', read.reason, { path: ['spec', 'health_checks'] })
  return []
}

type Settings = Omit<ClusterPlan, 'name' | 'statName' | 'service' | 'resolver' | 'origin' | 'orderKey'>

interface NameParts {
  readonly spec: ClusterFields
  readonly service: ServiceAddress
  readonly resolver: 'service' | 'endpoint'
  readonly settings: Settings
  readonly namespace: string
  readonly statName: string
}

/** Most Mappings ask for nothing special; then their settings need not be spelt out. */
function isUsual(settings: Settings): boolean {
  return (
    settings.limits === CIRCUIT_BREAKERS &&
    settings.healthChecks.length === 0 &&
    settings.protocol === 'http1' &&
    settings.balance === 'round-robin' &&
    settings.connectTimeoutMs === CONNECT_TIMEOUT_MS &&
    !settings.respectDnsTtl &&
    !settings.logicalDns &&
    Object.keys(settings).length === USUAL_FIELDS
  )
}

/** The fields that `isUsual` looks at; any more is something special. */
const USUAL_FIELDS = 7

/** Emissary's name with a digest of all that is not the default: in Emissary the first Mapping with one name wins silently. */
function clusterName({ spec, service, resolver, settings, namespace, statName }: NameParts): string {
  const { scheme, host, port, text } = service
  const words = ['cluster', spec.cluster_tag, spec.shadow === true ? 'shadow' : undefined, `${host}:${port}`]
  if (scheme === 'https') words.push('otls')
  words.push(namespace)
  if (resolver === 'endpoint') words.push('er')
  if (text !== `${host}:${port}` || spec.stats_name !== undefined || !isUsual(settings)) {
    words.push(
      createHash('sha256')
        .update(`${JSON.stringify(settings)}\n${statName}`)
        .digest('hex')
        .slice(0, 8),
    )
  }
  return words.filter((word) => word !== undefined).join('_')
}

function orderKeyOf({ origin }: Report): string {
  return `${origin.name}.${origin.namespace}.${origin.kind}`
}
