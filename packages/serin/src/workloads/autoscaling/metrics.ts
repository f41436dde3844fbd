import type {
  HorizontalPodAutoscalerObject,
  MetricSpec,
  MetricStatus,
  PodObject,
} from '../../resources/kubernetes/types.ts'
import { isReady } from '../pods/facts.ts'
import { parseQuantity } from '../pods/quantity.ts'
import { forObject, forPods, requestIn, type Proposal, type Tolerances } from './proposal.ts'

/** From a metric in an autoscaler's spec to what it asks for: reads the source, works it out, describes it. */

export interface MetricSource {
  /** Reads what has to be read before the others are asked. Never rejects. */
  refresh(): Promise<void>
  /** `cpu` in millicores, `memory` in bytes; of the whole pod or one container. Undefined: not measured (yet). */
  resource(pod: PodObject, name: string, container?: string): number | undefined
  /** A metric of a pod, as `requests_per_second`. */
  pod(pod: PodObject, metric: string): number | undefined
  /** A metric of another object, as of a Service or a Mapping. */
  object(
    object: { readonly kind: string; readonly namespace: string; readonly name: string },
    metric: string,
  ): number | undefined
}

export type Reading =
  | { readonly ok: true; readonly replicas: number; readonly status: MetricStatus; readonly description: string }
  | { readonly ok: false; readonly reason: string; readonly message: string }

export interface ReadingInput {
  readonly spec: MetricSpec
  readonly source: MetricSource
  readonly autoscaler: HorizontalPodAutoscalerObject
  readonly current: number
  readonly pods: readonly PodObject[]
  readonly tolerances: Tolerances
  readonly now: number
}

export function readMetric(input: ReadingInput): Reading {
  const { spec } = input
  try {
    if (spec.resource !== undefined) return resource(input, spec.resource)
    if (spec.containerResource !== undefined)
      return resource(input, spec.containerResource, spec.containerResource.container)
    if (spec.pods !== undefined) return podsMetric(input, spec.pods)
    if (spec.object !== undefined) return objectMetric(input, spec.object)
    return {
      ok: false,
      reason: 'InvalidMetricSourceType',
      message: `invalid metric source type: ${JSON.stringify(spec.type)}`,
    }
  } catch (error) {
    return { ok: false, reason: failureOf(spec), message: (error as Error).message }
  }
}

const FAILURES: Readonly<Record<string, string>> = {
  Resource: 'FailedGetResourceMetric',
  ContainerResource: 'FailedGetContainerResourceMetric',
  Pods: 'FailedGetPodsMetric',
  Object: 'FailedGetObjectMetric',
}

function failureOf(spec: MetricSpec): string {
  return FAILURES[spec.type] ?? 'InvalidMetricSourceType'
}

function resource(
  input: ReadingInput,
  { name, target }: NonNullable<MetricSpec['resource']>,
  container?: string,
): Reading {
  const { source, current, pods, tolerances, now, spec } = input
  const average = parseQuantity(target.averageValue)
  const scale = name === 'cpu' ? 1000 : 1
  const wanted =
    target.averageUtilization === undefined
      ? { average: (average ?? 0) * scale }
      : { utilization: target.averageUtilization, request: (pod: PodObject) => requestIn(pod, name, container) }
  const measured = pods.map((pod) => ({ pod, value: source.resource(pod, name, container) }))
  const proposal = forPods({ current, pods: measured, target: wanted, isCpu: name === 'cpu', tolerances, now })
  if (proposal === undefined) {
    const message = `failed to get ${name} ${target.averageUtilization === undefined ? 'resource metric value' : 'utilization'}: unable to get metrics for resource ${name}: no metrics returned from resource metrics API`
    return { ok: false, reason: failureOf(spec), message }
  }
  const measuredNow = {
    ...(proposal.utilization === undefined ? {} : { averageUtilization: proposal.utilization }),
    averageValue: amount(proposal.average, name),
  }
  const status: MetricStatus =
    container === undefined
      ? { type: 'Resource', resource: { name, current: measuredNow } }
      : { type: 'ContainerResource', containerResource: { name, container, current: measuredNow } }
  const what = container === undefined ? `${name} resource` : `${name} container resource`
  const description = target.averageUtilization === undefined ? what : `${what} utilization (percentage of request)`
  return { ok: true, replicas: proposal.replicas, status, description }
}

function amount(value: number, resourceName: string): string {
  return resourceName === 'cpu' ? `${String(Math.ceil(value))}m` : String(Math.ceil(value))
}

function podsMetric(input: ReadingInput, { metric, target }: NonNullable<MetricSpec['pods']>): Reading {
  const { source, current, pods, tolerances, now, spec } = input
  const measured = pods.map((pod) => ({ pod, value: source.pod(pod, metric.name) }))
  const average = parseQuantity(target.averageValue) ?? 0
  const proposal = forPods({ current, pods: measured, target: { average }, isCpu: false, tolerances, now })
  if (proposal === undefined) {
    return {
      ok: false,
      reason: failureOf(spec),
      message: `unable to get metric ${metric.name}: no metrics returned from custom metrics API`,
    }
  }
  const status: MetricStatus = { type: 'Pods', pods: { metric, current: { averageValue: decimal(proposal.average) } } }
  return { ok: true, replicas: proposal.replicas, status, description: `pods metric ${metric.name}` }
}

function objectMetric(
  input: ReadingInput,
  { metric, target, describedObject }: NonNullable<MetricSpec['object']>,
): Reading {
  const { source, current, pods, tolerances, spec, autoscaler } = input
  const { kind, name } = describedObject
  const value = source.object({ kind, name, namespace: autoscaler.metadata.namespace ?? '' }, metric.name)
  if (value === undefined) {
    return {
      ok: false,
      reason: failureOf(spec),
      message: `unable to get metric ${metric.name}: ${kind} on ${autoscaler.metadata.namespace ?? ''} ${name}/no metric`,
    }
  }
  const wanted =
    target.averageValue === undefined
      ? { value: parseQuantity(target.value) ?? 0 }
      : { average: parseQuantity(target.averageValue) ?? 0 }
  const proposal: Proposal = forObject({
    current,
    ready: pods.filter(isReady).length,
    value,
    target: wanted,
    tolerances,
  })
  const now = 'average' in wanted ? { averageValue: decimal(proposal.average) } : { value: decimal(value) }
  const status: MetricStatus = { type: 'Object', object: { describedObject, metric, current: now } }
  return { ok: true, replicas: proposal.replicas, status, description: `${kind} metric ${metric.name}` }
}

/** As a quantity: whole, or in thousandths. */
function decimal(value: number): string {
  return Number.isInteger(value) ? String(value) : `${String(Math.round(value * 1000))}m`
}
