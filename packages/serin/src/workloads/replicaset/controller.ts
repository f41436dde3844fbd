import type { PodObject, ReplicaSetObject } from '../../resources/kubernetes/types.ts'
import { StoreError } from '../../store/store.ts'
import { keyOf, parseKey } from '../cache.ts'
import { EventRecorder } from '../events.ts'
import { CREATES_AT_ONCE } from '../limits.ts'
import { adopted, controllerOf, released } from '../owners.ts'
import { WorkQueue } from '../queue.ts'
import { isOrdinary, messageOf, type Controller, type Room } from '../room.ts'
import { selectorMatches } from '../selector.ts'
import { decide, podFor, sameStatus, withOutcome, type Decision } from './decide.ts'

/** The ReplicaSet controller: sees changes, asks `decide`, makes and removes pods. */

export function startReplicaSetController(room: Room): Controller {
  const events = new EventRecorder({
    store: room.store,
    component: 'replicaset-controller',
    onError: (error) => room.log('warn', `replica set event: ${messageOf(error)}`),
  })
  const queue = new WorkQueue({
    sync: (key) => syncReplicaSet(room, events, key),
    onError: (key, error) => {
      if (!isOrdinary(error)) room.log('warn', `replica set ${key}: ${messageOf(error)}`)
    },
  })
  room.replicaSets.onChange(({ object }) => queue.add(keyOf(object)))
  room.pods.onChange(({ object, previous }) => {
    for (const pod of previous === undefined ? [object] : [object, previous]) addOwner(room, queue, pod)
  })
  return {
    isIdleIn: (namespace) => queue.isIdleIn(namespace) && events.isIdleIn(namespace),
    stop: async () => {
      await queue.stop()
      await events.flushed()
    },
  }
}

function addOwner(room: Room, queue: WorkQueue, pod: PodObject): void {
  const owner = controllerOf(pod)
  if (owner?.kind === 'ReplicaSet') queue.add(`${pod.metadata.namespace ?? ''}/${owner.name}`)
  if (owner !== undefined) return
  for (const replicaSet of room.replicaSetsIn(pod.metadata.namespace ?? '')) {
    if (selectorMatches(replicaSet.spec.selector, pod.metadata.labels)) queue.add(keyOf(replicaSet))
  }
}

async function syncReplicaSet(room: Room, events: EventRecorder, key: string): Promise<number | undefined> {
  await Promise.all([room.replicaSets.caughtUp(), room.pods.caughtUp()])
  const replicaSet = room.replicaSets.get(parseKey(key))
  if (replicaSet === undefined) return undefined
  const now = Date.now()
  const decision = decide({ replicaSet, pods: room.podsIn(replicaSet.metadata.namespace ?? ''), now })
  await takeAndRelease(room, replicaSet, decision)
  const outcome = await makeAndRemove({ room, events, replicaSet }, decision)
  const status = withOutcome(decision.status, { ...outcome, now })
  if (!sameStatus(replicaSet.status, status)) await room.replicaSets.updateStatus({ ...replicaSet, status })
  if (outcome.error !== undefined) throw outcome.error
  return decision.recheckMs
}

async function takeAndRelease(room: Room, replicaSet: ReplicaSetObject, { adopt, release }: Decision): Promise<void> {
  await Promise.all([
    ...adopt.map((pod) => room.pods.update({ ...pod, metadata: adopted(pod.metadata, replicaSet) })),
    ...release.map((pod) => room.pods.update({ ...pod, metadata: released(pod.metadata, replicaSet) })),
  ])
}

interface Work {
  readonly room: Room
  readonly events: EventRecorder
  readonly replicaSet: ReplicaSetObject
}

interface Outcome {
  readonly failed?: 'FailedCreate' | 'FailedDelete'
  readonly message?: string
  readonly error?: unknown
}

async function makeAndRemove(work: Work, { create, remove }: Decision): Promise<Outcome> {
  try {
    await createPods(work, create)
  } catch (error) {
    // In a namespace that is going away nothing can be made, and nothing needs to be.
    if (isNamespaceEnding(error)) return {}
    return { failed: 'FailedCreate', message: messageOf(error), error }
  }
  try {
    await Promise.all(remove.map((pod) => removePod(work, pod)))
  } catch (error) {
    return { failed: 'FailedDelete', message: messageOf(error), error }
  }
  return {}
}

/** In batches of 1, 2, 4 and then a few: what fails for one would fail for all. Throws the first error of the batch that has one. */
async function createPods(work: Work, count: number): Promise<void> {
  let left = count
  for (let batch = 1; left > 0; batch = Math.min(batch * 2, CREATES_AT_ONCE)) {
    const size = Math.min(batch, left)
    const outcomes = await Promise.allSettled(Array.from({ length: size }, () => createPod(work)))
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    left -= size
  }
}

async function createPod({ room, events, replicaSet }: Work): Promise<void> {
  try {
    const pod = await room.pods.create(podFor(replicaSet))
    events.tell({ about: replicaSet, reason: 'SuccessfulCreate', message: `Created pod: ${pod.metadata.name}` })
  } catch (error) {
    if (!isNamespaceEnding(error)) {
      const message = `Error creating: ${messageOf(error)}`
      events.tell({ about: replicaSet, type: 'Warning', reason: 'FailedCreate', message })
    }
    throw error
  }
}

async function removePod({ room, events, replicaSet }: Work, pod: PodObject): Promise<void> {
  try {
    await room.pods.delete(pod)
    events.tell({ about: replicaSet, reason: 'SuccessfulDelete', message: `Deleted pod: ${pod.metadata.name}` })
  } catch (error) {
    const message = `Error deleting: ${messageOf(error)}`
    events.tell({ about: replicaSet, type: 'Warning', reason: 'FailedDelete', message })
    throw error
  }
}

function isNamespaceEnding(error: unknown): boolean {
  return error instanceof StoreError && error.reason === 'Forbidden' && /being terminated/.test(error.message)
}
