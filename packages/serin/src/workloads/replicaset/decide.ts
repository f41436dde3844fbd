import { isDeepStrictEqual } from 'node:util'
import { PODS_PER_SYNC_MAX } from '../limits.ts'
import { replicasOf } from '../percent.ts'
import { findCondition, timestamp, withCondition, withoutCondition } from '../conditions.ts'
import { claim, controllerReference } from '../owners.ts'
import { selectorMatches } from '../selector.ts'
import { availableInMs, isActive, isReady } from '../pods/facts.ts'
import { removalOrder } from './rank.ts'
import type { PodObject, ReplicaSetObject, ReplicaSetStatus } from '../../resources/kubernetes/types.ts'

/**
 * One look at a ReplicaSet: which pods it takes, lets go, makes and removes, and what it says about itself. Pure.
 * Source: Kubernetes' ReplicaSet controller.
 */

export interface Observed {
  readonly replicaSet: ReplicaSetObject
  /** Of the same namespace. */
  readonly pods: readonly PodObject[]
  readonly now: number
}

export interface Decision {
  readonly adopt: readonly PodObject[]
  readonly release: readonly PodObject[]
  /** Pods to make. */
  readonly create: number
  /** Pods to delete, in order. */
  readonly remove: readonly PodObject[]
  /** The counts, of the pods as they were seen: what is made and removed now shows in the next look. */
  readonly status: ReplicaSetStatus
  /** When the next pod becomes available by the passing of time. */
  readonly recheckMs?: number
}

export function decide({ replicaSet, pods, now }: Observed): Decision {
  const candidates = pods.filter(isActive)
  const { own, adopt, release } = claim(replicaSet, candidates, (pod) =>
    selectorMatches(replicaSet.spec.selector, pod.metadata.labels),
  )
  const frozen = replicaSet.metadata.deletionTimestamp !== undefined
  const missing = frozen ? 0 : replicasOf(replicaSet.spec) - own.length
  const recheckMs = nextAvailable(replicaSet, own, now)
  return {
    adopt,
    release,
    create: Math.min(PODS_PER_SYNC_MAX, Math.max(0, missing)),
    remove: missing < 0 ? removalOrder(own).slice(0, Math.min(PODS_PER_SYNC_MAX, -missing)) : [],
    status: count(replicaSet, own, now),
    ...(recheckMs === undefined ? {} : { recheckMs }),
  }
}

function count(replicaSet: ReplicaSetObject, own: readonly PodObject[], now: number): ReplicaSetStatus {
  const minReady = replicaSet.spec.minReadySeconds ?? 0
  const wanted = Object.entries(replicaSet.spec.template.metadata?.labels ?? {})
  const labelled = own.filter((pod) => wanted.every(([key, value]) => pod.metadata.labels?.[key] === value))
  const counts = {
    fullyLabeledReplicas: labelled.length,
    readyReplicas: own.filter(isReady).length,
    availableReplicas: own.filter((pod) => availableInMs(pod, minReady, now) === 0).length,
    observedGeneration: replicaSet.metadata.generation ?? 0,
  }
  const conditions = replicaSet.status?.conditions
  return {
    replicas: own.length,
    ...Object.fromEntries(Object.entries(counts).filter(([, value]) => value !== 0)),
    ...(conditions === undefined ? {} : { conditions }),
  }
}

function nextAvailable(replicaSet: ReplicaSetObject, own: readonly PodObject[], now: number): number | undefined {
  const waits = own
    .map((pod) => availableInMs(pod, replicaSet.spec.minReadySeconds ?? 0, now) ?? 0)
    .filter((wait) => wait > 0)
  return waits.length === 0 ? undefined : Math.min(...waits)
}

/** The status with the outcome of making and removing: a failure stays until one look goes well. */
export function withOutcome(
  status: ReplicaSetStatus,
  outcome: { readonly failed?: 'FailedCreate' | 'FailedDelete'; readonly message?: string; readonly now: number },
): ReplicaSetStatus {
  const { conditions: before = [], ...counts } = status
  const conditions =
    outcome.failed === undefined
      ? withoutCondition(before, 'ReplicaFailure')
      : findCondition(before, 'ReplicaFailure') === undefined
        ? withCondition(before, {
            type: 'ReplicaFailure',
            status: 'True',
            lastTransitionTime: timestamp(outcome.now),
            reason: outcome.failed,
            message: outcome.message ?? '',
          })
        : before
  return conditions.length === 0 ? counts : { ...counts, conditions: [...conditions] }
}

export function sameStatus(left: ReplicaSetStatus | undefined, right: ReplicaSetStatus): boolean {
  return isDeepStrictEqual(left ?? {}, right)
}

/** A pod of the ReplicaSet's template, named by the API. */
export function podFor(replicaSet: ReplicaSetObject): PodObject {
  const { metadata = {}, spec } = replicaSet.spec.template
  const namespace = replicaSet.metadata.namespace
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: '',
      generateName: `${replicaSet.metadata.name}-`,
      ...(namespace === undefined ? {} : { namespace }),
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
      ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
      ...(metadata.finalizers === undefined ? {} : { finalizers: metadata.finalizers }),
      ownerReferences: [controllerReference(replicaSet)],
    },
    spec,
  }
}
