import {
  EVENT_BURST_MAX,
  EVENT_KEYS_MAX,
  EVENT_REFILL_MS,
  SIMILAR_EVENTS_MAX,
  SIMILAR_EVENTS_WINDOW_MS,
} from './limits.ts'
import type { ObjectReference } from '../resources/kubernetes/types.ts'

/**
 * Turns what controllers want to tell into few Event objects: the same message again raises a count, many similar messages
 * become one, and a chatterbox is cut off. No effects; the clock is an argument.
 * Source: Kubernetes' client-go event correlator, as recorded (1.9 item 8 of the reference).
 */

export interface Occurrence {
  readonly about: ObjectReference
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
  readonly source: { readonly component: string; readonly host?: string }
}

export type Correlated =
  | { readonly do: 'drop' }
  /** A new Event; report its name with `stored`. */
  | { readonly do: 'create'; readonly key: string; readonly message: string }
  | {
      readonly do: 'count'
      readonly key: string
      readonly name: string
      readonly message: string
      readonly count: number
    }

interface Similar {
  readonly messages: Set<string>
  at: number
}

interface Seen {
  name: string
  count: number
}

export class Correlator {
  private readonly similar = new Map<string, Similar>()
  private readonly seen = new Map<string, Seen>()
  private readonly tokens = new Map<string, { left: number; at: number }>()

  correlate(occurrence: Occurrence, now: number): Correlated {
    const { key, message } = this.combined(occurrence, now)
    const seen = this.seen.get(key)
    if (!this.mayTell(occurrence, now)) return { do: 'drop' }
    if (seen === undefined) return { do: 'create', key, message }
    seen.count += 1
    remember(this.seen, key, seen)
    return { do: 'count', key, name: seen.name, message, count: seen.count }
  }

  stored(key: string, name: string): void {
    remember(this.seen, key, { name, count: this.seen.get(key)?.count ?? 1 })
  }

  /** The Event is gone: the next occurrence makes a new one. */
  forget(key: string): void {
    this.seen.delete(key)
  }

  private combined(occurrence: Occurrence, now: number): { key: string; message: string } {
    const { about, type, reason, message, source } = occurrence
    const group = JSON.stringify([
      source,
      about.kind,
      about.namespace,
      about.name,
      about.uid,
      about.fieldPath,
      type,
      reason,
    ])
    const known = this.similar.get(group)
    const similar =
      known !== undefined && now - known.at <= SIMILAR_EVENTS_WINDOW_MS
        ? known
        : { messages: new Set<string>(), at: now }
    similar.messages.add(message)
    similar.at = now
    remember(this.similar, group, similar)
    if (similar.messages.size < SIMILAR_EVENTS_MAX) return { key: `${group}${message}`, message }
    const [oldest] = similar.messages
    if (oldest !== undefined) similar.messages.delete(oldest)
    return { key: group, message: `(combined from similar events): ${message}` }
  }

  private mayTell({ about, source }: Occurrence, now: number): boolean {
    const key = JSON.stringify([source, about.kind, about.namespace, about.name, about.uid])
    const bucket = this.tokens.get(key) ?? { left: EVENT_BURST_MAX, at: now }
    const left = Math.min(EVENT_BURST_MAX, bucket.left + (now - bucket.at) / EVENT_REFILL_MS)
    remember(this.tokens, key, { left: left >= 1 ? left - 1 : left, at: now })
    return left >= 1
  }
}

/** Keeps the most recent keys. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= EVENT_KEYS_MAX) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}
