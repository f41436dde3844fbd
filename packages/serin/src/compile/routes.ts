/** Groups to Routes: shares, last good versions, and what a person should know about them. */
import { createHash } from 'node:crypto'
import type { Action, Destination } from '../model/destination.ts'
import type { Route } from '../model/route.ts'
import type { Split } from '../model/split.ts'
import type { Diagnostic } from '../resources/diagnostic.ts'
import { type Group, groupOf, type Refusal } from './groups.ts'
import { type HostPlan, hostServes } from './hosts.ts'
import type { MappingPlan } from './plan.ts'
import { Report } from './report.ts'
import { safeShares, type Shares, sharesOf } from './weights.ts'

interface Share {
  readonly plan: MappingPlan
  /** Of SHARE_WHOLE. */
  readonly share: number
}

/** A group as it is served. */
export interface CompiledGroup {
  readonly id: string
  readonly founder: MappingPlan
  readonly shares: readonly Share[]
  readonly shadow?: MappingPlan
  readonly refused: readonly Refusal[]
  /** What is served is not what is written, because that is illegal: the last good version, or a safe split. */
  readonly held?: 'last-good' | 'safe'
  /** Absent: nobody can reach it (no Host serves it, or it is a shadow without a Mapping). */
  readonly route?: Route
  readonly diagnostics: readonly Diagnostic[]
}

interface State {
  readonly group: Group
  readonly hosts: readonly HostPlan[]
  readonly compiled: CompiledGroup
  /** The newest version without a mistake. */
  readonly good: Group | undefined
}

/** Keeps each Route from compile to compile while nothing in it changes, and remembers what was good. */
export class RouteTable {
  #states = new Map<string, State>()

  build(groups: readonly Group[], hosts: readonly HostPlan[]): readonly CompiledGroup[] {
    const next = new Map<string, State>()
    for (const group of groups) {
      const before = this.#states.get(group.id)
      next.set(
        group.id,
        before !== undefined && isSame(before, group, hosts) ? before : buildState(group, hosts, before),
      )
    }
    this.#states = next
    return [...next.values()].map(({ compiled }) => compiled)
  }
}

function isSame(before: State, group: Group, hosts: readonly HostPlan[]): boolean {
  return before.hosts === hosts && sameGroup(before.group, group)
}

function sameGroup(left: Group, right: Group): boolean {
  return (
    left.shadow === right.shadow &&
    left.members.length === right.members.length &&
    left.refused.length === right.refused.length &&
    left.members.every((member, index) => member === right.members[index]) &&
    left.refused.every(({ plan }, index) => plan === right.refused[index]!.plan)
  )
}

function buildState(group: Group, hosts: readonly HostPlan[], before: State | undefined): State {
  const diagnostics = group.refused.map(explainRefusal)
  const decision = decide(group, before?.good, diagnostics)
  const { shown, shares, held } = decision
  const founder = shown.members[0] ?? shown.shadow ?? group.refused[0]!.plan
  const route = routeOf({ id: group.id, founder, shares, hosts, shadow: shown.shadow, diagnostics })
  const unchanged =
    before?.compiled.route !== undefined && JSON.stringify(before.compiled.route) === JSON.stringify(route)
  const kept = unchanged ? before.compiled.route : route
  const compiled: CompiledGroup = {
    id: group.id,
    founder,
    shares,
    refused: group.refused,
    diagnostics,
    ...(shown.shadow !== undefined && { shadow: shown.shadow }),
    ...(held !== undefined && { held }),
    ...(kept !== undefined && { route: kept }),
  }
  return { group, hosts, compiled, good: held === undefined ? group : before?.good }
}

interface Decision {
  readonly shown: Group
  readonly shares: readonly Share[]
  readonly held?: 'last-good' | 'safe'
}

