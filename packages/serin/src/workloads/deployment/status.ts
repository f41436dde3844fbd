import { isDeepStrictEqual } from 'node:util'
import { fenceposts, replicasOf } from '../percent.ts'
import { findCondition, timestamp, withCondition, withoutCondition } from '../conditions.ts'
import { totalSize } from './sizes.ts'
import type {
  Condition,
  DeploymentObject,
  DeploymentSpec,
  DeploymentStatus,
  ReplicaSetObject,
} from '../../resources/kubernetes/types.ts'

/**
 * What a Deployment says about itself. Pure; the clock is an argument.
 * Source: Kubernetes' Deployment controller (rules 1.4 and 1.9 of the reference).
 */

/** `progressDeadlineSeconds` of this size means that there is none. */
const NO_DEADLINE_SECONDS = 2_147_483_647
const DEADLINE_SECONDS_DEFAULT = 600
/** Added to the deadline before looking again, so that it is surely over. */
const DEADLINE_MARGIN_MS = 1000

type ProgressReason =
  | 'NewReplicaSetCreated'
  | 'FoundNewReplicaSet'
  | 'ReplicaSetUpdated'
  | 'NewReplicaSetAvailable'
  | 'ProgressDeadlineExceeded'
  | 'ReplicaSetCreateError'
  | 'DeploymentPaused'
  | 'DeploymentResumed'

const PROGRESS: Readonly<Record<ProgressReason, readonly [Condition['status'], (name: string) => string]>> = {
  NewReplicaSetCreated: ['True', (name) => `Created new replica set "${name}"`],
  FoundNewReplicaSet: ['True', (name) => `Found new replica set "${name}"`],
  ReplicaSetUpdated: ['True', (name) => `ReplicaSet "${name}" is progressing.`],
  NewReplicaSetAvailable: ['True', (name) => `ReplicaSet "${name}" has successfully progressed.`],
  ProgressDeadlineExceeded: ['False', (name) => `ReplicaSet "${name}" has timed out progressing.`],
  ReplicaSetCreateError: ['False', (name) => `Failed to create new replica set ${name}`],
  DeploymentPaused: ['Unknown', () => 'Deployment is paused'],
  DeploymentResumed: ['Unknown', () => 'Deployment is resumed'],
}

export function progressing(reason: ProgressReason, name: string, now: number): Condition {
  const [status, message] = PROGRESS[reason]
  return condition('Progressing', status, reason, message(name), now)
}

function condition(type: string, status: Condition['status'], reason: string, message: string, now: number): Condition {
  return { type, status, lastUpdateTime: timestamp(now), lastTransitionTime: timestamp(now), reason, message }
}

/** Milliseconds, or undefined for none. */
export function deadlineMs(spec: DeploymentSpec): number | undefined {
  const seconds = spec.progressDeadlineSeconds ?? DEADLINE_SECONDS_DEFAULT
  return seconds === NO_DEADLINE_SECONDS ? undefined : seconds * 1000
}

/** The conditions after looking at `spec.paused`: the deadline does not run while paused, and one that passed stays. */
export function pauseConditions(deployment: DeploymentObject, now: number): readonly Condition[] {
  const conditions = deployment.status?.conditions ?? []
  if (deadlineMs(deployment.spec) === undefined) return conditions
  const reason = findCondition(conditions, 'Progressing')?.reason
  if (reason === 'ProgressDeadlineExceeded') return conditions
  const paused = deployment.spec.paused === true
  if (paused === (reason === 'DeploymentPaused')) return conditions
  return withCondition(conditions, progressing(paused ? 'DeploymentPaused' : 'DeploymentResumed', '', now))
}

/** All that is needed to say how a Deployment is. */
export interface Situation {
  readonly deployment: DeploymentObject
  /** As they stand after pausing, creation and so on in this sync. */
  readonly conditions: readonly Condition[]
  readonly fresh: ReplicaSetObject | undefined
  readonly all: readonly ReplicaSetObject[]
  readonly now: number
}

/** Counts, and whether enough is available. Nothing about progress: for scaling, pausing, deletion. */
export function countedStatus({ deployment, conditions, fresh, all, now }: Situation): DeploymentStatus {
  const { spec, status } = deployment
  const availableReplicas = sum(all, 'availableReplicas')
  const enough = availableReplicas >= replicasOf(spec) - fenceposts(spec).unavailable
  const available = enough
    ? condition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.', now)
    : condition(
        'Available',
        'False',
        'MinimumReplicasUnavailable',
        'Deployment does not have minimum availability.',
        now,
      )
  return withoutZeros({
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: sum(all, 'replicas'),
    updatedReplicas: fresh === undefined ? 0 : sum([fresh], 'replicas'),
    readyReplicas: sum(all, 'readyReplicas'),
    availableReplicas,
    unavailableReplicas: Math.max(0, totalSize(all) - availableReplicas),
    ...(status?.collisionCount === undefined ? {} : { collisionCount: status.collisionCount }),
    conditions: [...withCondition(conditions, available)],
  })
}

