import { isRollingUpdate, replicasOf } from '../percent.ts'
import { findCondition, withCondition } from '../conditions.ts'
import { isScaling, nextNewSize, scale, shrinkOld, specSize, totalSize, type Resize } from './sizes.ts'
import {
  asCurrent,
  byCreation,
  currentReplicaSet,
  newReplicaSet,
  REVISION,
  revisionOf,
  sizeAnnotations,
} from './revisions.ts'
import {
  countedStatus,
  deadlineMs,
  deadlineRecheckMs,
  isComplete,
  pauseConditions,
  progressing,
  rolloutStatus,
  sameStatus,
  type Situation,
} from './status.ts'
import type {
  Condition,
  DeploymentObject,
  DeploymentStatus,
  PodObject,
  ReplicaSetObject,
} from '../../resources/kubernetes/types.ts'

/**
 * One look at a Deployment: what has to be written next. Pure; the controller does what is decided and looks again
 * when something has changed. At most one of "grow the new" and "shrink the old" happens in one look, but a ReplicaSet
 * that is created may be followed by a shrinking (rule 1.2 of the reference).
 */

export type Step =
  | { readonly do: 'create'; readonly replicaSet: ReplicaSetObject; readonly event?: string }
  | { readonly do: 'update'; readonly replicaSet: ReplicaSetObject; readonly event?: string }
  | { readonly do: 'delete'; readonly replicaSet: ReplicaSetObject }
  /** Told before the next step: a new ReplicaSet was made, and what revision it is. */
  | { readonly do: 'tell'; readonly status: DeploymentStatus; readonly revision: string }

export interface Decision {
  readonly steps: readonly Step[]
  /** Absent when it stays as it is. */
  readonly status?: DeploymentStatus
  /** The Deployment's revision annotation, when it has to change. */
  readonly revision?: string
  /** Look again after this time though nothing may have happened. */
  readonly recheckMs?: number
}

export interface Observed {
  readonly deployment: DeploymentObject
  /** The Deployment's own. */
  readonly replicaSets: readonly ReplicaSetObject[]
  /** The pods of those ReplicaSets, terminating ones too. */
  readonly pods: readonly PodObject[]
  readonly now: number
}

export function decide(observed: Observed): Decision {
  const sync = new Sync(observed)
  if (observed.deployment.metadata.deletionTimestamp !== undefined) return sync.counted()
  if (observed.deployment.spec.paused === true || isScaling(observed.deployment, observed.replicaSets)) {
    return scaleOnly(sync)
  }
  return isRollingUpdate(observed.deployment.spec) ? roll(sync) : recreate(sync)
}

function scaleOnly(sync: Sync): Decision {
  sync.refreshCurrent()
  for (const resize of scale(sync.deployment, sync.all)) sync.resize(resize)
  if (sync.deployment.spec.paused === true) sync.cleanUp()
  return sync.counted()
}

function roll(sync: Sync): Decision {
  const fresh = sync.refreshCurrent() ?? sync.create()
  const size = nextNewSize(sync.deployment.spec, specSize(fresh), totalSize(sync.all))
  if (size !== specSize(fresh)) {
    sync.resize({ replicaSet: fresh, replicas: size })
    return sync.rollout()
  }
  const shrinking = shrinkOld(sync.deployment.spec, fresh, sync.old())
  for (const resize of shrinking) sync.resize(resize)
  if (shrinking.length === 0 && isComplete(sync.deployment, sync.deployment.status)) sync.cleanUp()
  return sync.rollout()
}

function recreate(sync: Sync): Decision {
  sync.refreshCurrent()
  const running = sync.old().filter((replicaSet) => specSize(replicaSet) > 0)
  for (const replicaSet of running) sync.resize({ replicaSet, replicas: 0 })
  if (running.length > 0 || sync.oldPodsExist()) return sync.rollout()
  const fresh = sync.fresh() ?? sync.create()
  sync.resize({ replicaSet: fresh, replicas: replicasOf(sync.deployment.spec) })
  if (isComplete(sync.deployment, sync.deployment.status)) sync.cleanUp()
  return sync.rollout()
}

/** The ReplicaSets as they will be, and the steps that lead there. */
class Sync {
  readonly deployment: DeploymentObject
  all: ReplicaSetObject[]
  private readonly steps: Step[] = []
  private readonly pods: readonly PodObject[]
  private readonly now: number
  private conditions: readonly Condition[]
  private revision: string | undefined

  constructor({ deployment, replicaSets, pods, now }: Observed) {
    this.deployment = deployment
    this.all = [...replicaSets]
    this.pods = pods
    this.now = now
    this.conditions =
      deployment.metadata.deletionTimestamp === undefined
        ? pauseConditions(deployment, now)
        : (deployment.status?.conditions ?? [])
  }

  fresh(): ReplicaSetObject | undefined {
    return currentReplicaSet(this.deployment, this.all)
  }

  old(): readonly ReplicaSetObject[] {
    const fresh = this.fresh()
    return this.all.filter((replicaSet) => replicaSet !== fresh)
  }

  /** Gives the ReplicaSet of the current template the highest revision and the Deployment's annotations, if there is one. */
  refreshCurrent(): ReplicaSetObject | undefined {
    const found = this.fresh()
    if (found === undefined) return undefined
    const current = asCurrent(this.deployment, found, this.nextRevision())
    if (current !== found) this.replace(found, current)
    this.takeRevision(current)
    this.tellFirstProgress('FoundNewReplicaSet', current)
    return current
  }

