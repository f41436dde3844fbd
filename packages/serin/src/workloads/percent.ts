import type { DeploymentSpec, IntOrString } from '../resources/kubernetes/types.ts'

/**
 * The fenceposts of a rolling update: how many pods more, and how many fewer, than `replicas` there may be. Pure.
 * Source: Kubernetes, Deployment `spec.strategy.rollingUpdate`: surge rounds up, unavailable rounds down.
 */

/** `maxSurge` and `maxUnavailable` where nothing is given. */
const DEFAULT_PORTION = '25%'

export interface Fenceposts {
  /** Pods above `replicas`. */
  readonly surge: number
  /** Pods below `replicas`; never more than `replicas`. */
  readonly unavailable: number
}

/** 0 and 0 for a strategy that is not RollingUpdate. */
export function fenceposts(spec: DeploymentSpec): Fenceposts {
  if (!isRollingUpdate(spec)) return { surge: 0, unavailable: 0 }
  const replicas = replicasOf(spec)
  const surge = portion(spec.strategy?.rollingUpdate?.maxSurge ?? DEFAULT_PORTION, replicas, Math.ceil)
  const given = portion(spec.strategy?.rollingUpdate?.maxUnavailable ?? DEFAULT_PORTION, replicas, Math.floor)
  // Both zero would never move; percentages can round to that. Unavailable gives way, for a surge may not fit.
  const unavailable = surge === 0 && given === 0 ? 1 : given
  return { surge, unavailable: Math.min(unavailable, replicas) }
}

/** Absent means 1. */
export function replicasOf(spec: { readonly replicas?: number }): number {
  return spec.replicas ?? 1
}

export function isRollingUpdate(spec: DeploymentSpec): boolean {
  return (spec.strategy?.type ?? '') !== 'Recreate'
}

function portion(value: IntOrString, total: number, round: (value: number) => number): number {
  if (typeof value === 'number') return value
  const percent = /^(\d+)%$/.exec(value)?.[1]
  return percent === undefined ? 0 : round((total * Number(percent)) / 100)
}
