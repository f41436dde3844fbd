/**
 * Resources to a Snapshot: `createCompiler` gives a function that is pure apart from its cache. The same resources in any
 * order give the same Snapshot, what did not change keeps its identity, and what is illegal never takes a route down:
 * its last good version keeps serving, and a diagnostic says so.
 */
import { readFileSync } from 'node:fs'
import type { Cluster } from '../model/cluster.ts'
import { compareRank, type Route } from '../model/route.ts'
import type { Settings } from '../model/settings.ts'
import type { Snapshot } from '../model/snapshot.ts'
import type { ListenerSpec } from '../resources/ambassador/types.ts'
import type { Diagnostic } from '../resources/diagnostic.ts'
import {
  AuthService,
  EndpointSlice,
  type Kind,
  Listener,
  Mapping,
  RateLimitService,
  Service,
  TCPMapping,
} from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { SnapshotKeeper } from './assemble.ts'
import { ClusterTable } from './clusters.ts'
import { ContextReader } from './context.ts'
import { ServiceIndex } from './endpoints.ts'
import { type AuthPlan, DENIAL, type RateLimitPlan, readAuthService, readRateLimitService } from './external.ts'
import { groupPlans } from './groups.ts'
import { hasLabels, type HostPlan, type ListenerPlan, readListener } from './hosts.ts'
import { bindListeners } from './listeners.ts'
import { type MappingContext, readMapping } from './mapping.ts'
import { OrderKeeper } from './order.ts'
import type { ClusterPlan, MappingPlan } from './plan.ts'
import { Reader } from './reader.ts'
import { byName, compareText, originOf, Report } from './report.ts'
import { type CompiledGroup, RouteTable } from './routes.ts'
import { HostTable } from './secure-hosts.ts'
import { Sorter } from './sort.ts'
import { checkSpec } from './spec.ts'
import { readTcpMapping, TcpTable, type TcpPlan } from './tcp.ts'
import type { ReadFile } from './tls.ts'

export interface CompilerOptions {
  /** The namespace the gateway lives in: unqualified names of Services mean this one. Default `default`. */
  readonly gatewayNamespace?: string
  /** Which `ambassador_id` is ours. Default `default`. */
  readonly ambassadorId?: string
  /** Reads the PEM files that TLSContexts name. Default: the file system. */
  readonly readFile?: ReadFile
}

