import type {
  Condition,
  HorizontalPodAutoscalerObject,
  HorizontalPodAutoscalerStatus,
  MetricSpec,
  MetricStatus,
  PodObject,
} from '../../resources/kubernetes/types.ts'
import { keyOf, parseKey } from '../cache.ts'
import { timestamp } from '../conditions.ts'
import { EventRecorder } from '../events.ts'
import { AUTOSCALE_MS } from '../limits.ts'
import { replicasOf } from '../percent.ts'
import { WorkQueue } from '../queue.ts'
import { isOrdinary, messageOf, type Controller, type Room } from '../room.ts'
import { selectorMatches } from '../selector.ts'
import { allowed, HISTORY_MS_MAX, tolerancesOf, WITHIN_RANGE, type Change, type Recommendation } from './behavior.ts'
import { readMetric, type MetricSource, type Reading } from './metrics.ts'

/** The HorizontalPodAutoscaler controller: every 15 s, what do the metrics ask for, and how far may it go? */
export function startAutoscaler(room: Room, source: MetricSource): Controller {
  const events = new EventRecorder({
    store: room.store,
    component: 'horizontal-pod-autoscaler',
    onError: (error) => room.log('warn', `autoscaler event: ${messageOf(error)}`),
  })
  const histories = new Map<string, History>()
  const queue = new WorkQueue({
    sync: (key) => syncAutoscaler({ room, source, events, histories }, key),
    onError: (key, error) => {
      if (!isOrdinary(error)) room.log('warn', `autoscaler ${key}: ${messageOf(error)}`)
    },
  })
  room.autoscalers.onChange(({ type, object, previous }) => {
    if (type === 'DELETED') histories.delete(object.metadata.uid ?? '')
    // Its own status is no reason to look again.
    if (JSON.stringify(previous?.spec) !== JSON.stringify(object.spec) || type === 'DELETED') queue.add(keyOf(object))
  })
  return {
    isIdleIn: (namespace) => queue.isIdleIn(namespace) && events.isIdleIn(namespace),
    stop: async () => {
      await queue.stop()
      await events.flushed()
    },
  }
}

interface History {
  recommendations: readonly Recommendation[]
  changes: readonly Change[]
}

interface Context {
  readonly room: Room
  readonly source: MetricSource
  readonly events: EventRecorder
  readonly histories: Map<string, History>
}

async function syncAutoscaler(context: Context, key: string): Promise<number | undefined> {
  const { room } = context
  await Promise.all([room.autoscalers.caughtUp(), room.deployments.caughtUp(), room.replicaSets.caughtUp()])
  const autoscaler = room.autoscalers.get(parseKey(key))
  if (autoscaler === undefined || autoscaler.metadata.deletionTimestamp !== undefined) return undefined
  const status = await scaleOnce(context, autoscaler)
  if (JSON.stringify(status) !== JSON.stringify(autoscaler.status))
    await room.autoscalers.updateStatus({ ...autoscaler, status })
  return AUTOSCALE_MS
}

interface Target {
  readonly current: number
  readonly pods: readonly PodObject[]
  readonly resize: (replicas: number) => Promise<unknown>
}

