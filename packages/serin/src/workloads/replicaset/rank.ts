import { isReady, readySince, restartsOf } from '../pods/facts.ts'
import type { PodObject } from '../../resources/kubernetes/types.ts'

/**
 * Which pods of a ReplicaSet go first when it shrinks: the least useful ones. Pure.
 * Source: Kubernetes' ReplicaSet controller (rule 1.2 of the reference); among equals the younger goes, without the random
 * choice that the original makes inside one order of magnitude of age.
 */

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost'
const PHASES: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 }

type Measure = (pod: PodObject) => number

/** Lower goes first; the next measure decides between equals. */
const MEASURES: readonly Measure[] = [
  (pod) => (pod.spec.nodeName === undefined || pod.spec.nodeName === '' ? 0 : 1),
  (pod) => PHASES[pod.status?.phase ?? 'Pending'] ?? 0,
  (pod) => (isReady(pod) ? 1 : 0),
  (pod) => Number(pod.metadata.annotations?.[DELETION_COST] ?? 0) || 0,
  (pod) => -(readySince(pod) ?? 0),
  (pod) => -restartsOf(pod),
  (pod) => -Date.parse(pod.metadata.creationTimestamp ?? ''),
]

export function removalOrder(pods: readonly PodObject[]): readonly PodObject[] {
  return pods.toSorted((left, right) => {
    for (const measure of MEASURES) {
      const order = measure(left) - measure(right)
      if (order !== 0 && !Number.isNaN(order)) return order
    }
    return left.metadata.name < right.metadata.name ? -1 : 1
  })
}
