import type { HorizontalPodAutoscalerSpec, ScalingRules } from '../../resources/kubernetes/types.ts'

/**
 * How far a recommendation may go at once. Pure. Source: Kubernetes, HorizontalPodAutoscaler v2 `spec.behavior`: stabilization windows, policies,
 * and the defaults of both directions.
 */

const TOLERANCE_DEFAULT = 0.1
const UP: Required<Omit<ScalingRules, 'tolerance'>> = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
}
const DOWN: Required<Omit<ScalingRules, 'tolerance'>> = {
  stabilizationWindowSeconds: 300,
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
}
/** The longest window and period that the API allows: what is older is of no use. */
export const HISTORY_MS_MAX = 3_600_000

export interface Recommendation {
  readonly at: number
  readonly replicas: number
}

/** A change of size; negative when it shrank. */
export interface Change {
  readonly at: number
  readonly by: number
}

export interface BehaviorInput {
  readonly spec: HorizontalPodAutoscalerSpec
  readonly current: number
  /** What the metrics ask for, within the limits or not. */
  readonly desired: number
  readonly recommendations: readonly Recommendation[]
  readonly changes: readonly Change[]
  readonly now: number
}

export interface Allowed {
  readonly replicas: number
  readonly stabilized: 'up' | 'down' | undefined
  readonly limited: { readonly reason: string; readonly message: string } | undefined
}

export function tolerancesOf({ behavior }: HorizontalPodAutoscalerSpec): {
  readonly up: number
  readonly down: number
} {
  const of = (rules: ScalingRules | undefined): number =>
    rules?.tolerance === undefined ? TOLERANCE_DEFAULT : quantity(rules.tolerance)
  return { up: of(behavior?.scaleUp), down: of(behavior?.scaleDown) }
}

function quantity(value: number | string): number {
  const text = String(value)
  return text.endsWith('m') ? Number(text.slice(0, -1)) / 1000 : Number(text)
}

export function allowed(input: BehaviorInput): Allowed {
  const { stable, stabilized } = stabilize(input)
  return { ...limit(input, stable), stabilized }
}

function rulesOf({ behavior }: HorizontalPodAutoscalerSpec): { up: typeof UP; down: typeof DOWN } {
  return { up: { ...UP, ...behavior?.scaleUp }, down: { ...DOWN, ...behavior?.scaleDown } }
}

/** Goes up only as far as the lowest recent recommendation, down only as far as the highest. */
function stabilize({ spec, current, desired, recommendations, now }: BehaviorInput): {
  stable: number
  stabilized: Allowed['stabilized']
} {
  const { up, down } = rulesOf(spec)
  const within = (seconds: number): readonly number[] =>
    recommendations.filter(({ at }) => at > now - seconds * 1000).map(({ replicas }) => replicas)
  const lowest = Math.min(desired, ...within(up.stabilizationWindowSeconds))
  const highest = Math.max(desired, ...within(down.stabilizationWindowSeconds))
  const stable = Math.min(Math.max(current, lowest), highest)
  if (stable === desired) return { stable, stabilized: undefined }
  return { stable, stabilized: desired < current ? 'down' : 'up' }
}

function limit(input: BehaviorInput, desired: number): Pick<Allowed, 'replicas' | 'limited'> {
  const { spec, current } = input
  const { up, down } = rulesOf(spec)
  const minimum = spec.minReplicas ?? 1
  if (desired > current) {
    const most = Math.max(current, rateLimit(input, up, 'up'))
    if (desired <= Math.min(most, spec.maxReplicas)) return { replicas: Math.max(desired, minimum), limited: undefined }
    return most < spec.maxReplicas
      ? {
          replicas: most,
          limited: {
            reason: 'ScaleUpLimit',
            message: 'the desired replica count is increasing faster than the maximum scale rate',
          },
        }
      : { replicas: spec.maxReplicas, limited: tooMany }
  }
  const least = Math.min(current, rateLimit(input, down, 'down'))
  if (desired < Math.max(least, minimum)) {
    return least > minimum
      ? {
          replicas: least,
          limited: {
            reason: 'ScaleDownLimit',
            message: 'the desired replica count is decreasing faster than the maximum scale rate',
          },
        }
      : { replicas: minimum, limited: tooFew }
  }
  return desired > spec.maxReplicas
    ? { replicas: spec.maxReplicas, limited: tooMany }
    : { replicas: desired, limited: undefined }
}

const tooMany = {
  reason: 'TooManyReplicas',
  message: 'the desired replica count is more than the maximum replica count',
}
const tooFew = { reason: 'TooFewReplicas', message: 'the desired replica count is less than the minimum replica count' }

/** The size that the policies of one direction allow, given what changed in their periods. */
function rateLimit({ current, changes, now }: BehaviorInput, rules: typeof UP, direction: 'up' | 'down'): number {
  if (rules.selectPolicy === 'Disabled') return current
  const limits = rules.policies.map(({ type, value, periodSeconds }) => {
    const before =
      current - changes.filter(({ at }) => at > now - periodSeconds * 1000).reduce((sum, { by }) => sum + by, 0)
    if (type === 'Pods') return direction === 'up' ? before + value : before - value
    return direction === 'up' ? Math.ceil(before * (1 + value / 100)) : Math.trunc(before * (1 - value / 100))
  })
  const farthest = (rules.selectPolicy === 'Min') === (direction === 'up') ? Math.min : Math.max
  return limits.length === 0 ? current : farthest(...limits)
}

/** What is said when nothing limits. */
export const WITHIN_RANGE: { readonly reason: string; readonly message: string } = {
  reason: 'DesiredWithinRange',
  message: 'the desired count is within the acceptable range',
}
