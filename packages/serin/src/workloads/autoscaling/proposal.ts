import type { Container, PodObject } from '../../resources/kubernetes/types.ts'
import { findCondition } from '../conditions.ts'
import { isReady, isTerminating } from '../pods/facts.ts'
import { cpuMillicores, memoryBytes } from '../pods/quantity.ts'

/**
 * How many replicas one metric asks for. Pure. Source: Kubernetes, "Horizontal Pod Autoscaling", section "Algorithm details": pods that are
 * not ready or not measured count in the direction that makes the change smaller.
 */

/** After its start a pod's processor time is not trusted for this long: starting is work. */
const CPU_INITIALIZATION_MS = 300_000
/** A pod that was never ready for this long after its start is not expected to be any more. */
const INITIAL_READINESS_MS = 30_000

export interface Proposal {
  readonly replicas: number
  /** Of the metric now, over the pods that were measured. */
  readonly average: number
  /** In percent of the request, where there is one. */
  readonly utilization?: number
}

interface Measured {
  readonly pod: PodObject
  /** Undefined: not measured. */
  readonly value: number | undefined
}

export interface Tolerances {
  readonly up: number
  readonly down: number
}

export interface PodsInput {
  readonly current: number
  readonly pods: readonly Measured[]
  /** What one pod should have: a value, or a share of its request. */
  readonly target:
    | { readonly average: number }
    | { readonly utilization: number; readonly request: (pod: PodObject) => number }
  /** Processor time of pods that have just started does not count. */
  readonly isCpu: boolean
  readonly tolerances: Tolerances
  readonly now: number
}

/** Undefined when no pod was measured. */
export function forPods(input: PodsInput): Proposal | undefined {
  const { current, target } = input
  const counted = input.pods.filter(({ pod }) => !isTerminating(pod) && pod.status?.phase !== 'Failed')
  const unready = counted.filter(({ pod }) => isUnready(input, pod))
  const missing = counted.filter((entry) => entry.value === undefined && !unready.includes(entry))
  const measured = counted.filter((entry) => entry.value !== undefined && !unready.includes(entry))
  if (measured.length === 0) return undefined
  const amounts = measured.map(({ pod, value = 0 }) => ({
    value,
    wanted: wantedOf(target, pod),
    request: requestOf(target, pod),
  }))
  const first = ratioOf(amounts)
  const described = { average: mean(amounts.map(({ value }) => value)), ...utilizationOf(target, amounts) }
  const settle = (replicas: number): Proposal => ({ replicas, ...described })
  if (missing.length === 0 && (unready.length === 0 || first <= 1)) {
    return settle(isWithin(first, input.tolerances) ? current : Math.ceil(round(first * measured.length)))
  }
  const assumed = [
    ...missing.map((entry) => ({ ...entry, value: first < 1 ? fallback(target, entry.pod) : 0 })),
    ...(first > 1 ? unready.map((entry) => ({ ...entry, value: 0 })) : []),
  ]
  const all = [
    ...amounts,
    ...assumed.map(({ pod, value }) => ({ value, wanted: wantedOf(target, pod), request: requestOf(target, pod) })),
  ]
  const second = ratioOf(all)
  const turned = (first < 1 && second > 1) || (first > 1 && second < 1)
  if (isWithin(second, input.tolerances) || turned) return settle(current)
  const replicas = Math.ceil(round(second * all.length))
  const against = (second < 1 && replicas > current) || (second > 1 && replicas < current)
  return settle(against ? current : replicas)
}

type Amount = { readonly value: number; readonly wanted: number; readonly request: number }

/** Of the sums: one busy pod and one idle pod are two pods half busy. */
function ratioOf(amounts: readonly Amount[]): number {
  const wanted = amounts.reduce((sum, amount) => sum + amount.wanted, 0)
  return wanted === 0 ? 1 : amounts.reduce((sum, { value }) => sum + value, 0) / wanted
}

function wantedOf(target: PodsInput['target'], pod: PodObject): number {
  return 'average' in target ? target.average : (target.request(pod) * target.utilization) / 100
}

function requestOf(target: PodsInput['target'], pod: PodObject): number {
  return 'average' in target ? 0 : target.request(pod)
}

function utilizationOf(target: PodsInput['target'], amounts: readonly Amount[]): { utilization?: number } {
  if ('average' in target) return {}
  const request = amounts.reduce((sum, amount) => sum + amount.request, 0)
  return { utilization: Math.trunc((amounts.reduce((sum, { value }) => sum + value, 0) * 100) / request) }
}

/** What a pod that was not measured is taken to use when the others ask for fewer: as much as it should. */
function fallback(target: PodsInput['target'], pod: PodObject): number {
  return 'average' in target ? target.average : (target.request(pod) * Math.max(100, target.utilization)) / 100
}

function isUnready({ isCpu, now }: PodsInput, pod: PodObject): boolean {
  if (pod.status?.phase === 'Pending') return true
  if (!isCpu) return false
  const started = Date.parse(pod.status?.startTime ?? '')
  const since = Date.parse(findCondition(pod.status?.conditions, 'Ready')?.lastTransitionTime ?? '')
  if (Number.isNaN(started) || Number.isNaN(since)) return true
  if (started + CPU_INITIALIZATION_MS > now) return !isReady(pod)
  return !isReady(pod) && started + INITIAL_READINESS_MS > since
}

export function forObject(input: {
  readonly current: number
  readonly ready: number
  readonly value: number
  readonly target: { readonly value: number } | { readonly average: number }
  readonly tolerances: Tolerances
}): Proposal {
  const { current, ready, value, target, tolerances } = input
  const average = current === 0 ? value : value / current
  if ('average' in target) {
    const within = isWithin(average / target.average, tolerances)
    return { replicas: within ? current : Math.ceil(round(value / target.average)), average }
  }
  const ratio = value / target.value
  return { replicas: isWithin(ratio, tolerances) ? current : Math.ceil(round(ratio * ready)), average }
}

function isWithin(ratio: number, { up, down }: Tolerances): boolean {
  return ratio >= 1 ? round(ratio - 1) <= up : round(1 - ratio) <= down
}

/** Away with the dust of binary fractions before it becomes a replica. */
function round(value: number): number {
  return Number(value.toFixed(9))
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** The requests of a pod, or of one of its containers: millicores or bytes. Throws an Error that names a container without one. */
export function requestIn(pod: PodObject, resource: string, container?: string): number {
  const containers = pod.spec.containers.filter(({ name }) => container === undefined || name === container)
  const amount = resource === 'cpu' ? cpuMillicores : memoryBytes
  return containers.reduce((sum, entry) => sum + requestOfContainer(pod, entry, resource, amount), 0)
}

function requestOfContainer(
  pod: PodObject,
  container: Container,
  resource: string,
  amount: typeof cpuMillicores,
): number {
  const request = amount(container, 'requests') ?? amount(container, 'limits')
  if (request === undefined)
    throw new Error(`missing request for ${resource} in container ${container.name} of Pod ${pod.metadata.name}`)
  return request
}
