/** Mappings to groups: which ones are versions of one Route, which are refused, as Emissary decides it. */
import type { MappingPlan } from './plan.ts'
import { compareText } from './report.ts'

export interface Group {
  /** Stable: the same match gives the same id. */
  readonly id: string
  /** In the order of names. The first one's match holds for all. */
  readonly members: readonly MappingPlan[]
  readonly shadow?: MappingPlan
  readonly refused: readonly Refusal[]
}

export interface Refusal {
  readonly plan: MappingPlan
  readonly code: 'mismatch' | 'second-redirect' | 'redirect-among-others' | 'other-after-redirect' | 'second-shadow'
  readonly field?: string
  /** The Mapping it disagrees with. */
  readonly other: MappingPlan
}

/** `labelKey`: what of the Hosts' selectors matters for a Mapping without a hostname. Pure. */
export function groupPlans(plans: readonly MappingPlan[], labelKey: (plan: MappingPlan) => string): Group[] {
  const byKey = new Map<string, MappingPlan[]>()
  for (const plan of plans) {
    const id = plan.hostGlob === undefined ? `${plan.groupKey}\u0004${labelKey(plan)}` : plan.groupKey
    const members = byKey.get(id)
    if (members === undefined) byKey.set(id, [plan])
    else members.push(plan)
  }
  return [...byKey].map(([id, members]) => groupOf(id, members))
}

function byOrderKey(left: MappingPlan, right: MappingPlan): number {
  return compareText(left.orderKey, right.orderKey)
}

/** The first by name founds the group; each later one is taken or refused. */
export function groupOf(id: string, plans: readonly MappingPlan[]): Group {
  const [founder, ...others] = plans.length === 1 ? plans : plans.toSorted(byOrderKey)
  const members: MappingPlan[] = []
  const refused: Refusal[] = []
  let shadow: MappingPlan | undefined
  for (const plan of [founder!, ...others]) {
    const refusal = refusalOf(plan, founder!, members, shadow)
    if (refusal !== undefined) refused.push({ plan, ...refusal })
    else if (plan.role.kind === 'shadow') shadow = plan
    else members.push(plan)
  }
  return { id, members, refused, ...(shadow !== undefined && { shadow }) }
}

function refusalOf(
  plan: MappingPlan,
  founder: MappingPlan,
  members: readonly MappingPlan[],
  shadow: MappingPlan | undefined,
): Omit<Refusal, 'plan'> | undefined {
  const field = plan === founder ? undefined : mismatch(plan, founder)
  if (field !== undefined) return { code: 'mismatch', field, other: founder }
  if (plan.role.kind === 'shadow') return shadow === undefined ? undefined : { code: 'second-shadow', other: shadow }
  const [first] = members
  if (first === undefined) return undefined
  if (plan.role.kind === 'redirect') {
    return { code: first.role.kind === 'redirect' ? 'second-redirect' : 'redirect-among-others', other: first }
  }
  return first.role.kind === 'redirect' ? { code: 'other-after-redirect', other: first } : undefined
}

/** A field that the plan sets and the founder does not, or sets otherwise. What only the founder sets is no mismatch; circuit breakers are compared both ways. */
function mismatch(plan: MappingPlan, founder: MappingPlan): string | undefined {
  const different = Object.keys(plan.core).find(
    (field) => field !== 'headers' && plan.core[field] !== founder.core[field],
  )
  if (different !== undefined) return different
  if (plan.core['circuit_breakers'] !== founder.core['circuit_breakers']) return 'circuit_breakers'
  // An exact prefix or a regex on the founder holds for the whole group; a condition that is once a regex and once not does not.
  return plan.core['headers'] === founder.core['headers'] ? undefined : 'headers'
}