interface CompileInput {
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
  readonly #gatewayNamespace: string
  readonly #sorter: Sorter
  readonly #contexts: ContextReader
  readonly #hosts: HostTable
  readonly #mappings = new Reader<MappingPlan, MappingContext>(Mapping, readMapping)
  readonly #tcpMappings = new Reader<TcpPlan, MappingContext>(TCPMapping, readTcpMapping)
  readonly #authServices = new Reader<AuthPlan, MappingContext>(AuthService, readAuthService)
  readonly #rateLimitServices = new Reader<RateLimitPlan, MappingContext>(RateLimitService, readRateLimitService)
  readonly #listeners = new Reader<ListenerPlan, undefined>(Listener, (object, _, report) => {
    const spec = checkSpec<ListenerSpec>(Listener, object, report)
    return spec === undefined ? undefined : readListener(object, spec, report)
  })
  readonly #services = new ServiceIndex()
  readonly #routes = new RouteTable()
  readonly #tcpRoutes = new TcpTable()
  readonly #clusters = new ClusterTable()
  readonly #order = new OrderKeeper<CompiledGroup>(
    ({ id }) => id,
    ({ founder }) => founder.rank,
    compareGroups,
  )
  readonly #keeper = new SnapshotKeeper()

  constructor(options: CompilerOptions) {
    this.#gatewayNamespace = options.gatewayNamespace ?? 'default'
    this.#sorter = new Sorter(options.ambassadorId ?? 'default')
    this.#contexts = new ContextReader(this.#gatewayNamespace)
    this.#hosts = new HostTable(this.#gatewayNamespace, options.readFile ?? readTextFile)
  }

  compile(input: CompileInput): CompileResult {
    const sorted = this.#sorter.sort(input.objects)
    const of = (kind: Kind): readonly KubeObject[] => sorted.objects.get(kind) ?? []
    this.#services.update(of(Service), of(EndpointSlice))
    const { context, probes, diagnostics: moduleProblems } = this.#contexts.read(of)
    const { hosts, upstreamTls, diagnostics: hostProblems } = this.#hosts.read(of)
    const mappings = this.#mappings.read([...of(Mapping), ...probes], context)
    const groups = this.#buildGroups(mappings.plans, hosts)
    const tcpMappings = this.#tcpMappings.read(of(TCPMapping), context)
    const tcp = this.#tcpRoutes.build(tcpMappings.plans, hosts)
    const external = this.#readExternal(of, context)
    const listeners = this.#listeners.read(of(Listener), undefined)
    const bound = bindListeners(listeners.plans, hosts, tcp.routes)
    const clusters = this.#clusters.build([...clusterPlans(groups), ...tcp.clusters, ...external.clusters], {
      services: this.#services,
      upstreamTls,
    })
    const snapshot = this.#keeper.keep({
      listeners: bound.listeners,
      virtualHosts: bound.virtualHosts,
      routes: groups.map(({ route }) => route).filter((route): route is Route => route !== undefined),
      tcpRoutes: bound.tcpRoutes,
      clusters: [...clusters.clusters, ...external.fixedClusters],
      settings: { ...context.module.settings, ...external.settings },
    })
    const parts: (readonly Diagnostic[])[] = [
      sorted.diagnostics,
      moduleProblems,
      listeners.diagnostics,
      bound.diagnostics,
      hostProblems,
      external.diagnostics,
      mappings.diagnostics,
      ...groups.map((group) => group.diagnostics),
      tcpMappings.diagnostics,
      tcp.diagnostics,
      clusters.diagnostics,
    ]
    return { snapshot, diagnostics: parts.flat(), groups }
  }

  #buildGroups(plans: readonly MappingPlan[], hosts: readonly HostPlan[]): readonly CompiledGroup[] {
    const groups = groupPlans(plans, (plan) => labelKey(plan, hosts))
    return this.#order.sort(this.#routes.build(groups, hosts))
  }

  #readExternal(of: (kind: Kind) => readonly KubeObject[], context: MappingContext): External {
    const auth = this.#authServices.read(byName(of(AuthService)), context)
    const [first, ...others] = byName(of(RateLimitService))
    const rateLimit = this.#rateLimitServices.read(first === undefined ? [] : [first], context)
    const surplus = others.flatMap((object) => {
      const report = new Report(originOf(object))
      report.error(
        'second-rate-limit-service',
        `RateLimitService "${first!.metadata.name}" counts; a second one is not used`,
      )
      return report.diagnostics
    })
    const [limit] = rateLimit.plans
    const denies = of(AuthService).length > 0 && auth.plans.length === 0
    return {
      settings: {
        auth: denies ? [DENIAL.settings] : auth.plans.map(({ settings }) => settings),
        ...(limit !== undefined && { rateLimit: limit.settings }),
      },
      clusters: [...auth.plans, ...rateLimit.plans].map(({ cluster }) => cluster),
      fixedClusters: denies ? [DENIAL.cluster] : [],
      diagnostics: [...auth.diagnostics, ...rateLimit.diagnostics, ...surplus],
    }
  }
}

interface External {
  readonly settings: Pick<Settings, 'auth' | 'rateLimit'>
  readonly clusters: readonly ClusterPlan[]
  readonly fixedClusters: readonly Cluster[]
  readonly diagnostics: readonly Diagnostic[]
}

function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Whatever the reason: the diagnostic names the file and the field.
    return undefined
  }
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