async function scaleOnce(
  context: Context,
  autoscaler: HorizontalPodAutoscalerObject,
): Promise<HorizontalPodAutoscalerStatus> {
  const now = Date.now()
  const writer = new StatusWriter(autoscaler, now)
  const target = targetOf(context.room, autoscaler)
  if (target === undefined) {
    const { kind, name } = autoscaler.spec.scaleTargetRef
    return writer.failed(
      'AbleToScale',
      'FailedGetScale',
      `the HPA controller was unable to get the target's current scale: ${kind.toLowerCase()}s.apps "${name}" not found`,
    )
  }
  writer.set(
    'AbleToScale',
    'True',
    'SucceededGetScale',
    "the HPA controller was able to get the target's current scale",
  )
  const { current } = target
  const { minReplicas = 1, maxReplicas, metrics = [] } = autoscaler.spec
  if (current === 0 && minReplicas !== 0) {
    writer.set(
      'ScalingActive',
      'False',
      'ScalingDisabled',
      'scaling is disabled since the replica count of the target is zero',
    )
    return writer.finish(current, 0)
  }
  if (current > maxReplicas)
    return resize(context, autoscaler, {
      target,
      writer,
      replicas: maxReplicas,
      reason: 'Current number of replicas above Spec.MaxReplicas',
    })
  if (current < minReplicas)
    return resize(context, autoscaler, {
      target,
      writer,
      replicas: minReplicas,
      reason: 'Current number of replicas below Spec.MinReplicas',
    })
  const tolerances = tolerancesOf(autoscaler.spec)
  const wanted = metrics.length > 0 ? metrics : DEFAULT_METRICS
  if (wanted.some(({ type }) => type === 'Pods' || type === 'Object')) await context.source.refresh()
  const readings = wanted.map((spec) =>
    readMetric({ spec, source: context.source, autoscaler, current, pods: target.pods, tolerances, now }),
  )
  return follow(context, autoscaler, { target, writer, readings, now })
}

