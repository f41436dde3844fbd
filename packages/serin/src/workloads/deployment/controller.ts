import type { DeploymentObject, DeploymentStatus, ReplicaSetObject } from '../../resources/kubernetes/types.ts'
import { StoreError } from '../../store/store.ts'
import { isGone, keyOf, parseKey } from '../cache.ts'
import { withCondition } from '../conditions.ts'
import { EventRecorder } from '../events.ts'
import { adopted, claim, controllerOf, isControlledBy, released } from '../owners.ts'
import { WorkQueue } from '../queue.ts'
import { isOrdinary, messageOf, type Controller, type Room } from '../room.ts'
import { selectorMatches } from '../selector.ts'
import { decide, type Step } from './decide.ts'
import { REVISION, templateText } from './revisions.ts'
import { progressing } from './status.ts'

/** The Deployment controller: sees changes, asks `decide`, writes. */

export function startDeploymentController(room: Room): Controller {
  const events = new EventRecorder({
    store: room.store,
    component: 'deployment-controller',
    onError: (error) => room.log('warn', `deployment event: ${messageOf(error)}`),
  })
  const queue = new WorkQueue({
    sync: (key) => syncDeployment(room, events, key),
    onError: (key, error) => {
      if (!isOrdinary(error)) room.log('warn', `deployment ${key}: ${messageOf(error)}`)
    },
  })
  watch(room, queue)
  return {
    isIdleIn: (namespace) => queue.isIdleIn(namespace) && events.isIdleIn(namespace),
    stop: async () => {
      await queue.stop()
      await events.flushed()
    },
  }
}

function watch(room: Room, queue: WorkQueue): void {
  room.deployments.onChange(({ object }) => queue.add(keyOf(object)))
  room.replicaSets.onChange(({ object, previous }) => {
    for (const replicaSet of previous === undefined ? [object] : [object, previous]) {
      const owner = controllerOf(replicaSet)
      if (owner?.kind === 'Deployment') queue.add(`${replicaSet.metadata.namespace ?? ''}/${owner.name}`)
      else if (owner === undefined) addMatching(room, queue, replicaSet)
    }
  })
  // Recreate waits for the last pod of the old templates to be gone.
  room.pods.onChange((change) => {
    if (change.type !== 'DELETED') return
    const owner = controllerOf(change.object)
    const replicaSet = room.replicaSets.get({
      namespace: change.object.metadata.namespace ?? '',
      name: owner?.name ?? '',
    })
    const deployment = replicaSet === undefined ? undefined : controllerOf(replicaSet)
    if (deployment !== undefined) queue.add(`${change.object.metadata.namespace ?? ''}/${deployment.name}`)
  })
}

/** An orphan may be somebody's. */
function addMatching(room: Room, queue: WorkQueue, replicaSet: ReplicaSetObject): void {
  for (const deployment of room.deployments.list(replicaSet.metadata.namespace)) {
    if (selectorMatches(deployment.spec.selector, replicaSet.metadata.labels)) queue.add(keyOf(deployment))
  }
}

async function syncDeployment(room: Room, events: EventRecorder, key: string): Promise<number | undefined> {
  await Promise.all([room.deployments.caughtUp(), room.replicaSets.caughtUp()])
  const deployment = room.deployments.get(parseKey(key))
  if (deployment === undefined) return undefined
  const replicaSets = await claimReplicaSets(room, deployment)
  const pods = replicaSets.flatMap((replicaSet) => room.podsOf(replicaSet.metadata.uid ?? ''))
  const decision = decide({ deployment, replicaSets, pods, now: Date.now() })
  const told = await carryOut({ room, events, deployment }, decision.steps)
  const { status, revision } = decision
  if (status !== undefined || revision !== undefined) await writeStatus(room, told, status, revision)
  return decision.recheckMs
}

async function claimReplicaSets(room: Room, deployment: DeploymentObject): Promise<readonly ReplicaSetObject[]> {
  const candidates = room.replicaSetsIn(deployment.metadata.namespace ?? '')
  const claimed = claim(deployment, candidates, (replicaSet) =>
    selectorMatches(deployment.spec.selector, replicaSet.metadata.labels),
  )
  const taken = await Promise.all(
    claimed.adopt.map((replicaSet) =>
      room.replicaSets.update({ ...replicaSet, metadata: adopted(replicaSet.metadata, deployment) }),
    ),
  )
  await Promise.all(
    claimed.release.map((replicaSet) =>
      room.replicaSets.update({ ...replicaSet, metadata: released(replicaSet.metadata, deployment) }),
    ),
  )
  return [...claimed.own.filter((entry) => !claimed.adopt.includes(entry)), ...taken]
}

