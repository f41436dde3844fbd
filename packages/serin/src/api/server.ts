/**
 * The Kubernetes-compatible HTTPS face of the embedded store. From top to bottom: who is it, may they, what is it about, do it,
 * answer in the form asked for; every error becomes a Status.
 */
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { EmbeddedStore } from '../store/embedded.ts'
import { StoreError } from '../store/store.ts'
import { attributesOf, authenticate, authorize, type ApiToken, type User } from './access.ts'
import type { IncludeObject } from './answer.ts'
import { readBody } from './body.ts'
import { serveDocument } from './documents.ts'
import { checkOrigin, urlOf } from './guard.ts'
import { negotiate, type Representation } from './negotiate.ts'
import { integer, isTrue, listOptions } from './options.ts'
import { connectPod, serveLog, servePodAction, type PodHandlers } from './pods.ts'
import {
  serveCreate,
  serveDelete,
  serveDeleteCollection,
  serveGet,
  serveList,
  servePatch,
  serveUpdate,
  verbOf,
  type Answer,
  type ResourceRequest,
} from './resources.ts'
import { review } from './reviews.ts'
import { route as routeOf, type ResourceRoute, type Route, type Verb } from './route.ts'
import { serveScale } from './scale.ts'
import { serveMetrics, type MetricsHandlers } from './metrics.ts'
import { emptyList, refusal } from './refused.ts'
import { notFound } from '../store/registry.ts'
import { send, sendError } from './reply.ts'
import { noSuchResource, notAllowed, statusOf } from './status.ts'
import { serveWatch } from './watch.ts'

/** Time for a whole request head, and for a whole request, to come in. */
const HEAD_MS_MAX = 10_000
const REQUEST_MS_MAX = 60_000
/** An idle connection is closed after this. */
const IDLE_MS_MAX = 120_000
const HEAD_BYTES_MAX = 64 * 1024
const CONNECTIONS_MAX = 2_000
/** A watch of a kind that has no objects ends after this. */
const REFUSED_WATCH_SECONDS = 1800

export interface ApiOptions {
  readonly store: EmbeddedStore
  readonly listen: { readonly host: string; readonly port: number }
  /** PEM. */
  readonly tls: { readonly certificate: string; readonly key: string }
  readonly tokens: readonly ApiToken[]
  /** Further names a client may call this server by (`Host`); addresses and `localhost` always may. */
  readonly hosts?: readonly string[]
  /** What pods' subresources do; without one it is refused with a reason. */
  readonly pods?: PodHandlers
  /** metrics.k8s.io; without it `kubectl top` says that it is not available. */
  readonly metrics?: MetricsHandlers
}

export interface Api {
  readonly address: { readonly host: string; readonly port: number }
  readonly url: string
  /** Takes a new certificate for connections from now on. */
  renew(tls: ApiOptions['tls']): void
  /** Ends watches and connections. */
  close(): Promise<void>
}

