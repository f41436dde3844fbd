/** TCPMappings: connections of a port, or of a port and a server name, shared by weight. */
import type { Origin } from '../model/origin.ts'
import type { TcpRoute } from '../model/route.ts'
import type { TcpMappingSpec } from '../resources/ambassador/types.ts'
import type { Diagnostic } from '../resources/diagnostic.ts'
import { TCPMapping } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { readClusterPlan } from './cluster-plan.ts'
import { globsOverlap, type HostPlan } from './hosts.ts'
import { type MappingContext, versionOf } from './mapping.ts'
import type { ClusterPlan } from './plan.ts'
import { compareText, keyOf, namespaceOf, Report } from './report.ts'
import { parseService } from './service.ts'
import { checkSpec } from './spec.ts'
import { safeShares, type Shares, sharesOf } from './weights.ts'

export interface TcpPlan {
  readonly object: KubeObject
  readonly origin: Origin
  readonly key: string
  readonly version: string
  readonly port: number
  readonly sni?: string
  readonly address?: string
  readonly weight?: number
  readonly idleTimeoutMs?: number
  readonly cluster: ClusterPlan
}

/** Pure but for the report. */
export function readTcpMapping(object: KubeObject, context: MappingContext, report: Report): TcpPlan | undefined {
  const spec = checkSpec<TcpMappingSpec>(TCPMapping, object, report)
  if (spec === undefined) return undefined
  const namespace = namespaceOf(object)
  const address = parseService(spec.service, {
    namespace,
    gatewayNamespace: context.gatewayNamespace,
    useGatewayNamespace: context.module.useGatewayNamespace,
  })
  for (const problem of address.problems) report.warning('bad-service', problem, { path: ['spec', 'service'] })
  const { resolver, circuit_breakers, cluster_tag, stats_name, tls } = spec
  const fields = Object.fromEntries(
    Object.entries({ resolver, circuit_breakers, cluster_tag, stats_name, tls }).filter(
      ([, value]) => value !== undefined,
    ),
  )
  const read = readClusterPlan(fields, address, { context, report, namespace })
  if (read === undefined) return undefined
  const idle = spec.idle_timeout_ms === undefined ? Number.NaN : Number(spec.idle_timeout_ms)
  return {
    object,
    origin: report.origin,
    key: keyOf(object),
    version: versionOf(object),
    port: spec.port,
    ...(spec.host !== undefined && { sni: spec.host.toLowerCase() }),
    ...(spec.address !== undefined && { address: spec.address }),
    ...(spec.weight !== undefined && { weight: spec.weight }),
    ...(Number.isFinite(idle) && { idleTimeoutMs: idle }),
    cluster: read.plan,
  }
}

export interface TcpRoutes {
  readonly routes: readonly TcpRoute[]
  readonly clusters: readonly ClusterPlan[]
  readonly diagnostics: readonly Diagnostic[]
}

/** Remembers the last good shares of each group. */
export class TcpTable {
  #good = new Map<string, readonly TcpPlan[]>()

  /** In Emissary's order: the largest key first. */
  build(plans: readonly TcpPlan[], hosts: readonly HostPlan[]): TcpRoutes {
    const groups = new Map<string, TcpPlan[]>()
    const diagnostics: Diagnostic[] = []
    for (const plan of plans.toSorted(
      (left, right) =>
        compareText(left.object.metadata.name, right.object.metadata.name) || compareText(left.key, right.key),
    )) {
      const unserved = unservedName(plan, hosts)
      if (unserved !== undefined) {
        diagnostics.push(unserved)
        continue
      }
      const id = `${plan.port} ${plan.sni ?? '*'}${plan.address === undefined ? '' : ` ${plan.address}`}`
      const members = groups.get(id)
      if (members === undefined) groups.set(id, [plan])
      else members.push(plan)
    }
    const good = new Map<string, readonly TcpPlan[]>()
    const clusters: ClusterPlan[] = []
    const routes = [...groups]
      .toSorted(([left], [right]) => compareText(right, left))
      .map(([id, members]) => {
        const { shares, problems, lastGood } = this.#shares(id, members)
        diagnostics.push(...problems)
        if (lastGood !== undefined) good.set(id, lastGood)
        clusters.push(...shares.map(({ member }) => member.cluster))
        return routeOf(id, members[0]!, shares)
      })
    this.#good = good
    return { routes, clusters, diagnostics }
  }

  #shares(
    id: string,
    members: readonly TcpPlan[],
  ): { shares: readonly TcpShare[]; problems: Diagnostic[]; lastGood: readonly TcpPlan[] | undefined } {
    const shares = sharesOf(members)
    if (shares.ok) return { shares: shares.shares, problems: [], lastGood: members }
    const present = new Set(members.map(({ key }) => key))
    const before = this.#good.get(id)?.filter(({ key }) => present.has(key))
    const held = before === undefined || before.length === 0 ? undefined : sharesOf(before)
    const problems = explain(shares, held !== undefined)
    return { shares: held?.ok === true ? held.shares : safeShares(members), problems, lastGood: before }
  }
}

interface TcpShare {
  readonly member: TcpPlan
  readonly share: number
}

function explain(shares: Shares<TcpPlan> & { ok: false }, held: boolean): Diagnostic[] {
  return shares.members.map((plan) => {
    const report = new Report(plan.origin)
    report.error(
      shares.code,
      shares.code === 'weights-over-100'
        ? `the weights of this port add up to ${shares.sum}`
        : `weight ${plan.weight} is out of range`,
      {
        path: ['spec', 'weight'],
        expected: '0 to 100 in all',
        notes: [
          held
            ? 'the last good version of this route keeps serving'
            : 'the TCPMappings without a weight take all connections until this is mended',
        ],
      },
    )
    return report.diagnostics[0]!
  })
}

function routeOf(id: string, founder: TcpPlan, shares: readonly TcpShare[]): TcpRoute {
  const { port, sni, address } = founder
  const idle = shares.map(({ member }) => member.idleTimeoutMs).find((value) => value !== undefined)
  return {
    id,
    port,
    ...(address !== undefined && { address }),
    ...(sni !== undefined && sni !== '*' && { sni }),
    destinations: shares.map(({ member, share }) => ({
      mapping: member.key,
      version: member.version,
      share,
      cluster: member.cluster.name,
    })),
    ...(idle !== undefined && { idleTimeoutMs: idle }),
    origin: founder.origin,
  }
}

/** With a `host` it is chosen by the server name of TLS, so a Host with a certificate has to serve that name. */
function unservedName(plan: TcpPlan, hosts: readonly HostPlan[]): Diagnostic | undefined {
  const { sni } = plan
  if (sni === undefined || sni === '*') return undefined
  const served = hosts.some(
    ({ virtualHost }) => virtualHost.tls !== undefined && globsOverlap(virtualHost.hostname, sni),
  )
  if (served) return undefined
  const report = new Report(plan.origin)
  report.error('no-host', `no Host with a certificate serves "${sni}"`, {
    path: ['spec', 'host'],
    notes: ['this TCPMapping is not used'],
  })
  return report.diagnostics[0]
}
