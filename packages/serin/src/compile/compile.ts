/**
 * Resources to a Snapshot: `createCompiler` gives a function that is pure apart from its cache. The same resources in any
 * order give the same Snapshot, what did not change keeps its identity, and what is illegal never takes a route down:
 * its last good version keeps serving, and a diagnostic says so.
 */
import type { VirtualHost } from '../model/listener.ts'
import { compareRank, type Route } from '../model/route.ts'
import { EMPTY_SNAPSHOT, type Snapshot } from '../model/snapshot.ts'
import type { HostSpec, ListenerSpec } from '../resources/ambassador/types.ts'
import type { Diagnostic } from '../resources/diagnostic.ts'
import { EndpointSlice, Host, type Kind, Listener, Mapping, Service } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { ClusterTable } from './clusters.ts'
import { ServiceIndex } from './endpoints.ts'
import { groupPlans } from './groups.ts'
import { FALLBACK_HOST, hasLabels, type HostPlan, type ListenerPlan, readHost, readListener } from './hosts.ts'
import { bindListeners } from './listeners.ts'
import { type MappingContext, readMapping } from './mapping.ts'
import { DEFAULT_MODULE } from './module.ts'
import type { ClusterPlan, MappingPlan } from './plan.ts'
import { Reader } from './reader.ts'
import { byName, compareText } from './report.ts'
import { type CompiledGroup, RouteTable } from './routes.ts'
import { sortObjects } from './sort.ts'
import { checkSpec } from './spec.ts'

export interface CompilerOptions {
  /** The namespace the gateway lives in: unqualified names of Services mean this one. Default `default`. */
  readonly gatewayNamespace?: string
  /** Which `ambassador_id` is ours. Default `default`. */
  readonly ambassadorId?: string
}

export interface CompileInput {
  /** Everything there is, in any order; kinds that do not matter are left out. Unchanged objects keep their identity between calls. */
  readonly objects: readonly KubeObject[]
}

export interface CompileResult {
  /** The same object as before where nothing changed. */
  readonly snapshot: Snapshot
  readonly diagnostics: readonly Diagnostic[]
  /** In the order of evaluation. */
  readonly groups: readonly CompiledGroup[]
}

export interface Compiler {
  compile(input: CompileInput): CompileResult
}

export function createCompiler(options: CompilerOptions = {}): Compiler {
  return new CachingCompiler(options)
}