/** What to serve: what is written where that is legal, else what was legal before, else something safe. */
function decide(group: Group, good: Group | undefined, diagnostics: Diagnostic[]): Decision {
  const present = new Set([...group.members, ...group.refused.map(({ plan }) => plan)].map(({ key }) => key))
  const lastGood = good === undefined ? undefined : survivors(good, present)
  const wasServed = (plan: MappingPlan): boolean => lastGood?.members.some(({ key }) => key === plan.key) ?? false
  const shares = sharesOf(group.members)
  const holds = lastGood !== undefined && (!shares.ok || group.refused.some(({ plan }) => wasServed(plan)))
  if (!shares.ok) diagnostics.push(...explainWeights(shares, holds, group.members))
  if (!holds)
    return shares.ok
      ? { shown: group, shares: sharesFrom(shares) }
      : { shown: group, shares: sharesFrom({ shares: safeShares(group.members) }), held: 'safe' }
  const earlier = sharesOf(lastGood.members)
  return {
    shown: lastGood,
    shares: sharesFrom(earlier.ok ? earlier : { shares: safeShares(lastGood.members) }),
    held: 'last-good',
  }
}

/** The last good group without the Mappings that are gone; undefined when none is left. */
function survivors(good: Group, present: ReadonlySet<string>): Group | undefined {
  const members = good.members.filter(({ key }) => present.has(key))
  if (members.length === 0) return undefined
  return groupOf(good.id, good.shadow === undefined ? members : [...members, good.shadow])
}

function sharesFrom({ shares }: { readonly shares: readonly { member: MappingPlan; share: number }[] }): Share[] {
  return shares.map(({ member, share }) => ({ plan: member, share }))
}

const HELD = 'the last good version of this route keeps serving'
const WEIGHTLESS = 'the Mappings without a weight take all requests until this is mended'
const PROPORTIONAL = 'they share the requests in proportion until this is mended'

function explainWeights(
  shares: Shares<MappingPlan> & { ok: false },
  holds: boolean,
  members: readonly MappingPlan[],
): Diagnostic[] {
  const rest = members.some(({ weight }) => weight === undefined) ? WEIGHTLESS : PROPORTIONAL
  const notes = [holds ? HELD : rest]
  return shares.members.map((plan) => {
    const report = new Report(plan.origin)
    const path =
      plan.object.metadata.annotations?.['serin.dev/weight'] === undefined
        ? ['spec', 'weight']
        : ['metadata', 'annotations', 'serin.dev/weight']
    if (shares.code === 'weight-out-of-range') {
      report.error(shares.code, `weight ${plan.weight} is out of range`, { path, expected: '0 to 100', notes })
    } else {
      const others = shares.members
        .filter((other) => other !== plan)
        .map((other) => `${other.origin.name} ${other.weight}`)
      report.error(shares.code, `the weights of this route add up to ${shares.sum}`, {
        path,
        expected: `at most ${Math.max(0, Math.round((100 - shares.sum + plan.weight!) * 100) / 100)} beside ${others.join(', ')}`,
        notes,
      })
    }
    return report.diagnostics[0]!
  })
}

function explainRefusal({ plan, code, field, other }: Refusal): Diagnostic {
  const report = new Report(plan.origin)
  const name = `"${other.origin.name}"`
  const notes = [`it takes no requests; Emissary drops it as well`]
  const messages: Record<Refusal['code'], string> = {
    mismatch: `${field} differs from Mapping ${name}, which has the same prefix, host, headers and precedence`,
    'second-redirect': `a second host_redirect for what Mapping ${name} redirects`,
    'redirect-among-others': `host_redirect for what Mapping ${name} already forwards`,
    'other-after-redirect': `Mapping ${name} redirects these requests already`,
    'second-shadow': `a second shadow beside Mapping ${name}`,
  }
  const fields: Record<Refusal['code'], string> = {
    mismatch: field ?? 'prefix',
    'second-redirect': 'host_redirect',
    'redirect-among-others': 'host_redirect',
    'other-after-redirect': 'prefix',
    'second-shadow': 'shadow',
  }
  report.error(code, messages[code], { path: ['spec', fields[code]], notes })
  return report.diagnostics[0]!
}

