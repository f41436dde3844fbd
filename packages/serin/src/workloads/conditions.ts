import type { Condition } from '../resources/kubernetes/types.ts'

/** Conditions in a status: reading and replacing. Pure. */

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type)
}

export function withoutCondition(conditions: readonly Condition[], type: string): readonly Condition[] {
  return conditions.filter((condition) => condition.type !== type)
}

/** A changed condition goes to the end of the list; the same status and reason change nothing (Deployment, ReplicaSet). */
export function withCondition(conditions: readonly Condition[], next: Condition): readonly Condition[] {
  const current = findCondition(conditions, next.type)
  if (current?.status === next.status && current.reason === next.reason) return conditions
  return [...withoutCondition(conditions, next.type), keepTransition(current, next)]
}

function keepTransition(current: Condition | undefined, next: Condition): Condition {
  if (current?.status !== next.status || current.lastTransitionTime == null) return next
  return { ...next, lastTransitionTime: current.lastTransitionTime }
}

/** RFC 3339 in whole seconds, as the API writes times. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
