import { Mapping } from '../../resources/kinds.ts'
import type { KubeObject } from '../../resources/object.ts'
import type { PodObject } from '../../resources/kubernetes/types.ts'
import { servicesOf } from '../endpoints/controller.ts'
import { TRAFFIC_MS_MIN } from '../limits.ts'
import { isActive, isReady } from '../pods/facts.ts'
import type { Room } from '../room.ts'
import { labelsMatch } from '../selector.ts'
import type { MetricSource } from './metrics.ts'

/**
 * The gateway's counters as metrics for autoscalers: `requests_per_second` and `request_duration_seconds` (the mean) of Mappings and Services
 * (type Object) and of pods (type Pods: a Service's requests in equal parts, as its ready pods get them).
 */
export interface Traffic extends Pick<MetricSource, 'pod' | 'object'> {
  /** Reads the counters; rates are over the time between two readings. Never rejects: without a gateway nothing is known. */
  refresh(): Promise<void>
}

interface Counters {
  readonly requests: number
  readonly seconds: number
}

interface Reading {
  readonly at: number
  /** By `namespace/name` of the Mapping. */
  readonly counters: ReadonlyMap<string, Counters>
}

interface Rate {
  readonly requestsPerSecond: number
  readonly secondsPerSecond: number
}

/** `metrics` gives the gateway's `/metrics`. */
export function readTraffic(room: Room, metrics: () => Promise<string>): Traffic {
  let previous: Reading | undefined
  let latest: Reading | undefined
  const refresh = async (): Promise<void> => {
    const now = Date.now()
    if (latest !== undefined && now - latest.at < TRAFFIC_MS_MIN) return
    try {
      const counters = parseCounters(await metrics())
      previous = latest
      latest = { at: now, counters }
    } catch {
      // The gateway is being replaced.
      previous = undefined
      latest = undefined
    }
  }
  const rateOf = (mappings: readonly string[]): Rate | undefined => rate(previous, latest, mappings)
  return {
    refresh,
    object: ({ kind, namespace, name }, metric) => {
      if (kind === 'Mapping') return figure(rateOf([`${namespace}/${name}`]), metric)
      return kind === 'Service' ? figure(rateOf(mappingsTo(room, namespace, name)), metric) : undefined
    },
    pod: (pod, metric) => {
      const services = servicesOf(room, pod)
      const mappings = new Set(
        services.flatMap(({ metadata }) => mappingsTo(room, metadata.namespace ?? '', metadata.name)),
      )
      const sharing = sharingPods(room, pod)
      const total = rateOf([...mappings])
      if (total === undefined || sharing === 0) return undefined
      return metric === 'requests_per_second' ? total.requestsPerSecond / sharing : figure(total, metric)
    },
  }
}

function figure(found: Rate | undefined, metric: string): number | undefined {
  if (found === undefined) return undefined
  if (metric === 'requests_per_second') return found.requestsPerSecond
  if (metric !== 'request_duration_seconds' || found.requestsPerSecond === 0) return undefined
  return found.secondsPerSecond / found.requestsPerSecond
}

/** Undefined before the second reading. A counter that is new began at 0. */
function rate(
  previous: Reading | undefined,
  latest: Reading | undefined,
  mappings: readonly string[],
): Rate | undefined {
  if (previous === undefined || latest === undefined) return undefined
  const span = (latest.at - previous.at) / 1000
  const grown = (field: keyof Counters): number =>
    mappings.reduce(
      (sum, name) =>
        sum + Math.max(0, (latest.counters.get(name)?.[field] ?? 0) - (previous.counters.get(name)?.[field] ?? 0)),
      0,
    )
  return { requestsPerSecond: grown('requests') / span, secondsPerSecond: grown('seconds') / span }
}

const LINE = /^(serin_requests_total|serin_request_duration_seconds_sum)\{([^}]*)\} (\S+)$/

/** Pure. From Prometheus' text format. */
export function parseCounters(text: string): ReadonlyMap<string, Counters> {
  const found = new Map<string, Counters>()
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = LINE.exec(line) ?? []
    const mapping = /(?:^|,)mapping="([^"]*)"/.exec(labels)?.[1]
    if (name === undefined || mapping === undefined) continue
    const { requests, seconds } = found.get(mapping) ?? { requests: 0, seconds: 0 }
    const more = Number(value)
    found.set(
      mapping,
      name === 'serin_requests_total' ? { requests: requests + more, seconds } : { requests, seconds: seconds + more },
    )
  }
  return found
}

function mappingsTo(room: Room, namespace: string, service: string): readonly string[] {
  return (room.all.get(Mapping)?.list() ?? [])
    .filter((mapping) => isTo(mapping, namespace, service))
    .map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`)
}

/** `web`, `web:80`, `web.shop`, `http://web.shop.svc.cluster.local:80`. */
function isTo({ metadata, spec }: KubeObject, namespace: string, service: string): boolean {
  const text = (spec as { service?: unknown } | undefined)?.service
  if (typeof text !== 'string') return false
  const [host = ''] = text.replace(/^\w+:\/\//, '').split(/[:/]/)
  const [name, where = metadata.namespace] = host.split('.')
  return name === service && where === namespace
}

/** How many ready pods stand behind the Services of a pod. */
function sharingPods(room: Room, pod: PodObject): number {
  const [service] = servicesOf(room, pod)
  if (service === undefined) return 0
  return room
    .podsIn(pod.metadata.namespace ?? '')
    .filter((other) => isActive(other) && isReady(other) && labelsMatch(service.spec.selector, other.metadata.labels))
    .length
}
