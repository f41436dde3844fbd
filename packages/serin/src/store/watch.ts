/** One watch: a place in the log of its kind, a selector, and a way to wait for more. */
import type { KubeObject } from '../resources/object.ts'
import type { Kind } from '../resources/kinds.ts'
import { expired, project, type KindLog } from './history.ts'
import { matcher, parseRevision } from './listing.ts'
import type { WatchEvent, WatchOptions } from './store.ts'

/** Events that one `read` gives at most, so that one watcher does not hold up the others. */
const READ_EVENTS_MAX = 500
/** Without events for this long, a watch that asked for bookmarks gets one. */
const BOOKMARK_MS = 60_000

export interface WatchCursor {
  /** What there is, without waiting; maybe nothing. Throws StoreError `Expired` when the window has passed this watch. */
  read(): readonly WatchEvent<KubeObject>[]
  /** Resolves when a `read` may give something, and when the watch was aborted. */
  ready(): Promise<void>
  /** Called whenever a `read` may give something, until `close`. */
  onReady(callback: () => void): void
  /** A version up to which this watch has given everything. */
  readonly resourceVersion: string
  close(): void
}

interface Source {
  readonly kind: Kind
  readonly options: WatchOptions
  readonly log: KindLog
  readonly now: () => { readonly revision: number; readonly compacted: number }
}

/** Throws StoreError `Expired`, `BadRequest`. */
export function openWatch({ kind, options, log, now }: Source): WatchCursor {
  const matches = matcher(kind, options)
  const position = now()
  const from = parseRevision(options.resourceVersion) ?? position.revision
  // A version from the future is of another store: what the client has is worth nothing here.
  if (from > position.revision || from < position.compacted) throw expired(from, position.compacted)
  let index = log.indexAfter(from)
  let caughtUp = from
  let bookmarkDue = Date.now() + BOOKMARK_MS
  const listeners: (() => void)[] = []

  const inNamespace = (object: KubeObject): boolean =>
    !kind.namespaced || options.namespace === undefined || object.metadata.namespace === options.namespace

  function read(): readonly WatchEvent<KubeObject>[] {
    const events: WatchEvent<KubeObject>[] = []
    const { revision, compacted } = now()
    while (index < log.end && events.length < READ_EVENTS_MAX) {
      const event = log.at(index)
      if (event === undefined) throw expired(caughtUp, compacted)
      index += 1
      caughtUp = event.revision
      const seen = inNamespace(event.object) ? project(event, matches) : undefined
      if (seen !== undefined) events.push(seen)
    }
    if (index === log.end) caughtUp = revision
    const time = Date.now()
    if (events.length > 0) bookmarkDue = time + BOOKMARK_MS
    else if (options.bookmarks === true && time >= bookmarkDue) {
      bookmarkDue = time + BOOKMARK_MS
      return [{ type: 'BOOKMARK', resourceVersion: String(caughtUp) }]
    }
    return events
  }

  function ready(): Promise<void> {
    if (index < log.end || options.signal?.aborted === true) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(done, BOOKMARK_MS)
      timer.unref()
      log.listeners.add(done)
      options.signal?.addEventListener('abort', done, { once: true })
      function done(): void {
        clearTimeout(timer)
        log.listeners.delete(done)
        options.signal?.removeEventListener('abort', done)
        resolve()
      }
    })
  }

  return {
    read,
    ready,
    onReady(callback) {
      listeners.push(callback)
      log.listeners.add(callback)
    },
    get resourceVersion() {
      return String(caughtUp)
    },
    close() {
      for (const listener of listeners) log.listeners.delete(listener)
    },
  }
}
