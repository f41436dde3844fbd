/**
 * The compiled Snapshot of one worker. Immutable but for its Clusters, which live on; `PlanEdit` builds the next one aside from a delta,
 * in steps if it is large, and the worker swaps it in between two requests.
 */
import type { Cluster } from '../model/cluster.ts'
import type { SnapshotDelta } from '../model/diff.ts'
import type { Listener, VirtualHost } from '../model/listener.ts'
import type { Route } from '../model/route.ts'
import { DEFAULT_SETTINGS, type Settings } from '../model/settings.ts'
import type { Meter } from '../metrics/meter.ts'
import type { Registry } from '../metrics/registry.ts'
import type { ClientContext } from '../wire/client-connection.ts'
import type { Check } from './check.ts'
import { compileChecks } from './checks.ts'
import { ClusterState } from './cluster-state.ts'
import type { DestinationNeeds } from './compiled-destination.ts'
import { CompiledRoute } from './compiled-route.ts'
import { PROBE_ROUTE_IDS, probeRoutes } from './probe-routes.ts'
import { EMPTY_ROUTER, type Router, RouterEdit } from './router.ts'
import { Gzip } from './gzip.ts'
import { IpFilter } from './ip-filter.ts'
import type { Limits } from '../wire/limits.ts'
import type { WorkerPlace } from './split.ts'
import { CompiledTcpRoute, tcpTable, type TcpTable } from './tcp-route.ts'

export interface HostPlan {
  readonly host: VirtualHost
  readonly router: Router
}

export interface ListenerPlan {
  readonly listener: Listener
  readonly hosts: HostTable
  /** Those with a certificate, by the server name that TLS asks for; null: no TLS here. */
  readonly tlsHosts: HostTable | null
  /** TCPMappings of the port; null: none. */
  readonly tcp: TcpTable | null
  /** Connections have to be looked at before it is known what they speak. */
  readonly hasDoor: boolean
  readonly meter: Meter
}

/** Domains of one Listener: exact, then the longest `*.suffix`, then the longest `prefix.*`, then `*`. Keys are lower case. */
export interface HostTable {
  readonly exact: ReadonlyMap<string, HostPlan>
  readonly suffixes: readonly (readonly [string, HostPlan])[]
  readonly prefixes: readonly (readonly [string, HostPlan])[]
  readonly any: HostPlan | null
}

export interface Plan {
  readonly revision: number
  readonly settings: Settings
  readonly ipFilter: IpFilter | null
  readonly gzip: Gzip | null
  /** What requests have to pass before they are sent on; null: nothing. */
  readonly checks: readonly Check[] | null
  /** Where the Module sets limits of its own for clients; null: as the gateway was started with. */
  readonly clientLimits: Limits | null
  readonly listeners: ReadonlyMap<string, ListenerPlan>
  readonly hosts: ReadonlyMap<string, HostPlan>
  readonly routes: ReadonlyMap<string, CompiledRoute>
  readonly clusters: ReadonlyMap<string, ClusterState>
  readonly tcpRoutes: ReadonlyMap<string, CompiledTcpRoute>
}

export const EMPTY_PLAN: Plan = {
  revision: 0,
  settings: DEFAULT_SETTINGS,
  ipFilter: null,
  gzip: null,
  checks: null,
  clientLimits: null,
  listeners: new Map(),
  hosts: new Map(),
  routes: new Map(),
  clusters: new Map(),
  tcpRoutes: new Map(),
}

/** The VirtualHost for a Host field, or null. No fall-through to another. */
export function findHost(table: HostTable, host: string): HostPlan | null {
  if (table.exact.size === 0 && table.suffixes.length === 0 && table.prefixes.length === 0) return table.any
  const lower = host.toLowerCase()
  const exact = table.exact.get(lower)
  if (exact) return exact
  for (const [suffix, plan] of table.suffixes) if (lower.length > suffix.length && lower.endsWith(suffix)) return plan
  for (const [prefix, plan] of table.prefixes) if (lower.length > prefix.length && lower.startsWith(prefix)) return plan
  return table.any
}

/** The Host whose own hostname is `hostname`, if `name` is one of its names. */
export function findHostOf(table: HostTable, hostname: string, name: string): HostPlan | null {
  const own = table.exact.get(hostname) ?? hostNamed(table, hostname)
  if (own === null) return null
  return findHost(hostTable([own]), name)
}

function hostNamed(table: HostTable, hostname: string): HostPlan | null {
  if (hostname === '*') return table.any
  for (const [, plan] of [...table.suffixes, ...table.prefixes]) if (plan.host.hostname === hostname) return plan
  return null
}