  /** Makes the ReplicaSet of the current template, at its first size. */
  create(): ReplicaSetObject {
    const bare = asCurrent(this.deployment, newReplicaSet(this.deployment), this.nextRevision())
    const replicas = nextNewSize(this.deployment.spec, 0, totalSize(this.all))
    const made: ReplicaSetObject = {
      ...bare,
      metadata: {
        ...bare.metadata,
        annotations: { ...bare.metadata.annotations, ...sizeAnnotations(this.deployment) },
      },
      spec: { ...bare.spec, replicas },
    }
    const event = replicas > 0 ? { event: scaled('up', made.metadata.name, 0, replicas) } : {}
    this.steps.push({ do: 'create', replicaSet: made, ...event })
    this.all.push(made)
    this.takeRevision(made)
    if (deadlineMs(this.deployment.spec) !== undefined) {
      this.conditions = withCondition(
        this.conditions,
        progressing('NewReplicaSetCreated', made.metadata.name, this.now),
      )
    }
    this.tellCreation(made)
    return made
  }

  private tellCreation(made: ReplicaSetObject): void {
    const status = { ...this.deployment.status, conditions: [...this.conditions] }
    this.steps.push({ do: 'tell', status, revision: made.metadata.annotations?.[REVISION] ?? '' })
  }

  /** Sets a size, and tells the ReplicaSet the size of the Deployment; nothing is written when both stand already. */
  resize({ replicaSet, replicas }: Resize): void {
    // The object may have been replaced by an earlier step of this sync: the latest of that name counts.
    const current = this.all.find((entry) => entry.metadata.name === replicaSet.metadata.name) ?? replicaSet
    const before = specSize(current)
    const annotations = { ...current.metadata.annotations, ...sizeAnnotations(this.deployment) }
    const told = Object.entries(annotations).every(([key, value]) => current.metadata.annotations?.[key] === value)
    if (before === replicas && told) return
    const next = {
      ...current,
      metadata: { ...current.metadata, annotations },
      spec: { ...current.spec, replicas },
    }
    const direction = replicas > before ? 'up' : 'down'
    const event = replicas === before ? undefined : scaled(direction, current.metadata.name, before, replicas)
    this.replace(current, next, event)
  }

  /** Deletes the oldest ReplicaSets without pods that the history has no place for. */
  cleanUp(): void {
    const limit = this.deployment.spec.revisionHistoryLimit ?? 10
    const old = this.old().filter((replicaSet) => replicaSet.metadata.deletionTimestamp === undefined)
    const surplus = old
      .toSorted((left, right) => revisionOf(left) - revisionOf(right) || byCreation(left, right))
      .slice(0, Math.max(0, old.length - limit))
    for (const replicaSet of surplus) {
      const observed = (replicaSet.status?.observedGeneration ?? 0) >= (replicaSet.metadata.generation ?? 0)
      if (specSize(replicaSet) !== 0 || (replicaSet.status?.replicas ?? 0) !== 0 || !observed) continue
      this.steps.push({ do: 'delete', replicaSet })
    }
  }

  /** Recreate waits for the last pod of the old templates, terminating ones included. */
  oldPodsExist(): boolean {
    const old = this.old()
    if (old.some((replicaSet) => (replicaSet.status?.replicas ?? 0) > 0)) return true
    const fresh = this.fresh()?.metadata.uid
    return this.pods.some((pod) => {
      const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller === true)?.uid
      return owner !== fresh && pod.status?.phase !== 'Failed' && pod.status?.phase !== 'Succeeded'
    })
  }

  counted(): Decision {
    return this.decision(countedStatus(this.situation()))
  }

  rollout(): Decision {
    return this.decision(rolloutStatus(this.situation()))
  }

  private situation(): Situation {
    const { deployment, conditions, all, now } = this
    return { deployment, conditions, fresh: this.fresh(), all, now }
  }

  private decision(status: DeploymentStatus): Decision {
    const recheckMs = deadlineRecheckMs(this.deployment, status, this.now)
    return {
      steps: this.steps,
      ...(sameStatus(this.deployment.status, status) ? {} : { status }),
      ...(this.revision === undefined ? {} : { revision: this.revision }),
      ...(recheckMs === undefined ? {} : { recheckMs }),
    }
  }

  private nextRevision(): number {
    return Math.max(0, ...this.old().map(revisionOf)) + 1
  }

  private takeRevision(replicaSet: ReplicaSetObject): void {
    const revision = replicaSet.metadata.annotations?.[REVISION]
    if (revision !== this.deployment.metadata.annotations?.[REVISION]) this.revision = revision
  }

  private tellFirstProgress(reason: 'FoundNewReplicaSet', replicaSet: ReplicaSetObject): void {
    if (deadlineMs(this.deployment.spec) === undefined) return
    if (findCondition(this.conditions, 'Progressing') !== undefined) return
    this.conditions = withCondition(this.conditions, progressing(reason, replicaSet.metadata.name, this.now))
  }

  /** Two changes of one ReplicaSet's annotations become one write; every change of a size is a write of its own. */
  private replace(before: ReplicaSetObject, after: ReplicaSetObject, event?: string): void {
    this.all = this.all.map((entry) => (entry === before ? after : entry))
    this.steps.push({ do: 'update', replicaSet: after, ...(event === undefined ? {} : { event }) })
  }
}

function scaled(direction: 'up' | 'down', name: string, from: number, to: number): string {
  return `Scaled ${direction} replica set ${name} from ${String(from)} to ${String(to)}`
}
