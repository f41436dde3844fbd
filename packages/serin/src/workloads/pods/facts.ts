import { findCondition } from '../conditions.ts'
import type { PodObject } from '../../resources/kubernetes/types.ts'

/** What other controllers ask about a pod. Pure. */

export function isTerminating(pod: PodObject): boolean {
  return pod.metadata.deletionTimestamp !== undefined
}

/** Has ended by itself, for good. */
export function isFinished(pod: PodObject): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

export function isActive(pod: PodObject): boolean {
  return !isTerminating(pod) && !isFinished(pod)
}

export function isReady(pod: PodObject): boolean {
  return findCondition(pod.status?.conditions, 'Ready')?.status === 'True'
}

/** Milliseconds since 1970; undefined while not ready. */
export function readySince(pod: PodObject): number | undefined {
  const condition = findCondition(pod.status?.conditions, 'Ready')
  if (condition?.status !== 'True') return undefined
  return Date.parse(condition.lastTransitionTime ?? '') || 0
}

/** In how many milliseconds a ready pod counts as available: 0 when it does, undefined when it is not ready. */
export function availableInMs(pod: PodObject, minReadySeconds: number, now: number): number | undefined {
  const since = readySince(pod)
  if (since === undefined) return undefined
  return minReadySeconds === 0 ? 0 : Math.max(0, since + minReadySeconds * 1000 - now)
}

export function restartsOf(pod: PodObject): number {
  return (pod.status?.containerStatuses ?? []).reduce((total, status) => total + status.restartCount, 0)
}