/** What a worker lends to its Plans. */
export interface PlanNeeds {
  readonly context: ClientContext
  readonly registry: Registry
  readonly place: WorkerPlace
}

/** Builds the Plan after `before`. `addRoutes` may be called many times, between requests; nothing is visible before `commit`. */
export class PlanEdit implements DestinationNeeds {
  private readonly before: Plan
  private readonly needs: PlanNeeds
  private readonly token: object = {}
  private readonly routers: Map<string, RouterEdit> = new Map<string, RouterEdit>()
  private readonly routes: Map<string, CompiledRoute>
  private readonly clusters: Map<string, ClusterState>
  private readonly changedClusters: Cluster[] = []
  private readonly goneClusters: ClusterState[] = []

  constructor(before: Plan, needs: PlanNeeds) {
    this.before = before
    this.needs = needs
    this.routes = new Map(before.routes)
    this.clusters = new Map(before.clusters)
  }

  /** First: Routes refer to Clusters. */
  setClusters(clusters: readonly Cluster[], removed: readonly string[]): void {
    for (const name of removed) {
      const state = this.clusters.get(name)
      if (state) this.goneClusters.push(state)
      this.clusters.delete(name)
    }
    for (const cluster of clusters) {
      if (this.clusters.has(cluster.name)) this.changedClusters.push(cluster)
      else this.clusters.set(cluster.name, new ClusterState(cluster, this.needs.context, this.clusterMeter(cluster)))
    }
  }

  removeRoutes(ids: readonly string[]): void {
    for (const id of ids) this.removeRoute(id)
  }

  setRoutes(routes: readonly Route[]): void {
    for (const route of routes) {
      const before = this.routes.get(route.id)
      if (before) this.removeRoute(route.id)
      const compiled = new CompiledRoute(route, this, this.needs.place, before)
      this.routes.set(route.id, compiled)
      for (const name of route.virtualHosts) this.router(name).set(compiled)
    }
  }

  /** Makes it the Plan: Clusters take their new endpoints now. Synchronous, so no request sees half of it. */
  commit(delta: Pick<SnapshotDelta, 'revision' | 'listeners' | 'virtualHosts' | 'tcpRoutes' | 'settings'>): Plan {
    for (const cluster of this.changedClusters)
      this.clusters.get(cluster.name)?.update(cluster, this.clusterMeter(cluster))
    this.setProbes(delta)
    for (const state of this.goneClusters) if (this.clusters.get(state.cluster.name) !== state) state.retire()
    const hosts = this.editedHosts(delta.virtualHosts)
    const tcpRoutes = this.editedTcpRoutes(delta.tcpRoutes)
    const listeners = this.editedListeners(delta.listeners, hosts, tcpRoutes)
    const settings = delta.settings ?? this.before.settings
    return {
      revision: delta.revision,
      settings,
      ipFilter: settings.ipFilter ? new IpFilter(settings.ipFilter) : null,
      gzip: settings.gzip ? new Gzip(settings.gzip) : null,
      checks: compileChecks(settings, (name) => this.cluster(name), this.needs.context),
      clientLimits: clientLimits(settings, this.needs.context.limits),
      listeners,
      hosts,
      routes: this.routes,
      clusters: this.clusters,
      tcpRoutes,
    }
  }

  /** The gateway's own pages stand on every Host. */
  private setProbes({ virtualHosts, settings }: Pick<SnapshotDelta, 'virtualHosts' | 'settings'>): void {
    if (virtualHosts.set.length === 0 && virtualHosts.removed.length === 0 && !settings) return
    const names = new Set(this.before.hosts.keys())
    for (const name of virtualHosts.removed) names.delete(name)
    for (const host of virtualHosts.set) names.add(host.name)
    this.removeRoutes(PROBE_ROUTE_IDS)
    this.setRoutes(probeRoutes((settings ?? this.before.settings).probes, [...names]))
  }

  cluster(name: string): ClusterState | null {
    return this.clusters.get(name) ?? null
  }

  meter(mapping: string, version: string): Meter {
    return this.needs.registry.destination(mapping, version)
  }

  private clusterMeter(cluster: Cluster): Meter {
    return this.needs.registry.cluster(cluster.statName)
  }

  private removeRoute(id: string): void {
    const route = this.routes.get(id)
    if (!route) return
    this.routes.delete(id)
    for (const name of route.route.virtualHosts) this.router(name).remove(route)
  }

