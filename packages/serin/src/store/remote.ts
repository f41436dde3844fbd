/**
 * The store behind any Kubernetes API over HTTPS: what the gateway and the rollouts use, on one machine as in a cluster.
 * What the embedded store does by itself, the API's server does here; errors come back as the same StoreErrors.
 */
import { apiVersionOf, type Kind } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import type { Connection } from './kubeconfig.ts'
import { linesOf } from './lines.ts'
import {
  type DeleteOptions,
  type List,
  type ListOptions,
  type ObjectKey,
  type Patch,
  type Store,
  StoreError,
  type StoreErrorReason,
  type WatchEvent,
  type WatchOptions,
  type WriteOptions,
} from './store.ts'
import { Transport, type TransportAnswer, type TransportRequest } from './transport.ts'

const PATCH_TYPES: Readonly<Record<Patch['type'], string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

/** Reasons that a server leaves out, by status. */
const REASONS: Readonly<Record<number, StoreErrorReason>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
  504: 'Timeout',
  507: 'InsufficientStorage',
}

export interface RemoteStore extends Store {
  /** Closes all connections; watches end. */
  close(): void
}

export function openRemoteStore(connection: Connection): RemoteStore {
  return new HttpStore(new Transport(connection))
}

/** A Kubernetes Status. */
interface StatusBody {
  readonly kind?: string
  readonly reason?: StoreErrorReason
  readonly message?: string
  readonly code?: number
  readonly details?: Readonly<Record<string, unknown>>
}

interface ListBody<T> {
  readonly items?: readonly T[] | null
  readonly metadata: {
    readonly resourceVersion?: string
    readonly continue?: string
    readonly remainingItemCount?: number
  }
}

class HttpStore implements RemoteStore {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async get<T extends KubeObject>(kind: Kind, key: ObjectKey): Promise<T | undefined> {
    const answer = await this.#ask(pathOf(kind, key))
    if (answer.status === 404) return undefined
    return bodyOf<T>(answer)
  }

  async list<T extends KubeObject>(kind: Kind, options: ListOptions = {}): Promise<List<T>> {
    const { namespace, labelSelector, fieldSelector, limit, resourceVersion, resourceVersionMatch } = options
    const answer = await this.#ask(pathOf(kind, { namespace }), {
      query: {
        labelSelector,
        fieldSelector,
        limit: limit === undefined ? undefined : String(limit),
        continue: options.continue,
        resourceVersion,
        resourceVersionMatch,
      },
    })
    const { items, metadata } = bodyOf<ListBody<T>>(answer)
    const { continue: next, remainingItemCount } = metadata
    return {
      // Items of a list say neither their kind nor their version.
      items: (items ?? []).map((item) => ({ ...item, apiVersion: apiVersionOf(kind), kind: kind.kind })),
      resourceVersion: metadata.resourceVersion ?? '',
      ...(next !== undefined && next !== '' && { continue: next }),
      ...(remainingItemCount !== undefined && { remainingItemCount }),
    }
  }

  async *watch<T extends KubeObject>(kind: Kind, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const { namespace, labelSelector, fieldSelector, resourceVersion, signal, bookmarks } = options
    try {
      signal?.throwIfAborted()
      const response = await this.#transport.open(pathOf(kind, { namespace }), {
        query: {
          watch: 'true',
          labelSelector,
          fieldSelector,
          resourceVersion,
          allowWatchBookmarks: bookmarks === true ? 'true' : undefined,
        },
        ...(signal !== undefined && { signal }),
      })
      response.setEncoding('utf8')
      if (response.statusCode !== 200) {
        let text = ''
        for await (const piece of response) text += piece as string
        throw errorOf({ status: response.statusCode ?? 0, text, headers: response.headers })
      }
      try {
        for await (const line of linesOf(response)) yield eventOf<T>(line)
      } finally {
        response.destroy()
      }
    } catch (error) {
      // It may have been aborted since.
      if (options.signal?.aborted === true) return
      throw error instanceof StoreError ? error : unreachable(error)
    }
  }

  async create<T extends KubeObject>(kind: Kind, object: T, options: WriteOptions = {}): Promise<T> {
    const path = pathOf(kind, { namespace: object.metadata.namespace })
    return this.#write<T>(path, { method: 'POST', body: object }, options)
  }

  async update<T extends KubeObject>(kind: Kind, object: T, options: WriteOptions = {}): Promise<T> {
    const { namespace, name } = object.metadata
    return this.#write<T>(
      pathOf(kind, { namespace, name }, options.subresource),
      { method: 'PUT', body: object },
      options,
    )
  }

  async patch<T extends KubeObject>(kind: Kind, key: ObjectKey, patch: Patch, options: WriteOptions = {}): Promise<T> {
    return this.#write<T>(
      pathOf(kind, key, options.subresource),
      {
        method: 'PATCH',
        contentType: PATCH_TYPES[patch.type],
        body: patch.body,
        ...(patch.type === 'apply' && patch.force === true && { query: { force: 'true' } }),
      },
      options,
    )
  }

  async delete<T extends KubeObject>(kind: Kind, key: ObjectKey, options: DeleteOptions = {}): Promise<T> {
    const { gracePeriodSeconds, propagation, preconditions, dryRun } = options
    const before = await this.get<T>(kind, key)
    const answer = await this.#ask(pathOf(kind, key), {
      method: 'DELETE',
      body: {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
        ...(propagation !== undefined && { propagationPolicy: propagation }),
        ...(preconditions !== undefined && { preconditions }),
        ...(dryRun === true && { dryRun: ['All'] }),
      },
    })
    const body = bodyOf<T | StatusBody>(answer)
    // A server may answer with a Status when the object is gone at once.
    if ('metadata' in body && body.kind === kind.kind) return body
    return before ?? (body as T)
  }

  close(): void {
    this.#transport.close()
  }

  async #write<T>(path: string, request: TransportRequest, options: WriteOptions): Promise<T> {
    const { fieldManager, dryRun, fieldValidation, onWarning } = options
    const query = { ...request.query, fieldManager, fieldValidation, dryRun: dryRun === true ? 'All' : undefined }
    const answer = await this.#ask(path, { ...request, query })
    if (onWarning !== undefined) for (const warning of warningsOf(answer)) onWarning(warning)
    return bodyOf<T>(answer)
  }

  async #ask(path: string, request: TransportRequest = {}): Promise<TransportAnswer> {
    try {
      return await this.#transport.ask(path, request)
    } catch (error) {
      throw unreachable(error)
    }
  }
}

