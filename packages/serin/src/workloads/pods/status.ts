import type {
  Condition,
  Container,
  ContainerState,
  ContainerStatus,
  PodObject,
  PodPhase,
  PodStatus,
} from '../../resources/kubernetes/types.ts'
import { findCondition, timestamp } from '../conditions.ts'
import { qosClass } from './quantity.ts'
import { terminationReason, type Role } from './restarts.ts'

/** What a pod says about itself, from what its containers do. Pure. Source: Kubernetes, "Pod Lifecycle". */

export type ContainerPhase =
  | { readonly name: 'waiting'; readonly reason: string; readonly message?: string }
  | {
      readonly name: 'running'
      readonly startedAt: number
      readonly id: string
      readonly started: boolean
      readonly ready: boolean
    }
  | Termination

export interface Termination {
  readonly name: 'terminated'
  readonly exitCode: number
  readonly signal?: number
  readonly reason?: string
  readonly message?: string
  readonly startedAt: number
  readonly finishedAt: number
  readonly id: string
}

export interface ContainerView {
  readonly container: Container
  readonly role: Role
  readonly phase: ContainerPhase
  readonly last: Termination | undefined
  readonly restarts: number
  readonly imageId: string
  /** It will not be started again. */
  readonly isDone: boolean
}

export interface PodView {
  readonly pod: PodObject
  readonly containers: readonly ContainerView[]
  readonly hostIP: string
  readonly podIP: string
  readonly startTime: number
  readonly now: number
}

export function statusOf(view: PodView): PodStatus {
  const { pod, containers, hostIP, podIP, startTime } = view
  const init = containers.filter(({ role }) => role !== 'main')
  const main = containers.filter(({ role }) => role === 'main')
  const phase = phaseOf(view)
  return {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    phase,
    conditions: conditionsOf(view, phase),
    hostIP,
    hostIPs: [{ ip: hostIP }],
    podIP,
    podIPs: [{ ip: podIP }],
    startTime: timestamp(startTime),
    ...(init.length === 0 ? {} : { initContainerStatuses: init.map(containerStatus) }),
    containerStatuses: main.map(containerStatus),
    qosClass: qosClass(containers.map(({ container }) => container)),
  }
}

/** Every init container is through, every sidecar has started. */
function isInitialized(containers: readonly ContainerView[]): boolean {
  return containers.every(({ role, phase }) => {
    if (role === 'init') return phase.name === 'terminated' && phase.exitCode === 0
    return role === 'main' || phase.name === 'running'
  })
}

function phaseOf({ containers }: PodView): PodPhase {
  const main = containers.filter(({ role }) => role === 'main')
  const failed = containers.some(
    ({ role, phase, isDone }) => role === 'init' && isDone && phase.name === 'terminated' && phase.exitCode !== 0,
  )
  if (failed) return 'Failed'
  if (main.every(({ phase, isDone }) => isDone && phase.name === 'terminated')) {
    return main.every(({ phase }) => phase.name === 'terminated' && phase.exitCode === 0) ? 'Succeeded' : 'Failed'
  }
  const hasRun = ({ phase, last }: ContainerView): boolean => phase.name !== 'waiting' || last !== undefined
  return main.every(hasRun) ? 'Running' : 'Pending'
}

function conditionsOf(view: PodView, phase: PodPhase): Condition[] {
  const { pod, containers, now } = view
  const main = containers.filter(({ role }) => role !== 'init')
  const unready = main.filter((entry) => !isReady(entry)).map(({ container }) => container.name)
  const done = phase === 'Succeeded' || phase === 'Failed'
  const initialized =
    isInitialized(containers) || containers.some(({ role, phase: { name } }) => role === 'main' && name !== 'waiting')
  const ready = done
    ? { status: 'False', reason: phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed' }
    : unready.length === 0
      ? { status: 'True' }
      : {
          status: 'False',
          reason: 'ContainersNotReady',
          message: `containers with unready status: [${unready.join(' ')}]`,
        }
  const incomplete = containers
    .filter(({ role, phase: { name } }) => role === 'init' && name !== 'terminated')
    .map(({ container }) => container.name)
  const wanted: readonly (readonly [string, Omit<Condition, 'type' | 'status'> & { status: string }])[] = [
    ['PodReadyToStartContainers', { status: 'True' }],
    [
      'Initialized',
      initialized
        ? { status: 'True' }
        : {
            status: 'False',
            reason: 'ContainersNotInitialized',
            message: `containers with incomplete status: [${incomplete.join(' ')}]`,
          },
    ],
    ['Ready', ready],
    ['ContainersReady', ready],
    ['PodScheduled', { status: 'True' }],
  ]
  const before = pod.status?.conditions ?? []
  const own = wanted.map(([type, condition]) => timed(before, type, condition, now))
  return [...own, ...before.filter(({ type }) => wanted.every(([name]) => name !== type))]
}

function timed(
  before: readonly Condition[],
  type: string,
  next: Omit<Condition, 'type' | 'status'> & { status: string },
  now: number,
): Condition {
  const current = findCondition(before, type)
  const status = next.status === 'True' ? 'True' : 'False'
  const since = current?.status === status ? current.lastTransitionTime : undefined
  return { ...next, type, status, lastProbeTime: null, lastTransitionTime: since ?? timestamp(now) }
}

function isReady({ phase }: ContainerView): boolean {
  return phase.name === 'running' && phase.ready
}

function containerStatus(view: ContainerView): ContainerStatus {
  const { container, phase, last, restarts, imageId, role } = view
  const id = phase.name === 'waiting' ? last?.id : phase.id
  return {
    name: container.name,
    state: stateOf(phase),
    lastState: last === undefined || phase === last ? {} : stateOf(last),
    ready: role === 'init' ? phase.name === 'terminated' && phase.exitCode === 0 : isReady(view),
    restartCount: restarts,
    image: container.image ?? '',
    imageID: imageId,
    ...(id === undefined ? {} : { containerID: id }),
    started: phase.name === 'running' && phase.started,
    ...resourcesOf(container),
  }
}

/** What it was given: the runtime's way of keeping to it stands in docs/reference/workloads.md. */
function resourcesOf({ resources }: Container): Pick<ContainerStatus, 'resources' | 'allocatedResources'> {
  if (Object.keys(resources ?? {}).length === 0 || resources === undefined) return {}
  return { resources, ...(resources.requests === undefined ? {} : { allocatedResources: resources.requests }) }
}

function stateOf(phase: ContainerPhase): ContainerState {
  switch (phase.name) {
    case 'waiting':
      return { waiting: { reason: phase.reason, ...(phase.message === undefined ? {} : { message: phase.message }) } }
    case 'running':
      return { running: { startedAt: timestamp(phase.startedAt) } }
    case 'terminated':
      return {
        terminated: {
          exitCode: phase.exitCode,
          ...(phase.signal === undefined ? {} : { signal: phase.signal }),
          reason: phase.reason ?? terminationReason(phase.exitCode),
          ...(phase.message === undefined ? {} : { message: phase.message }),
          startedAt: timestamp(phase.startedAt),
          finishedAt: timestamp(phase.finishedAt),
          containerID: phase.id,
        },
      }
  }
}