  private router(virtualHost: string): RouterEdit {
    let edit = this.routers.get(virtualHost)
    if (!edit) {
      edit = new RouterEdit(this.before.hosts.get(virtualHost)?.router ?? EMPTY_ROUTER, this.token)
      this.routers.set(virtualHost, edit)
    }
    return edit
  }

  private editedHosts(changes: SnapshotDelta['virtualHosts']): Map<string, HostPlan> {
    const hosts = new Map(this.before.hosts)
    for (const name of changes.removed) hosts.delete(name)
    for (const host of changes.set) hosts.set(host.name, { host, router: hosts.get(host.name)?.router ?? EMPTY_ROUTER })
    for (const [name, edit] of this.routers) {
      const plan = hosts.get(name)
      if (plan) hosts.set(name, { host: plan.host, router: edit.finish() })
    }
    return hosts
  }

  private editedListeners(
    changes: SnapshotDelta['listeners'],
    hosts: Map<string, HostPlan>,
    tcpRoutes: ReadonlyMap<string, CompiledTcpRoute>,
  ): Map<string, ListenerPlan> {
    const all = new Map([...this.before.listeners].map(([name, plan]) => [name, plan.listener]))
    for (const name of changes.removed) all.delete(name)
    for (const listener of changes.set) all.set(listener.name, listener)
    return new Map([...all].map(([name, listener]) => [name, this.listenerPlan(listener, hosts, tcpRoutes)]))
  }

  private editedTcpRoutes(changes: SnapshotDelta['tcpRoutes']): ReadonlyMap<string, CompiledTcpRoute> {
    const { tcpRoutes } = this.before
    if (changes.set.length === 0 && changes.removed.length === 0) return tcpRoutes
    const next = new Map(tcpRoutes)
    for (const id of changes.removed) next.delete(id)
    for (const route of changes.set) next.set(route.id, new CompiledTcpRoute(route, this, this.needs.place))
    return next
  }

  private listenerPlan(
    listener: Listener,
    hosts: Map<string, HostPlan>,
    tcpRoutes: ReadonlyMap<string, CompiledTcpRoute>,
  ): ListenerPlan {
    const served = listener.virtualHosts.flatMap((name) => hosts.get(name) ?? [])
    const speaksTls = listener.protocol === 'https' || listener.protocol === 'tls'
    return {
      listener,
      hosts: hostTable(served),
      tlsHosts: speaksTls ? hostTable(served.filter(({ host }) => host.tls !== undefined)) : null,
      tcp: tcpTable(tcpRoutes.values(), listener.port),
      hasDoor: listener.protocol !== 'http' || listener.proxyProtocol,
      meter: this.needs.registry.listener(listener.name, listener.statsPrefix),
    }
  }
}

/** Meters that no Route, Cluster or Listener of the Plan asks for begin to age. A walk over the whole Plan: now and then, not per change. */
export function sweepMeters(plan: Plan, registry: Registry): void {
  registry.beginPlan()
  for (const { route } of plan.routes.values()) {
    for (const { mapping, version } of route.split.destinations) registry.destination(mapping, version)
  }
  for (const state of plan.clusters.values()) registry.cluster(state.cluster.statName)
  for (const { listener } of plan.listeners.values()) registry.listener(listener.name, listener.statsPrefix)
  registry.endPlan(Date.now())
}

/** The Module's limits for clients, where they are not the usual ones. */
function clientLimits({ requestHeadersKbMax, listenerIdleTimeoutMs }: Settings, limits: Limits): Limits | null {
  const usual = requestHeadersKbMax === DEFAULT_SETTINGS.requestHeadersKbMax
  if (usual && listenerIdleTimeoutMs === undefined) return null
  return {
    ...limits,
    ...(!usual && { headBytesMax: requestHeadersKbMax * 1024 }),
    ...(listenerIdleTimeoutMs !== undefined && { idleMs: listenerIdleTimeoutMs }),
  }
}

function hostTable(served: readonly HostPlan[]): HostTable {
  const exact = new Map<string, HostPlan>()
  const suffixes: [string, HostPlan][] = []
  const prefixes: [string, HostPlan][] = []
  let any: HostPlan | null = null
  for (const plan of served) {
    const { hostname } = plan.host
    if (hostname === '*') any = plan
    else if (hostname.startsWith('*')) suffixes.push([hostname.slice(1), plan])
    else if (hostname.endsWith('*')) prefixes.push([hostname.slice(0, -1), plan])
    else exact.set(hostname, plan)
  }
  suffixes.sort(([a], [b]) => b.length - a.length)
  prefixes.sort(([a], [b]) => b.length - a.length)
  return { exact, suffixes, prefixes, any }
}