function sum(
  replicaSets: readonly ReplicaSetObject[],
  field: 'replicas' | 'readyReplicas' | 'availableReplicas',
): number {
  return replicaSets.reduce((total, replicaSet) => total + (replicaSet.status?.[field] ?? 0), 0)
}

/** The API writes no zeros in a status. */
function withoutZeros(status: DeploymentStatus): DeploymentStatus {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== 0))
}

/** The whole status: counts, progress, deadline, and the failure of a ReplicaSet to make its pods. */
export function rolloutStatus(situation: Situation): DeploymentStatus {
  const counted = countedStatus(situation)
  const progressed = progressConditions(situation, counted)
  const failure = firstFailure(situation)
  const conditions =
    failure === undefined ? withoutCondition(progressed, 'ReplicaFailure') : withCondition(progressed, failure)
  return { ...counted, conditions: [...conditions] }
}

function progressConditions(situation: Situation, counted: DeploymentStatus): readonly Condition[] {
  const { deployment, fresh, now } = situation
  const conditions = counted.conditions ?? []
  if (deadlineMs(deployment.spec) === undefined) return withoutCondition(conditions, 'Progressing')
  const current = findCondition(conditions, 'Progressing')
  const settled =
    (counted.replicas ?? 0) === (counted.updatedReplicas ?? 0) && current?.reason === 'NewReplicaSetAvailable'
  if (settled) return conditions
  const name = fresh?.metadata.name ?? deployment.metadata.name
  if (isComplete(deployment, counted))
    return withCondition(conditions, progressing('NewReplicaSetAvailable', name, now))
  if (hasProgressed(deployment.status ?? {}, counted))
    return refreshed(conditions, progressing('ReplicaSetUpdated', name, now))
  if (isTimedOut(situation, current))
    return withCondition(conditions, progressing('ProgressDeadlineExceeded', name, now))
  return conditions
}

/** Progress moves lastUpdateTime, from where the deadline counts, even when nothing else about the condition changes. */
function refreshed(conditions: readonly Condition[], next: Condition): readonly Condition[] {
  const current = findCondition(conditions, 'Progressing')
  const kept =
    current?.status === 'True' && current.lastTransitionTime != null
      ? { ...next, lastTransitionTime: current.lastTransitionTime }
      : next
  return withCondition(withoutCondition(conditions, 'Progressing'), kept)
}

export function isComplete(deployment: DeploymentObject, status: DeploymentStatus | undefined): boolean {
  const replicas = replicasOf(deployment.spec)
  return (
    (status?.updatedReplicas ?? 0) === replicas &&
    (status?.replicas ?? 0) === replicas &&
    (status?.availableReplicas ?? 0) === replicas &&
    (status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  )
}

function hasProgressed(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus): number => (status.replicas ?? 0) - (status.updatedReplicas ?? 0)
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  )
}

/** Something that was complete does not time out when its pods die later; nor does something paused. */
function isTimedOut({ deployment, now }: Situation, current: Condition | undefined): boolean {
  const limit = deadlineMs(deployment.spec)
  if (limit === undefined || current === undefined || current.reason === 'NewReplicaSetAvailable') return false
  if (current.reason === 'ProgressDeadlineExceeded') return true
  return Date.parse(current.lastUpdateTime ?? '') + limit < now
}

/** The new ReplicaSet's trouble before the others'. */
function firstFailure({ fresh, all }: Situation): Condition | undefined {
  const order = fresh === undefined ? all : [fresh, ...all]
  const failure = order
    .map((replicaSet) => findCondition(replicaSet.status?.conditions, 'ReplicaFailure'))
    .find((entry) => entry !== undefined)
  if (failure === undefined) return undefined
  return { ...failure, lastUpdateTime: failure.lastTransitionTime ?? '' }
}

/** In how many milliseconds the deadline has to be looked at, when nothing else happens; undefined when it does not run. */
export function deadlineRecheckMs(
  deployment: DeploymentObject,
  status: DeploymentStatus,
  now: number,
): number | undefined {
  const limit = deadlineMs(deployment.spec)
  const current = findCondition(status.conditions, 'Progressing')
  if (limit === undefined || current === undefined || deployment.spec.paused === true) return undefined
  if (isComplete(deployment, status) || current.reason === 'ProgressDeadlineExceeded') return undefined
  if (current.reason === 'NewReplicaSetAvailable') return undefined
  return Math.max(0, Date.parse(current.lastUpdateTime ?? '') + limit - now) + DEADLINE_MARGIN_MS
}

export function sameStatus(left: DeploymentStatus | undefined, right: DeploymentStatus): boolean {
  return isDeepStrictEqual(left ?? {}, right)
}
