import { Event } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import type { EventObject, ObjectReference } from '../resources/kubernetes/types.ts'
import type { Store } from '../store/store.ts'
import { isGone } from './cache.ts'
import { timestamp } from './conditions.ts'
import { Correlator, type Occurrence } from './correlation.ts'
import { EVENT_QUEUE_MAX } from './limits.ts'

/** Writes Events: in order, one after the other, without making anybody wait. */

export interface Told {
  readonly about: KubeObject
  readonly type?: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
  /** The part of the object, such as `spec.containers{web}`. */
  readonly fieldPath?: string
}

export class EventRecorder {
  private readonly store: Store
  private readonly correlator: Correlator
  private readonly source: { readonly component: string; readonly host?: string }
  private readonly onError: (error: unknown) => void
  private readonly queue: Occurrence[] = []
  private writing: Promise<void> | undefined
  private current: Occurrence | undefined
  private stamp = 0n

  constructor(options: {
    readonly store: Store
    readonly component: string
    readonly host?: string
    readonly onError: (error: unknown) => void
  }) {
    this.store = options.store
    this.correlator = new Correlator()
    this.source = { component: options.component, ...(options.host === undefined ? {} : { host: options.host }) }
    this.onError = options.onError
  }

  tell({ about, type = 'Normal', reason, message, fieldPath }: Told): void {
    if (this.queue.length >= EVENT_QUEUE_MAX) return
    const reference = { ...referenceTo(about), ...(fieldPath === undefined ? {} : { fieldPath }) }
    this.queue.push({ about: reference, type, reason, message, source: this.source })
    this.writing ??= this.drain()
  }

  /** Everything told of objects in this namespace is written. */
  isIdleIn(namespace: string): boolean {
    return ![this.current, ...this.queue].some((occurrence) => occurrence?.about.namespace === namespace)
  }

  /** Resolves when everything told so far is written. */
  async flushed(): Promise<void> {
    await this.writing
  }

  private async drain(): Promise<void> {
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
      this.current = next
      try {
        await this.write(next)
      } catch (error) {
        // An Event is a courtesy: one that cannot be written is lost (its namespace may be going away).
        this.onError(error)
      }
    }
    this.current = undefined
    this.writing = undefined
  }

  private async write(occurrence: Occurrence): Promise<void> {
    const now = Date.now()
    const told = this.correlator.correlate(occurrence, now)
    if (told.do === 'drop') return
    if (told.do === 'create') return this.create({ ...occurrence, message: told.message }, told.key, now)
    const namespace = occurrence.about.namespace ?? 'default'
    const body = { count: told.count, message: told.message, lastTimestamp: timestamp(now) }
    try {
      await this.store.patch(Event, { namespace, name: told.name }, { type: 'merge', body })
    } catch (error) {
      if (!isGone(error)) throw error
      this.correlator.forget(told.key)
      await this.create({ ...occurrence, message: told.message }, told.key, now)
    }
  }

  /** Nanoseconds as in Kubernetes' event names; events of one millisecond keep their order. */
  private nextStamp(now: number): bigint {
    const stamp = BigInt(now) * 1_000_000n
    this.stamp = stamp > this.stamp ? stamp : this.stamp + 1n
    return this.stamp
  }

  private async create({ about, type, reason, message, source }: Occurrence, key: string, now: number): Promise<void> {
    const name = `${about.name}.${this.nextStamp(now).toString(16)}`
    const event: EventObject = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: about.namespace ?? 'default' },
      involvedObject: about,
      reason,
      message,
      source,
      firstTimestamp: timestamp(now),
      lastTimestamp: timestamp(now),
      eventTime: null,
      count: 1,
      type,
      reportingComponent: source.component,
      reportingInstance: source.host ?? '',
    }
    await this.store.create(Event, event, { fieldManager: source.component })
    this.correlator.stored(key, name)
  }
}

function referenceTo({ apiVersion, kind, metadata }: KubeObject): ObjectReference {
  const { name, namespace, uid, resourceVersion } = metadata
  return {
    kind,
    apiVersion,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  }
}