/** Throws the error of the listening socket (`EADDRINUSE`). */
export async function startApi(options: ApiOptions): Promise<Api> {
  const server = createServer(
    {
      cert: options.tls.certificate,
      key: options.tls.key,
      minVersion: 'TLSv1.2',
      maxHeaderSize: HEAD_BYTES_MAX,
      headersTimeout: HEAD_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      keepAliveTimeout: IDLE_MS_MAX,
      noDelay: true,
    },
    (request, response) => void handle(options, request, response), // Answers every error itself.
  )
  server.maxConnections = CONNECTIONS_MAX
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void upgrade(options, request, socket, head) // Answers every error itself.
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.listen.port, options.listen.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const { port } = server.address() as AddressInfo
  const { host } = options.listen
  return {
    address: { host, port },
    url: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    renew: ({ certificate, key }) => server.setSecureContext({ cert: certificate, key }),
    close: () => close(server),
  }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

async function handle(options: ApiOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const warnings: string[] = []
  try {
    await serve({ options, request, response, onWarning: (text) => warnings.push(text) }, warnings)
  } catch (error) {
    sendError(response, error, { warnings, isHead: request.method === 'HEAD' })
  }
}

interface Exchange {
  readonly options: ApiOptions
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly onWarning: (text: string) => void
}

async function serve(exchange: Exchange, warnings: string[]): Promise<void> {
  const { options, request, response } = exchange
  checkOrigin(options, request)
  const { path, query } = urlOf(request)
  const user = authenticate(request.headers, options.tokens)
  const route = routeOrBadRequest(path)
  const verb = verbFor(route, request.method ?? 'GET', query)
  authorize(user, attributesOf(route, verb, request.method ?? 'GET', path))
  if (route.type === 'resource' && verb !== 'watch' && verb !== 'connect') verbOf(request.method ?? '', route)
  const answered = await dispatch(exchange, { route, verb, query, user, path, warnings })
  if (answered === undefined) return
  const representation = route.type === 'resource' ? negotiate(request.headers.accept) : { format: 'json' as const }
  send(response, answered, { representation, warnings, isPretty: isTrue(query.get('pretty')) })
}

interface Asked {
  readonly route: Route
  readonly verb: Verb
  readonly query: URLSearchParams
  readonly user: User
  readonly path: string
  readonly warnings: string[]
}

/** Undefined: it was answered already. */
async function dispatch(exchange: Exchange, asked: Asked): Promise<Answer | undefined> {
  const { request, response, options } = exchange
  const { route, query, user, path } = asked
  switch (route.type) {
    case 'resource':
      return serveResource(exchange, asked, route)
    case 'review':
      if (request.method !== 'POST') throw notAllowed()
      return { code: 201, body: review(route.plural, user, parse(await readBody(request))) }
    case 'refused':
      return serveRefused(exchange, asked, route)
    case 'metrics':
      if (request.method !== 'GET') throw notAllowed()
      return { code: 200, body: await serveMetrics(options.metrics, options.store, route, query) }
    case 'no-resource':
      throw noSuchResource()
    case 'discovery':
    case 'document':
    case 'not-found':
      serveDocument({
        route,
        request,
        response,
        path,
        isReady: true,
        address: request.headers.host ?? '',
        hasMetrics: options.metrics !== undefined,
      })
      return undefined
  }
}

/** Its list is empty for ever; a watch of it waits. */
async function serveRefused(
  { options, request, response }: Exchange,
  { query }: Asked,
  { kind, name, watchPath }: Extract<Route, { type: 'refused' }>,
): Promise<Answer | undefined> {
  if (request.method !== 'GET') {
    const body =
      request.method === 'POST'
        ? (parse(await readBody(request)) as { metadata?: { name?: string } } | null)
        : undefined
    throw refusal(kind, name ?? body?.metadata?.name ?? '')
  }
  if (name !== undefined) throw notFound(kind, name)
  if (!watchPath && !isTrue(query.get('watch')))
    return { code: 200, body: emptyList(kind, String(options.store.revision)) }
  response.writeHead(200, { 'Content-Type': 'application/json' })
  response.flushHeaders()
  const seconds = integer(query, 'timeoutSeconds') ?? REFUSED_WATCH_SECONDS
  const timer = setTimeout(() => response.end(), seconds * 1000)
  response.on('close', () => clearTimeout(timer))
  return undefined
}

async function serveResource(
  exchange: Exchange,
  { query, verb }: Asked,
  route: ResourceRoute,
): Promise<Answer | undefined> {
  const { options, request, onWarning } = exchange
  if (route.kind.kind === 'Endpoints')
    onWarning('v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice')
  const representation = negotiate(request.headers.accept)
  const resource: ResourceRequest = {
    store: options.store,
    route,
    request,
    query,
    representation,
    include: includeOf(query),
    onWarning,
  }
  if (route.subresource !== undefined && route.subresource !== 'status') return serveSubresource(exchange, resource)
  switch (verb) {
    case 'watch': {
      await serveWatchRequest(exchange, resource, representation)
      return undefined
    }
    case 'list':
      return serveList(resource, listOptions(query))
    case 'get':
      return serveGet(resource)
    case 'create':
      return serveCreate(resource)
    case 'update':
      return serveUpdate(resource)
    case 'patch':
      return servePatch(resource)
    case 'delete':
      return serveDelete(resource)
    case 'deletecollection':
      if (resource.route.kind.kind === 'Namespace') throw notAllowed()
      return serveDeleteCollection(resource, listOptions(query))
    case 'connect':
      throw notAllowed()
  }
}

async function serveWatchRequest(
  { options, response }: Exchange,
  resource: ResourceRequest,
  representation: Representation,
): Promise<void> {
  const { route, query, include } = resource
  const watchQuery = new URLSearchParams(query)
  watchQuery.set('watch', '1')
  await serveWatch(
    {
      store: options.store,
      route,
      options: listOptions(watchQuery),
      bookmarks: isTrue(query.get('allowWatchBookmarks')),
      timeoutSeconds: integer(query, 'timeoutSeconds'),
      representation,
      include,
    },
    response,
  )
}

async function serveSubresource(
  { options, response }: Exchange,
  resource: ResourceRequest,
): Promise<Answer | undefined> {
  const { route } = resource
  if (route.subresource === 'scale') return serveScale(resource)
  if (route.kind.group !== '' || route.kind.kind !== 'Pod') {
    if (route.kind.kind === 'Namespace' && route.subresource === 'finalize')
      return serveUpdate({ ...resource, route: withoutSubresource(route) })
    throw noSuchResource()
  }
  if (route.subresource === 'log') {
    await serveLog(options.pods, resource, response)
    return undefined
  }
  return servePodAction(options.pods, resource)
}

function withoutSubresource({ subresource, ...route }: ResourceRoute): ResourceRoute {
  void subresource
  return route
}

async function upgrade(options: ApiOptions, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  socket.on('error', () => socket.destroy())
  try {
    checkOrigin(options, request)
    const { path, query } = urlOf(request)
    const user = authenticate(request.headers, options.tokens)
    const route = routeOrBadRequest(path)
    authorize(user, attributesOf(route, 'connect', request.method ?? 'GET', path))
    if (route.type !== 'resource' || route.kind.kind !== 'Pod') throw notAllowed()
    await connectPod({ handlers: options.pods, store: options.store, route, query, request, socket, head })
  } catch (error) {
    const status = statusOf(error)
    const body = JSON.stringify(status)
    socket.end(
      `HTTP/1.1 ${status.code} ${status.reason ?? 'Error'}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    )
  }
}

function verbFor(route: Route, method: string, query: URLSearchParams): Verb {
  if (route.type !== 'resource') return method === 'POST' ? 'create' : method === 'GET' ? 'get' : 'update'
  if (method === 'GET' && route.subresource === undefined) {
    if (route.watchPath || (route.name === undefined && isTrue(query.get('watch')))) return 'watch'
  }
  if (
    route.subresource !== undefined &&
    ['exec', 'attach', 'portforward', 'eviction', 'binding'].includes(route.subresource)
  )
    return 'connect'
  try {
    return verbOf(method, route)
  } catch {
    return 'get'
  }
}

function routeOrBadRequest(path: string): Route {
  try {
    return routeOf(path)
  } catch {
    throw new StoreError('BadRequest', 'the path is not well-formed')
  }
}

function includeOf(query: URLSearchParams): IncludeObject {
  const given = query.get('includeObject')
  return given === 'None' || given === 'Object' ? given : 'Metadata'
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new StoreError('BadRequest', 'the body is not JSON')
  }
}
