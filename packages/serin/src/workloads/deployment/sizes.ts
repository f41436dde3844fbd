import { fenceposts, isRollingUpdate, replicasOf } from '../percent.ts'
import { byCreation, currentReplicaSet, DESIRED_REPLICAS, MAX_REPLICAS } from './revisions.ts'
import type { DeploymentObject, DeploymentSpec, ReplicaSetObject } from '../../resources/kubernetes/types.ts'

/**
 * How large each ReplicaSet of a Deployment should be next. Pure arithmetic; every function returns sizes, nobody writes here.
 * Source: Kubernetes' Deployment controller (rules 1.2 and 1.5 of the reference).
 */

export interface Resize {
  readonly replicaSet: ReplicaSetObject
  readonly replicas: number
}

export const specSize = (replicaSet: ReplicaSetObject): number => replicasOf(replicaSet.spec)

/** A status lags behind a size that was just lowered: no more can be available than are wanted. */
const available = (replicaSet: ReplicaSetObject): number =>
  Math.min(replicaSet.status?.availableReplicas ?? 0, specSize(replicaSet))

const sum = (replicaSets: readonly ReplicaSetObject[], size: (replicaSet: ReplicaSetObject) => number): number =>
  replicaSets.reduce((total, replicaSet) => total + size(replicaSet), 0)

export function totalSize(replicaSets: readonly ReplicaSetObject[]): number {
  return sum(replicaSets, specSize)
}

/** The next size of the new ReplicaSet (whose size is `current`), given the size of all. */
export function nextNewSize(spec: DeploymentSpec, current: number, total: number): number {
  const replicas = replicasOf(spec)
  if (current >= replicas) return replicas
  const room = replicas + fenceposts(spec).surge - total
  return current + Math.max(0, Math.min(room, replicas - current))
}

/**
 * What the old ReplicaSets lose now: first pods that are not available (they serve nobody), then available ones as
 * long as enough stay. Oldest ReplicaSets first.
 */
export function shrinkOld(
  spec: DeploymentSpec,
  fresh: ReplicaSetObject,
  old: readonly ReplicaSetObject[],
): readonly Resize[] {
  const minimum = replicasOf(spec) - fenceposts(spec).unavailable
  const freshUnavailable = specSize(fresh) - available(fresh)
  const budget = totalSize([fresh, ...old]) - minimum - freshUnavailable
  if (budget <= 0) return []
  const before = new Map(old.toSorted(byCreation).map((replicaSet) => [replicaSet, specSize(replicaSet)]))
  const healthy = take(before, budget, (replicaSet, size) => size - available(replicaSet))
  const after = take(healthy, sum([fresh, ...old], available) - minimum, (_replicaSet, size) => size)
  return [...changes(before, healthy), ...changes(healthy, after)]
}

type Sizes = ReadonlyMap<ReplicaSetObject, number>

/** Takes up to `budget` pods, from each ReplicaSet as many as `most` allows. */
function take(sizes: Sizes, budget: number, most: (replicaSet: ReplicaSetObject, size: number) => number): Sizes {
  let left = budget
  const after = [...sizes].map(([replicaSet, size]) => {
    const taken = Math.max(0, Math.min(left, most(replicaSet, size)))
    left -= taken
    return [replicaSet, size - taken] as const
  })
  return new Map(after)
}

function changes(before: Sizes, after: Sizes): readonly Resize[] {
  return [...after]
    .filter(([replicaSet, replicas]) => before.get(replicaSet) !== replicas)
    .map(([replicaSet, replicas]) => ({ replicaSet, replicas }))
}

/** True when `spec.replicas` is not what the active ReplicaSets were last told: a scaling, which goes before any rollout step. */
export function isScaling(deployment: DeploymentObject, replicaSets: readonly ReplicaSetObject[]): boolean {
  return replicaSets.some((replicaSet) => {
    const told = replicaSet.metadata.annotations?.[DESIRED_REPLICAS]
    return specSize(replicaSet) > 0 && told !== undefined && Number(told) !== replicasOf(deployment.spec)
  })
}

/** What a scaling writes: the one active ReplicaSet is set; several share the change in proportion to their size. */
export function scale(deployment: DeploymentObject, replicaSets: readonly ReplicaSetObject[]): readonly Resize[] {
  const replicas = replicasOf(deployment.spec)
  const fresh = currentReplicaSet(deployment, replicaSets)
  const only = onlyActive(replicaSets, fresh)
  if (only === 'several') return scaleSeveral(deployment, replicaSets, fresh)
  if (only === undefined || specSize(only) === replicas) return []
  return [{ replicaSet: only, replicas }]
}

/** The one ReplicaSet that has pods; without any, the new one or the newest. */
function onlyActive(
  replicaSets: readonly ReplicaSetObject[],
  fresh: ReplicaSetObject | undefined,
): ReplicaSetObject | 'several' | undefined {
  const active = replicaSets.filter((replicaSet) => specSize(replicaSet) > 0)
  if (active.length > 1) return 'several'
  return active[0] ?? fresh ?? replicaSets.toSorted(byCreation).at(-1)
}

function scaleSeveral(
  deployment: DeploymentObject,
  replicaSets: readonly ReplicaSetObject[],
  fresh: ReplicaSetObject | undefined,
): readonly Resize[] {
  const active = replicaSets.filter((replicaSet) => specSize(replicaSet) > 0)
  if (fresh !== undefined && isSaturated(deployment, fresh)) {
    return active.filter((replicaSet) => replicaSet !== fresh).map((replicaSet) => ({ replicaSet, replicas: 0 }))
  }
  return isRollingUpdate(deployment.spec) ? proportionally(deployment, active) : []
}

function isSaturated(deployment: DeploymentObject, replicaSet: ReplicaSetObject): boolean {
  const replicas = replicasOf(deployment.spec)
  return (
    specSize(replicaSet) === replicas &&
    Number(replicaSet.metadata.annotations?.[DESIRED_REPLICAS]) === replicas &&
    (replicaSet.status?.availableReplicas ?? 0) === replicas
  )
}

/** Every active ReplicaSet is returned, changed or not: each has to be told the new size of the Deployment. */
function proportionally(deployment: DeploymentObject, active: readonly ReplicaSetObject[]): readonly Resize[] {
  const replicas = replicasOf(deployment.spec)
  const allowed = replicas > 0 ? replicas + fenceposts(deployment.spec).surge : 0
  const change = allowed - totalSize(active)
  const order = active.toSorted(
    (left, right) =>
      specSize(right) - specSize(left) || (change > 0 ? byCreation(right, left) : byCreation(left, right)),
  )
  let given = 0
  const sizes = order.map((replicaSet) => {
    const left = change - given
    const share = proportion(deployment, replicaSet)
    const part = change > 0 ? Math.max(0, Math.min(share, left)) : Math.min(0, Math.max(share, left))
    given += part
    return specSize(replicaSet) + part
  })
  return order.map((replicaSet, index) => ({
    replicaSet,
    replicas: Math.max(0, (sizes[index] ?? 0) + (index === 0 ? change - given : 0)),
  }))
}

/** The change that keeps a ReplicaSet's share of the whole. */
function proportion(deployment: DeploymentObject, replicaSet: ReplicaSetObject): number {
  const replicas = replicasOf(deployment.spec)
  const size = specSize(replicaSet)
  if (replicas === 0) return -size
  const before = Number(replicaSet.metadata.annotations?.[MAX_REPLICAS]) || (deployment.status?.replicas ?? 0)
  if (before === 0) return 0
  return Math.round((size * (replicas + fenceposts(deployment.spec).surge)) / before) - size
}
