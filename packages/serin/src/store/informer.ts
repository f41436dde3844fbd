/**
 * A local copy of the objects of one kind that keeps itself up to date: list, then watch, resume after a break, list again when
 * the history no longer reaches back. Objects that did not change keep their identity, over a new list too.
 */
import type { KubeObject } from '../resources/object.ts'
import type { Kind } from '../resources/kinds.ts'
import { StoreError, type ObjectKey, type Store } from './store.ts'

/** Back-off between attempts when the store does not answer: doubles from the first to the last. */
const RETRY_MS_FIRST = 50
const RETRY_MS_MAX = 5_000

export interface InformerOptions {
  readonly namespace?: string
  readonly labelSelector?: string
  /** Is told what went wrong before a new attempt; default: nobody. */
  readonly onError?: (error: unknown) => void
}

export type InformerChange<T> =
  | { readonly type: 'ADDED'; readonly object: T; readonly previous?: undefined }
  | { readonly type: 'MODIFIED'; readonly object: T; readonly previous: T }
  /** `object` is as it last was. */
  | { readonly type: 'DELETED'; readonly object: T; readonly previous: T }

export interface Informer<T extends KubeObject> {
  /** Resolves when the first list is here. Never rejects; stays open when stopped before. */
  readonly synced: Promise<void>
  /** True from the first list on. */
  readonly isSynced: boolean
  get(key: ObjectKey): T | undefined
  /** In no order. A new array each time; `namespace` narrows it. */
  list(namespace?: string): readonly T[]
  /** Called in order for every change, for those of the first list too (before `synced`). Returns what takes it away. */
  onChange(callback: (change: InformerChange<T>) => void): () => void
  /** Everything up to this version is in the copy; empty before the first list. */
  readonly resourceVersion: string
  stop(): void
}

export function createInformer<T extends KubeObject>(
  store: Store,
  kind: Kind,
  options: InformerOptions = {},
): Informer<T> {
  const objects = new Map<string, T>()
  const callbacks = new Set<(change: InformerChange<T>) => void>()
  const stopped = new AbortController()
  let resourceVersion = ''
  let isSynced = false
  let announceSynced: () => void = () => {}
  const synced = new Promise<void>((resolve) => {
    announceSynced = resolve
  })
  const scope = {
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
  }

  function tell(change: InformerChange<T>): void {
    for (const callback of callbacks) {
      try {
        callback(change)
      } catch (error) {
        // A bug of the caller: it must neither be lost nor cost this copy an event.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  function take(object: T): void {
    const key = keyOf(object.metadata)
    const previous = objects.get(key)
    if (
      previous?.metadata.uid === object.metadata.uid &&
      previous?.metadata.resourceVersion === object.metadata.resourceVersion
    )
      return
    objects.set(key, object)
    tell(previous === undefined ? { type: 'ADDED', object } : { type: 'MODIFIED', object, previous })
  }

  function lose(object: T): void {
    const key = keyOf(object.metadata)
    const previous = objects.get(key)
    if (previous === undefined) return
    objects.delete(key)
    tell({ type: 'DELETED', object, previous })
  }

  async function relist(): Promise<void> {
    const { items, resourceVersion: version } = await store.list<T>(kind, scope)
    if (stopped.signal.aborted) return
    const present = new Set(items.map((object) => keyOf(object.metadata)))
    for (const [key, object] of objects) if (!present.has(key)) lose(object)
    for (const object of items) take(object)
    resourceVersion = version
    isSynced = true
    announceSynced()
  }

  async function follow(): Promise<void> {
    const watch = store.watch<T>(kind, { ...scope, resourceVersion, bookmarks: true, signal: stopped.signal })
    for await (const event of watch) {
      if (stopped.signal.aborted) return
      if (event.type === 'BOOKMARK') {
        resourceVersion = event.resourceVersion
        continue
      }
      resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion
      if (event.type === 'DELETED') lose(event.object)
      else take(event.object)
    }
  }

  async function run(): Promise<void> {
    let retryMs = RETRY_MS_FIRST
    let needsList = true
    while (!stopped.signal.aborted) {
      const before = resourceVersion
      try {
        if (needsList) await relist()
        needsList = false
        await follow()
      } catch (error) {
        if (stopped.signal.aborted) return
        if (error instanceof StoreError && error.reason === 'Expired') needsList = true
        else options.onError?.(error)
      }
      if (resourceVersion !== before) retryMs = RETRY_MS_FIRST
      await pause(retryMs, stopped.signal)
      retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)
    }
  }

  void run() // Ends by itself when stopped; every error inside is told to onError.

  return {
    synced,
    get isSynced() {
      return isSynced
    },
    get: (key) => objects.get(keyOf(key)),
    list: (namespace) =>
      namespace === undefined
        ? [...objects.values()]
        : [...objects.values()].filter((object) => object.metadata.namespace === namespace),
    onChange(callback) {
      callbacks.add(callback)
      return () => callbacks.delete(callback)
    },
    get resourceVersion() {
      return resourceVersion
    },
    stop: () => stopped.abort(),
  }
}

function keyOf({ namespace, name }: ObjectKey): string {
  return `${namespace ?? ''}/${name}`
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
