/** Clusters: what Mappings ask for, with the endpoints that there are now. */
import type { Cluster, Endpoint, UpstreamTls } from '../model/cluster.ts'
import type { Diagnostic } from '../resources/diagnostic.ts'
import { ServiceNames } from './service-names.ts'
import type { ServiceEndpoints, ServiceIndex } from './endpoints.ts'
import type { ClusterPlan } from './plan.ts'
import { OrderKeeper } from './order.ts'
import { compareText, Report } from './report.ts'

export interface ClusterContext {
  readonly services: ServiceIndex
  /** TLS towards an upstream by the name of its TLSContext; a context that is missing has no usable certificate. */
  readonly upstreamTls: ReadonlyMap<string, UpstreamTls>
}

interface Known {
  readonly plan: ClusterPlan
  readonly cluster: Cluster
  readonly diagnostics: readonly Diagnostic[]
}

/** Keeps each Cluster from compile to compile while nothing in it changes. */
export class ClusterTable {
  #known = new Map<string, Known>()
  readonly #names = new ServiceNames()
  readonly #order = new OrderKeeper<Cluster>(
    ({ name }) => name,
    ({ name }) => name,
    (left, right) => compareText(left.name, right.name),
  )

  /** In the order of names. `plans`: the first of one name counts. */
  build(plans: Iterable<ClusterPlan>, context: ClusterContext): { clusters: Cluster[]; diagnostics: Diagnostic[] } {
    const first = new Map<string, ClusterPlan>()
    for (const plan of plans) {
      const taken = first.get(plan.name)
      if (taken === undefined || plan.orderKey < taken.orderKey) first.set(plan.name, plan)
    }
    this.#names.refresh([...context.services.keys()])
    const next = new Map<string, Known>()
    const diagnostics: Diagnostic[] = []
    for (const [name, plan] of first) {
      const known = this.#build(plan, context)
      next.set(name, known)
      for (const diagnostic of known.diagnostics) diagnostics.push(diagnostic)
    }
    this.#known = next
    const clusters = [...next.values()].map(({ cluster }) => cluster)
    return { clusters: this.#order.sort(clusters), diagnostics }
  }

  #build(plan: ClusterPlan, context: ClusterContext): Known {
    const before = this.#known.get(plan.name)
    const report = new Report(plan.origin)
    const source = sourceOf(plan, context, this.#names, report)
    const tls = tlsOf(plan, context, report)
    const { diagnostics } = report
    if (before?.plan === plan && isSameSource(before.cluster.source, source) && before.cluster.tls === tls) {
      return { ...before, diagnostics }
    }
    const cluster = clusterOf(plan, source, tls)
    const same = before !== undefined && JSON.stringify(before.cluster) === JSON.stringify(cluster)
    return { plan, cluster: same ? before.cluster : cluster, diagnostics }
  }
}

function isSameSource(left: Cluster['source'], right: Cluster['source']): boolean {
  if (left.kind === 'endpoints') return right.kind === 'endpoints' && left.endpoints === right.endpoints
  return JSON.stringify(left) === JSON.stringify(right)
}

function clusterOf(plan: ClusterPlan, source: Cluster['source'], tls: UpstreamTls | undefined): Cluster {
  return {
    name: plan.name,
    statName: plan.statName,
    source,
    protocol: plan.protocol,
    ...(tls !== undefined && { tls }),
    balance: plan.balance,
    connectTimeoutMs: plan.connectTimeoutMs,
    ...(plan.idleTimeoutMs !== undefined && { idleTimeoutMs: plan.idleTimeoutMs }),
    ...(plan.connectionLifetimeMs !== undefined && { connectionLifetimeMs: plan.connectionLifetimeMs }),
    limits: plan.limits,
    healthChecks: plan.healthChecks,
    ...(plan.keepalive !== undefined && { keepalive: plan.keepalive }),
    origin: plan.origin,
  }
}

const NO_ENDPOINTS: readonly never[] = []