/** The path of a kind's collection, or of one object in it, or of a part of that. Pure. */
export function pathOf(
  kind: Kind,
  { namespace, name }: { readonly namespace?: string | undefined; readonly name?: string | undefined } = {},
  subresource?: string,
): string {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`
  const scope = kind.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  const object = name === undefined || name === '' ? '' : `/${encodeURIComponent(name)}`
  return `${root}${scope}/${kind.plural}${object}${subresource === undefined ? '' : `/${subresource}`}`
}

function eventOf<T extends KubeObject>(line: string): WatchEvent<T> {
  const event = JSON.parse(line) as { readonly type: string; readonly object: T & StatusBody }
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type: event.type, object: event.object }
    case 'BOOKMARK':
      return { type: 'BOOKMARK', resourceVersion: event.object.metadata.resourceVersion ?? '' }
    default:
      throw statusError(event.object, event.object.code ?? 500)
  }
}

function bodyOf<T>(answer: TransportAnswer): T {
  if (answer.status >= 300) throw errorOf(answer)
  return JSON.parse(answer.text) as T
}

function errorOf({ status, text }: TransportAnswer): StoreError {
  let body: StatusBody
  try {
    body = JSON.parse(text) as StatusBody
  } catch {
    // A proxy in between, or a server that is not one of Kubernetes.
    body = { message: text.trim() === '' ? `the API answered ${status}` : text.trim() }
  }
  return statusError(body, status)
}

function statusError({ reason, message, details }: StatusBody, status: number): StoreError {
  return new StoreError(reason ?? REASONS[status] ?? 'InternalError', message ?? `the API answered ${status}`, {
    ...(details !== undefined && { details }),
  })
}

function unreachable(error: unknown): StoreError {
  return new StoreError('ServiceUnavailable', `the API does not answer: ${(error as Error).message}`, { cause: error })
}

/** Of `Warning: 299 - "text"` headers (RFC 7234 §5.5). */
function warningsOf({ headers }: TransportAnswer): readonly string[] {
  const header = headers['warning']
  const text = Array.isArray(header) ? header.join(', ') : (header ?? '')
  return [...text.matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, quoted = '']) =>
    quoted.replaceAll(/\\(.)/g, '$1'),
  )
}