interface Work {
  readonly room: Room
  readonly events: EventRecorder
  readonly deployment: DeploymentObject
}

/** Gives the Deployment as it was written last. */
async function carryOut(work: Work, steps: readonly Step[]): Promise<DeploymentObject> {
  /** A ReplicaSet that is written twice in one look: the second write builds on the first. */
  const versions = new Map<string, string>()
  let { deployment } = work
  for (const step of steps) {
    if (step.do === 'tell') {
      deployment = (await writeStatus(work.room, deployment, step.status, step.revision)) ?? deployment
      continue
    }
    const { name } = step.replicaSet.metadata
    if (step.do === 'delete') {
      await work.room.replicaSets.delete(step.replicaSet, { propagation: 'Background' })
      continue
    }
    const made =
      step.do === 'create' ? await create(work, step.replicaSet) : await update(work, step.replicaSet, versions)
    versions.set(name, made.metadata.resourceVersion ?? '')
    if (step.event !== undefined) {
      work.events.tell({ about: work.deployment, reason: 'ScalingReplicaSet', message: step.event })
    }
  }
  return deployment
}

async function update(
  { room }: Work,
  replicaSet: ReplicaSetObject,
  versions: ReadonlyMap<string, string>,
): Promise<ReplicaSetObject> {
  const version = versions.get(replicaSet.metadata.name)
  const metadata = version === undefined ? replicaSet.metadata : { ...replicaSet.metadata, resourceVersion: version }
  return room.replicaSets.update({ ...replicaSet, metadata })
}

async function create(work: Work, replicaSet: ReplicaSetObject): Promise<ReplicaSetObject> {
  const { room, deployment } = work
  try {
    return await room.replicaSets.create(replicaSet)
  } catch (error) {
    if (error instanceof StoreError && error.reason === 'AlreadyExists')
      return resolveCollision(work, replicaSet, error)
    await tellCreateError(room, deployment, replicaSet, error)
    throw error
  }
}

/** The name is taken: by our own that was not yet seen, or by a stranger with the same hash; then the hash gets a new salt. */
async function resolveCollision(
  { room, deployment }: Work,
  replicaSet: ReplicaSetObject,
  error: StoreError,
): Promise<ReplicaSetObject> {
  const { namespace = '', name } = replicaSet.metadata
  const there = room.replicaSets.get({ namespace, name })
  const ours =
    there !== undefined &&
    isControlledBy(there, deployment) &&
    templateText(there.spec.template) === templateText(replicaSet.spec.template)
  if (there === undefined || ours) throw error
  const collisionCount = (deployment.status?.collisionCount ?? 0) + 1
  await room.deployments.updateStatus({ ...deployment, status: { ...deployment.status, collisionCount } })
  throw error
}

async function tellCreateError(
  room: Room,
  deployment: DeploymentObject,
  replicaSet: ReplicaSetObject,
  error: unknown,
): Promise<void> {
  const now = Date.now()
  const failure = progressing('ReplicaSetCreateError', replicaSet.metadata.name, now)
  const condition = { ...failure, message: `${failure.message ?? ''}: ${messageOf(error)}` }
  const conditions = [...withCondition(deployment.status?.conditions ?? [], condition)]
  await room.deployments.updateStatus({ ...deployment, status: { ...deployment.status, conditions } })
}

/** The revision goes along with the status, as the original controller writes it. Undefined when the Deployment is gone. */
async function writeStatus(
  room: Room,
  deployment: DeploymentObject,
  status: DeploymentStatus | undefined,
  revision: string | undefined,
): Promise<DeploymentObject | undefined> {
  const annotations =
    revision === undefined ? {} : { annotations: { ...deployment.metadata.annotations, [REVISION]: revision } }
  const metadata = { ...deployment.metadata, ...annotations }
  try {
    const written = await room.deployments.updateStatus({
      ...deployment,
      metadata,
      ...(status === undefined ? {} : { status }),
    })
    if (revision === undefined || written.metadata.annotations?.[REVISION] === revision) return written
    // Over a real API server a status write may leave annotations alone.
    const { namespace = '', name } = deployment.metadata
    return await room.deployments.merge({ namespace, name }, { metadata: { annotations: { [REVISION]: revision } } })
  } catch (error) {
    if (!isGone(error)) throw error
    return undefined
  }
}