interface RouteParts {
  readonly id: string
  readonly founder: MappingPlan
  readonly shares: readonly Share[]
  readonly hosts: readonly HostPlan[]
  readonly shadow: MappingPlan | undefined
  readonly diagnostics: Diagnostic[]
}

function routeOf(parts: RouteParts): Route | undefined {
  const { founder, shares, hosts } = parts
  const virtualHosts = hosts.filter((host) => hostServes(host, founder)).map(({ virtualHost }) => virtualHost.name)
  if (virtualHosts.length === 0) parts.diagnostics.push(explainNoHost(founder, hosts))
  if (shares.length === 0 || virtualHosts.length === 0) return undefined
  return {
    id: printableId(parts.id, founder),
    virtualHosts,
    rank: founder.rank,
    match: founder.match,
    split: splitOf(parts),
    origin: founder.origin,
  }
}

function explainNoHost(founder: MappingPlan, hosts: readonly HostPlan[]): Diagnostic {
  const report = new Report(founder.origin)
  const names = hosts.map(({ virtualHost }) => virtualHost.hostname).join(', ')
  const hostname = founder.hostGlob === undefined
  report.warning(
    'no-host',
    hostname
      ? 'no hostname, and no Host selects this Mapping by label'
      : `no Host serves the hostname "${founder.hostGlob}"`,
    {
      path: ['spec', 'hostname'],
      expected: names === '' ? 'a Host' : `a name among the Hosts' (${names})`,
      ...(hostname && { suggestion: 'hostname: "*"' }),
      notes: ['all its requests get 404, here and in Emissary'],
    },
  )
  return report.diagnostics[0]!
}

function splitOf({ founder, shares, shadow }: RouteParts): Split {
  const plans = shares.map(({ plan }) => plan)
  const wishes = [founder, ...plans].map(({ split }) => split)
  const overrideHeader = wishes.find((wish) => wish.overrideHeader !== undefined)?.overrideHeader
  return {
    by: wishes.find((wish) => wish.by !== undefined)?.by ?? { kind: 'random' },
    destinations: shares.map((share) => destinationOf(share, shadow)),
    ...(overrideHeader !== undefined && { overrideHeader }),
    ...(wishes.some((wish) => wish.tellVersion === true) && { tellVersion: true }),
    ...(wishes.some((wish) => wish.privateCache === true) && { privateCache: true }),
  }
}

function destinationOf({ plan, share }: Share, shadow: MappingPlan | undefined): Destination {
  const { key, version, caseSensitive, origin } = plan
  return { mapping: key, version, share, caseSensitive, action: actionOf(plan, shadow), origin }
}

function actionOf({ role }: MappingPlan, shadow: MappingPlan | undefined): Action {
  if (role.kind === 'redirect') return role.action
  if (role.kind === 'shadow') throw new Error('a shadow has no share')
  if (shadow?.role.kind !== 'shadow') return { kind: 'forward', ...role.forward }
  const { cluster, share } = shadow.role
  return { kind: 'forward', ...role.forward, shadow: { cluster: cluster.name, mapping: shadow.key, share } }
}

const ids = new Map<string, string>()
/** Forgotten all at once when there are more. */
const IDS_MAX = 100_000

/** `/helloworld/ 5f2b8c0d11aa`: for people, and unique. */
function printableId(id: string, founder: MappingPlan): string {
  let text = ids.get(id)
  if (text === undefined) {
    if (ids.size >= IDS_MAX) ids.clear()
    const digest = createHash('sha256').update(id).digest('hex').slice(0, 12)
    ids.set(id, (text = `${founder.match.path.value.slice(0, 60)} ${digest}`))
  }
  return text
}