const DEFAULT_METRICS: readonly MetricSpec[] = [
  { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
]

function targetOf(room: Room, { spec, metadata }: HorizontalPodAutoscalerObject): Target | undefined {
  const { kind, name } = spec.scaleTargetRef
  const key = { namespace: metadata.namespace ?? '', name }
  const cache = kind === 'Deployment' ? room.deployments : kind === 'ReplicaSet' ? room.replicaSets : undefined
  const found = cache?.get(key)
  if (cache === undefined || found === undefined) return undefined
  return {
    current: replicasOf(found.spec),
    pods: room.podsIn(key.namespace).filter((pod) => selectorMatches(found.spec.selector, pod.metadata.labels)),
    resize: (replicas) => cache.merge(key, { spec: { replicas } }),
  }
}

interface Following {
  readonly target: Target
  readonly writer: StatusWriter
  readonly readings: readonly Reading[]
  readonly now: number
}

/** The metric that asks for most counts; one that cannot be read keeps the others from shrinking anything. */
async function follow(
  context: Context,
  autoscaler: HorizontalPodAutoscalerObject,
  { target, writer, readings, now }: Following,
): Promise<HorizontalPodAutoscalerStatus> {
  const { current } = target
  const good = readings.filter((reading) => reading.ok)
  const bad = readings.filter((reading) => !reading.ok)
  writer.metrics = good.map(({ status }) => status)
  for (const { reason, message } of bad) context.events.tell({ about: autoscaler, type: 'Warning', reason, message })
  const best = good.toSorted((left, right) => right.replicas - left.replicas)[0]
  const [problem] = bad
  if (problem !== undefined && (best === undefined || best.replicas < current)) {
    writer.set(
      'ScalingActive',
      'False',
      problem.reason,
      `the HPA was unable to compute the replica count: ${problem.message}`,
    )
    return writer.finish(current, current)
  }
  if (best === undefined) return writer.finish(current, current)
  writer.set(
    'ScalingActive',
    'True',
    'ValidMetricFound',
    `the HPA was able to successfully calculate a replica count from ${best.description}`,
  )
  const history = remembered(context, autoscaler, { at: now, replicas: best.replicas }, now)
  const outcome = allowed({ spec: autoscaler.spec, current, desired: best.replicas, ...history, now })
  tellStability(writer, outcome.stabilized)
  const limited = outcome.limited ?? WITHIN_RANGE
  writer.set('ScalingLimited', outcome.limited === undefined ? 'False' : 'True', limited.reason, limited.message)
  if (outcome.replicas === current) return writer.finish(current, current)
  const reason = outcome.replicas > current ? `${best.description} above target` : 'All metrics below target'
  return resize(context, autoscaler, { target, writer, replicas: outcome.replicas, reason })
}

function tellStability(writer: StatusWriter, stabilized: 'up' | 'down' | undefined): void {
  if (stabilized === 'down') {
    writer.set(
      'AbleToScale',
      'True',
      'ScaleDownStabilized',
      'recent recommendations were higher than current one, applying the highest recent recommendation',
    )
  } else if (stabilized === 'up') {
    writer.set(
      'AbleToScale',
      'True',
      'ScaleUpStabilized',
      'recent recommendations were lower than current one, applying the lowest recent recommendation',
    )
  } else writer.set('AbleToScale', 'True', 'ReadyForNewScale', 'recommended size matches current size')
}

function remembered(
  { histories }: Context,
  { metadata }: HorizontalPodAutoscalerObject,
  next: Recommendation,
  now: number,
): History {
  const before = histories.get(metadata.uid ?? '') ?? { recommendations: [], changes: [] }
  const isRecent = ({ at }: { readonly at: number }): boolean => at > now - HISTORY_MS_MAX
  const history = {
    recommendations: [...before.recommendations.filter(isRecent), next],
    changes: before.changes.filter(isRecent),
  }
  histories.set(metadata.uid ?? '', history)
  return history
}

async function resize(
  { events, histories }: Context,
  autoscaler: HorizontalPodAutoscalerObject,
  { target, writer, replicas, reason }: { target: Target; writer: StatusWriter; replicas: number; reason: string },
): Promise<HorizontalPodAutoscalerStatus> {
  await target.resize(replicas)
  const now = Date.now()
  const uid = autoscaler.metadata.uid ?? ''
  const history = histories.get(uid) ?? { recommendations: [], changes: [] }
  histories.set(uid, { ...history, changes: [...history.changes, { at: now, by: replicas - target.current }] })
  events.tell({
    about: autoscaler,
    reason: 'SuccessfulRescale',
    message: `New size: ${String(replicas)}; reason: ${reason}`,
  })
  writer.set(
    'AbleToScale',
    'True',
    'SucceededRescale',
    `the HPA controller was able to update the target scale to ${String(replicas)}`,
  )
  writer.lastScaleTime = timestamp(now)
  return writer.finish(target.current, replicas)
}

class StatusWriter {
  metrics: readonly MetricStatus[]
  lastScaleTime: string | undefined
  private readonly autoscaler: HorizontalPodAutoscalerObject
  private readonly now: number
  private conditions: Condition[]

  constructor(autoscaler: HorizontalPodAutoscalerObject, now: number) {
    this.autoscaler = autoscaler
    this.now = now
    this.conditions = [...(autoscaler.status?.conditions ?? [])]
    this.metrics = autoscaler.status?.currentMetrics ?? []
    this.lastScaleTime = autoscaler.status?.lastScaleTime
  }

  /** Conditions keep their place. */
  set(type: string, status: 'True' | 'False', reason: string, message: string): void {
    const before = this.conditions.find((condition) => condition.type === type)
    const since = before?.status === status ? before.lastTransitionTime : undefined
    const next: Condition = { type, status, lastTransitionTime: since ?? timestamp(this.now), reason, message }
    this.conditions =
      before === undefined
        ? [...this.conditions, next]
        : this.conditions.map((condition) => (condition === before ? next : condition))
  }

  failed(type: string, reason: string, message: string): HorizontalPodAutoscalerStatus {
    this.set(type, 'False', reason, message)
    return this.finish(0, 0)
  }

  finish(current: number, desired: number): HorizontalPodAutoscalerStatus {
    return {
      ...(this.lastScaleTime === undefined ? {} : { lastScaleTime: this.lastScaleTime }),
      currentReplicas: current,
      desiredReplicas: desired,
      currentMetrics: this.metrics.length === 0 ? null : [...this.metrics],
      conditions: this.conditions,
      ...(this.autoscaler.metadata.generation === undefined
        ? {}
        : { observedGeneration: this.autoscaler.metadata.generation }),
    }
  }
}