/** A literal address, a Service's endpoints, or a name that the workers resolve. */
function sourceOf(plan: ClusterPlan, context: ClusterContext, names: ServiceNames, report: Report): Cluster['source'] {
  const { port } = plan.service
  const { address, serviceKey: key } = plan.service
  if (address !== undefined) return { kind: 'endpoints', endpoints: literalEndpoints(address, port) }
  const service = key === undefined ? undefined : context.services.get(key)
  if (service === undefined) return unknownSource(plan, key, names, report)
  const { externalName } = service
  if (externalName !== undefined) return dnsSource(plan, externalName)
  const endpoints = service.at(port, !plan.service.portGiven)
  if (endpoints === undefined) reportPort(plan, service, report)
  return { kind: 'endpoints', endpoints: endpoints ?? NO_ENDPOINTS }
}

const literals = new Map<string, readonly Endpoint[]>()
/** Forgotten all at once when there are more. */
const LITERALS_MAX = 10_000

/** The same list for the same address, so that a Cluster stays the same too. */
function literalEndpoints(address: string, port: number): readonly Endpoint[] {
  const id = `${address}:${port}`
  let endpoints = literals.get(id)
  if (endpoints === undefined) {
    if (literals.size >= LITERALS_MAX) literals.clear()
    literals.set(id, (endpoints = [{ id, address, port }]))
  }
  return endpoints
}

/** Not one that only a name server could know. */
function isServiceName(host: string, namespace: string, names: ServiceNames): boolean {
  const [, second, third, ...rest] = host.split('.')
  if (second === undefined) return host !== 'localhost'
  if (third === undefined) return second === namespace || names.hasNamespace(second)
  return third === 'svc' && (rest.length === 0 || rest.join('.') === 'cluster.local')
}

function unknownSource(
  plan: ClusterPlan,
  key: string | undefined,
  names: ServiceNames,
  report: Report,
): Cluster['source'] {
  const { host } = plan.service
  if (key !== undefined && isServiceName(host, plan.origin.namespace, names)) {
    const nearest = names.nearest(key)
    report.warning('unknown-service', `no Service is named "${host}"`, {
      path: ['spec', plan.origin.kind === 'AuthService' ? 'auth_service' : 'service'],
      suggestion: nearest === undefined ? undefined : `${nearest}${/\..*/.exec(host)?.[0] ?? ''}`,
      notes: ['its requests get 503 until there is one'],
    })
    if (plan.resolver === 'endpoint') return { kind: 'endpoints', endpoints: NO_ENDPOINTS }
  }
  return dnsSource(plan, host)
}

function dnsSource(plan: ClusterPlan, hostname: string): Cluster['source'] {
  const { respectDnsTtl: respectTtl, logicalDns: logical } = plan
  return { kind: 'dns', hostname, port: plan.service.port, respectTtl, logical }
}

function reportPort(plan: ClusterPlan, service: ServiceEndpoints, report: Report): void {
  const ports = service.ports.map(({ port }) => String(port))
  report.warning('unknown-port', `Service "${plan.service.host}" has no port ${plan.service.port}`, {
    path: ['spec', 'service'],
    expected: ports.length === 0 ? 'a Service with ports' : `one of ${ports.join(', ')}`,
    notes: ['its requests get 503'],
  })
}

const WITHOUT_CONTEXT: UpstreamTls = { verify: false, alpn: [] }

/** https originates TLS; a TLSContext does so only where it holds a certificate, as in Emissary. */
function tlsOf(plan: ClusterPlan, context: ClusterContext, report: Report): UpstreamTls | undefined {
  const { tlsContext, service } = plan
  const tls = tlsContext === undefined ? undefined : context.upstreamTls.get(tlsContext)
  if (tlsContext !== undefined && tls === undefined) {
    report.error('unknown-tls-context', `TLSContext "${tlsContext}" is not there or holds no certificate`, {
      path: ['spec', 'tls'],
      notes: [service.scheme === 'https' ? 'TLS is spoken without it' : 'the upstream is spoken to in cleartext'],
    })
  }
  return tls ?? (service.scheme === 'https' ? WITHOUT_CONTEXT : undefined)
}
