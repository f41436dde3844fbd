/** A watch over HTTP: one JSON line per event, as fast as the client reads. */
import type { ServerResponse } from 'node:http'
import { apiVersionOf } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import type { EmbeddedStore } from '../store/embedded.ts'
import type { WatchCursor } from '../store/watch.ts'
import { StoreError, type ListOptions, type WatchEvent } from '../store/store.ts'
import { presentEvent, type IncludeObject } from './answer.ts'
import { contentTypeOf, type Representation } from './negotiate.ts'
import type { ResourceRoute } from './route.ts'
import { statusOf } from './status.ts'

/** A watch that says no time ends by itself somewhere between these, so that clients do not all come back at once. */
const WATCH_SECONDS_MIN = 1800
const WATCH_SECONDS_MAX = 3600
/** How often a watch that asked for bookmarks is told how far it is. */
const BOOKMARK_MS = 60_000

export interface WatchRequest {
  readonly store: EmbeddedStore
  readonly route: ResourceRoute
  readonly options: ListOptions & { readonly sendInitialEvents: boolean }
  readonly bookmarks: boolean
  readonly timeoutSeconds: number | undefined
  readonly representation: Representation
  readonly include: IncludeObject
}

/** Answers with events until the client goes, the time is up, or the store closes. Throws StoreError before the first octet only. */
export async function serveWatch(request: WatchRequest, response: ServerResponse): Promise<void> {
  const { options, representation } = request
  const start = await startOf(request)
  const cursor = cursorOrError(request, start.resourceVersion)
  response.writeHead(200, { 'Content-Type': contentTypeOf(representation), 'Cache-Control': 'no-cache, private' })
  response.flushHeaders()
  const writer = new EventWriter(request, response)
  if (cursor instanceof StoreError) {
    writer.error(cursor)
    response.end()
    return
  }
  writer.write(start.initial.map((object) => ({ type: 'ADDED', object })))
  if (options.sendInitialEvents && request.bookmarks) writer.bookmark(start.resourceVersion, true)

  const seconds = request.timeoutSeconds ?? WATCH_SECONDS_MIN + Math.random() * (WATCH_SECONDS_MAX - WATCH_SECONDS_MIN)
  await new Promise<void>((resolve) => {
    const pump = (): void => {
      try {
        while (!response.writableNeedDrain && !response.writableEnded) {
          const events = cursor.read()
          if (events.length === 0) return
          writer.write(events as readonly Exclude<WatchEvent<KubeObject>, { type: 'BOOKMARK' }>[])
        }
      } catch (error) {
        writer.error(error)
        end()
      }
    }
    const end = (): void => {
      clearTimeout(timeout)
      clearInterval(bookmarks)
      cursor.close()
      response.end()
      resolve()
    }
    const timeout = setTimeout(end, seconds * 1000)
    const bookmarks = setInterval(
      () => request.bookmarks && writer.bookmark(cursor.resourceVersion, false),
      BOOKMARK_MS,
    )
    cursor.onReady(pump)
    response.on('drain', pump)
    response.on('close', end)
    pump()
  })
}

/** A version that the history no longer reaches (or that is of another store) is told in the stream, as Kubernetes does. */
function cursorOrError(request: WatchRequest, resourceVersion: string): WatchCursor | StoreError {
  try {
    return request.store.openWatch(request.route.kind, { ...scopeOf(request), resourceVersion })
  } catch (error) {
    if (error instanceof StoreError && error.reason === 'Expired') return error
    throw error
  }
}

function scopeOf({ route, options }: WatchRequest): Pick<ListOptions, 'namespace' | 'labelSelector' | 'fieldSelector'> {
  const byName = route.name === undefined ? [] : [`metadata.name=${route.name}`]
  const fields = [...(options.fieldSelector === undefined ? [] : [options.fieldSelector]), ...byName].join(',')
  return {
    ...(route.namespace === undefined ? {} : { namespace: route.namespace }),
    ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
    ...(fields === '' ? {} : { fieldSelector: fields }),
  }
}

/** From where: without a version (or with 0), what there is now comes first. */
async function startOf(request: WatchRequest): Promise<{ initial: readonly KubeObject[]; resourceVersion: string }> {
  const { store, route, options } = request
  const asked = options.resourceVersion ?? ''
  if (asked !== '' && !/^\d{1,15}$/.test(asked)) {
    throw new StoreError('Unknown', `strconv.ParseUint: parsing ${JSON.stringify(asked)}: invalid syntax`)
  }
  if (asked !== '' && asked !== '0' && !options.sendInitialEvents) return { initial: [], resourceVersion: asked }
  const { items, resourceVersion } = await store.list(route.kind, {
    ...scopeOf(request),
    ...(asked === '' || asked === '0' ? {} : { resourceVersion: asked }),
  })
  return { initial: items, resourceVersion }
}

class EventWriter {
  readonly #request: WatchRequest
  readonly #response: ServerResponse
  #isFirst = true

  constructor(request: WatchRequest, response: ServerResponse) {
    this.#request = request
    this.#response = response
  }

  /** All of them in one write. */
  write(events: readonly { readonly type: string; readonly object: KubeObject }[]): void {
    if (events.length === 0) return
    const { route, representation, include } = this.#request
    let text = ''
    for (const event of events) {
      text += presentEvent(route.kind, event, representation, include, this.#isFirst)
      this.#isFirst = false
    }
    this.#response.write(text)
  }

  bookmark(resourceVersion: string, endOfInitial: boolean): void {
    const { kind, version } = this.#request.route
    const annotations = endOfInitial ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
    const object = {
      kind: kind.kind,
      apiVersion: apiVersionOf({ ...kind, version }),
      metadata: { resourceVersion, creationTimestamp: null, ...annotations },
    }
    this.#response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`)
  }

  error(error: unknown): void {
    this.#response.write(`${JSON.stringify({ type: 'ERROR', object: statusOf(error) })}\n`)
  }
}