class CachingCompiler implements Compiler {
  readonly #ambassadorId: string
  readonly #gatewayNamespace: string
  readonly #mappings = new Reader<MappingPlan, MappingContext>(Mapping, readMapping)
  readonly #hosts = new Reader<HostPlan, unknown>(Host, (object, _, report) => {
    const spec = checkSpec<HostSpec>(Host, object, report)
    return spec === undefined ? undefined : readHost(object, spec, report)
  })
  readonly #listeners = new Reader<ListenerPlan, unknown>(Listener, (object, _, report) => {
    const spec = checkSpec<ListenerSpec>(Listener, object, report)
    return spec === undefined ? undefined : readListener(object, spec, report)
  })
  readonly #services = new ServiceIndex()
  readonly #routes = new RouteTable()
  readonly #clusters = new ClusterTable()
  #context: MappingContext | undefined
  #hostList: readonly HostPlan[] = []
  #snapshot: Snapshot = EMPTY_SNAPSHOT

  constructor(options: CompilerOptions) {
    this.#ambassadorId = options.ambassadorId ?? 'default'
    this.#gatewayNamespace = options.gatewayNamespace ?? 'default'
  }

  compile(input: CompileInput): CompileResult {
    const { objects, diagnostics: sorting } = sortObjects(input.objects, this.#ambassadorId)
    const of = (kind: Kind): readonly KubeObject[] => objects.get(kind) ?? []
    this.#services.update(of(Service), of(EndpointSlice))
    const context = this.#readContext()
    const mappings = this.#mappings.read(of(Mapping), context)
    const hosts = this.#readHosts(of(Host))
    const listeners = this.#listeners.read(of(Listener), undefined)
    const groups = this.#routes.build(
      groupPlans(mappings.plans, (plan) => labelKey(plan, hosts.plans)),
      hosts.plans,
    )
    const ordered = groups.toSorted(compareGroups)
    const clusters = this.#clusters.build(clusterPlans(ordered), {
      services: this.#services,
      gatewayNamespace: this.#gatewayNamespace,
      upstreamTls: new Map(),
    })
    const bound = bindListeners(listeners.plans, hosts.plans)
    const snapshot = this.#assemble({
      revision: 0,
      listeners: bound.listeners,
      virtualHosts: bound.virtualHosts,
      routes: ordered.map(({ route }) => route).filter((route): route is Route => route !== undefined),
      tcpRoutes: [],
      clusters: clusters.clusters.toSorted((left, right) => compareText(left.name, right.name)),
      settings: context.module.settings,
    })
    const diagnostics = [
      ...sorting,
      ...listeners.diagnostics,
      ...bound.diagnostics,
      ...hosts.diagnostics,
      ...mappings.diagnostics,
      ...ordered.flatMap((group) => group.diagnostics),
      ...clusters.diagnostics,
    ]
    return { snapshot, diagnostics, groups: ordered }
  }

  #readContext(): MappingContext {
    this.#context ??= {
      module: DEFAULT_MODULE,
      gatewayNamespace: this.#gatewayNamespace,
      resolvers: new Map([
        ['kubernetes-service', 'service'],
        ['kubernetes-endpoint', 'endpoint'],
        ['endpoint', 'endpoint'],
      ]),
    }
    return this.#context
  }

  /** Without any Host everything is served in cleartext, as Emissary does; a Host with a mistake is no reason for that. */
  #readHosts(objects: readonly KubeObject[]): { plans: readonly HostPlan[]; diagnostics: readonly Diagnostic[] } {
    const { plans, diagnostics } = this.#hosts.read(byName(objects), undefined)
    const list = objects.length === 0 ? [FALLBACK_HOST] : plans
    this.#hostList = sameList(this.#hostList, list) ? this.#hostList : list
    return { plans: this.#hostList, diagnostics }
  }

  /** Keeps each list, and the whole Snapshot, where nothing in it changed. */
  #assemble(next: Snapshot): Snapshot {
    const before = this.#snapshot
    const listeners = keepItems(before.listeners, next.listeners, (listener) => listener.name)
    const virtualHosts = keepItems(before.virtualHosts, next.virtualHosts, (host: VirtualHost) => host.name)
    const kept = {
      listeners: keep(before.listeners, listeners),
      virtualHosts: keep(before.virtualHosts, virtualHosts),
      routes: keep(before.routes, next.routes),
      tcpRoutes: keep(before.tcpRoutes, next.tcpRoutes),
      clusters: keep(before.clusters, next.clusters),
      settings: next.settings,
    }
    const unchanged = (Object.keys(kept) as (keyof typeof kept)[]).every((name) => kept[name] === before[name])
    if (unchanged && before.revision > 0) return before
    return (this.#snapshot = { revision: before.revision + 1, ...kept })
  }
}

function keep<T>(before: readonly T[], now: readonly T[]): readonly T[] {
  return sameList(before, now) ? before : now
}

function sameList(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((item, index) => item === right[index])
}

/** For short lists: an item that is equal to the one before is the one before. */
function keepItems<T>(before: readonly T[], now: readonly T[], keyOf: (item: T) => string): readonly T[] {
  const known = new Map(before.map((item) => [keyOf(item), item]))
  return now.map((item) => {
    const old = known.get(keyOf(item))
    return old !== undefined && JSON.stringify(old) === JSON.stringify(item) ? old : item
  })
}

/** The selectors that choose a Mapping without a hostname: two Mappings that the same Hosts choose are one group. */
function labelKey(plan: MappingPlan, hosts: readonly HostPlan[]): string {
  return hosts
    .filter(({ mappingSelector }) => mappingSelector !== undefined && hasLabels(plan.labels, mappingSelector))
    .map(({ mappingSelector }) => JSON.stringify(mappingSelector))
    .join()
}

/** Largest first; what is equal in rank, by id. */
function compareGroups(left: CompiledGroup, right: CompiledGroup): number {
  return compareRank(right.founder.rank, left.founder.rank) || compareText(left.id, right.id)
}

function* clusterPlans(groups: readonly CompiledGroup[]): Generator<ClusterPlan> {
  for (const { shares, shadow, route } of groups) {
    if (route === undefined) continue
    for (const { plan } of shares) if (plan.role.kind === 'forward') yield plan.role.cluster
    if (shadow?.role.kind === 'shadow') yield shadow.role.cluster
  }
}
