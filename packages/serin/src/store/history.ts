/**
 * The window of past writes that watches resume from. Watches hold no queue of their own: each is a place in the shared log of
 * its kind, so a slow one costs nothing and, when the window has passed it, gets `Expired` and lists again.
 */
import type { KubeObject } from '../resources/object.ts'
import { StoreError, type WatchEvent } from './store.ts'

/** Bounds of the window, over all kinds; whichever is reached first. */
export const HISTORY_EVENTS_MAX = 10_000
export const HISTORY_BYTES_MAX: number = 24 * 1024 * 1024

export interface StoredEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly revision: number
  readonly object: KubeObject
  /** The object before this event, and its revision. */
  readonly previous: { readonly object: KubeObject; readonly revision: number; readonly bytes: number } | undefined
  readonly bytes: number
}

/** The events of one kind. `listeners` are called after events were added. */
export class KindLog {
  readonly listeners: Set<() => void> = new Set()
  #events: StoredEvent[] = []
  /** Number of events that have left the front since the start. */
  #dropped = 0

  push(event: StoredEvent): void {
    this.#events.push(event)
  }

  /** Leaves gaps in memory only until half of the array is unused. */
  dropFirst(): void {
    this.#dropped += 1
    this.#unused += 1
    if (this.#unused * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#unused)
      this.#unused = 0
    }
  }
  #unused = 0

  /** Absolute index of the first event after a revision. */
  indexAfter(revision: number): number {
    let low = this.#unused
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#events[middle]?.revision ?? 0) <= revision) low = middle + 1
      else high = middle
    }
    return this.#dropped + low - this.#unused
  }

  get end(): number {
    return this.#dropped + this.#events.length - this.#unused
  }

  /** Undefined when it has left the window. */
  at(index: number): StoredEvent | undefined {
    return index < this.#dropped ? undefined : this.#events[index - this.#dropped + this.#unused]
  }
}

/** Which log each event went to, in order of revisions, so that the oldest of all kinds leaves first. */
export class HistoryWindow {
  readonly #order: { readonly log: KindLog; readonly event: StoredEvent }[] = []
  readonly #limits: { readonly events: number; readonly bytes: number }
  #first = 0
  #bytes = 0

  constructor(limits: { readonly events: number; readonly bytes: number }) {
    this.#limits = limits
  }

  push(log: KindLog, event: StoredEvent): void {
    log.push(event)
    this.#order.push({ log, event })
    this.#bytes += event.bytes
  }

  /** Events that are too many. The newest stays always: its revision is the store's. */
  peekExcess(incoming: { readonly events: number; readonly bytes: number }): readonly StoredEvent[] {
    const excess: StoredEvent[] = []
    let events = this.#order.length - this.#first + incoming.events
    let bytes = this.#bytes + incoming.bytes
    for (let index = this.#first; index < this.#order.length; index += 1) {
      const entry = this.#order[index]
      if (entry === undefined || (events <= this.#limits.events && bytes <= this.#limits.bytes)) break
      excess.push(entry.event)
      events -= 1
      bytes -= entry.event.bytes
    }
    return excess
  }

  drop(count: number): void {
    for (let dropped = 0; dropped < count; dropped += 1) {
      const entry = this.#order[this.#first]
      if (entry === undefined) return
      entry.log.dropFirst()
      this.#bytes -= entry.event.bytes
      this.#first += 1
    }
    if (this.#first * 2 > this.#order.length) {
      this.#order.splice(0, this.#first)
      this.#first = 0
    }
  }

  /** Newest first, down to a revision (exclusive). */
  *backwardsTo(revision: number): Iterable<{ readonly log: KindLog; readonly event: StoredEvent }> {
    for (let index = this.#order.length - 1; index >= this.#first; index -= 1) {
      const entry = this.#order[index]
      if (entry === undefined || entry.event.revision <= revision) return
      yield entry
    }
  }
}

/**
 * What a watcher with a selector sees of an event: an object that starts to match is ADDED, one that stops is DELETED (as it
 * last matched, with the new version). Pure.
 */
export function project(
  event: StoredEvent,
  matches: (object: KubeObject) => boolean,
): Exclude<WatchEvent<KubeObject>, { type: 'BOOKMARK' }> | undefined {
  const before = event.previous !== undefined && matches(event.previous.object)
  const after = event.type !== 'DELETED' && matches(event.object)
  if (after) return { type: before ? 'MODIFIED' : 'ADDED', object: event.object }
  if (!before) return undefined
  if (event.type === 'DELETED') return { type: 'DELETED', object: event.object }
  return { type: 'DELETED', object: withVersion(event.previous.object, event.revision) }
}

function withVersion(object: KubeObject, revision: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } }
}

export function expired(revision: number, compacted: number): StoreError {
  return new StoreError('Expired', `too old resource version: ${revision} (${compacted})`)
}
