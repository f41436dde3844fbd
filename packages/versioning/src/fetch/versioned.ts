/**
 * Versioned routes for everything that speaks `fetch`: `versioned(define, options).fetch(request)`.
 * It brings a small router of its own, since there is none to build upon.
 */

import { echoHeader, varyWith } from '../core/answers.ts'
import { throwErrors, type Diagnostic } from '../core/diagnostics.ts'
import { callerOrigin } from '../core/origin.ts'
import { compilePath, decodePath, matchPath, sortPatterns, type PathPattern } from '../core/paths.ts'
import { makeApiPlan, type ApiOptions } from '../core/plan.ts'
import { problem, problemMediaType } from '../core/problems.ts'
import type { KnownVersionText } from '../core/register.ts'
import { pathShape, strictPaths } from '../core/shape.ts'
import type { Declaration } from '../core/table.ts'
import {
  exchange,
  makeService,
  problemResponse,
  sourceOf,
  type Entry,
  type RouteMarks,
  type Service,
} from '../web/entry.ts'

/** What a handler gets beside the request. */
export interface RouteContext {
  /** Percent-decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** undefined on neutral routes. */
  readonly apiVersion: KnownVersionText | undefined
}

/** Returns a `Response`, or anything else to be sent as JSON (`undefined`: 204). */
export type FetchHandler = (request: Request, context: RouteContext) => unknown

type Add = {
  (path: string, handler: FetchHandler): RouteBuilder
  (path: string, marks: RouteMarks, handler: FetchHandler): RouteBuilder
}

/** Declares routes; each call returns the builder again. */
export interface RouteBuilder {
  readonly get: Add
  readonly post: Add
  readonly put: Add
  readonly patch: Add
  readonly delete: Add
  readonly head: Add
  readonly options: Add
  readonly route: (
    methods: string | readonly string[],
    path: string,
    marks: RouteMarks,
    handler: FetchHandler,
  ) => RouteBuilder
}

export interface FetchOptions extends ApiOptions {
  /** Where the API is mounted: `/api`. Default: the root. */
  readonly base?: string
  /** Answers what matches nothing. Default: 404 with a problem document. */
  readonly notFound?: (request: Request) => Response | Promise<Response>
  /** Answers when a handler throws. Default: 500 with a problem document; the error goes to `console.error`. */
  readonly onError?: (error: unknown, request: Request) => Response | Promise<Response>
}

export interface VersionedApi {
  readonly fetch: (request: Request) => Promise<Response>
  /** Texts, ascending. */
  readonly versions: readonly string[]
}

interface Payload {
  readonly handler: FetchHandler
  readonly marks: RouteMarks
}

/** Compiles the routes at once. Throws a `VersioningError` if they contradict each other. */
export function versioned(define: (api: RouteBuilder) => void, options: FetchOptions = {}): VersionedApi {
  const declarations = collect(define)
  const plan = makeApiPlan(declarations, options, strictPaths)
  for (const warning of plan.warnings) console.warn(warning.message)
  const service = makeService(plan)
  const routers = routersOf(service, options)
  return {
    versions: plan.table.versions.map((version) => version.text),
    fetch: async (request) => {
      try {
        return withoutBody(request, await answer(service, routers, options, request))
      } catch (error) {
        return onError(error, request, options)
      }
    },
  }
}

function collect(define: (api: RouteBuilder) => void): readonly Declaration<Payload>[] {
  const declarations: Declaration<Payload>[] = []
  const diagnostics: Diagnostic[] = []
  const add = (methods: readonly string[], path: string, marks: RouteMarks, handler: unknown): RouteBuilder => {
    const origin = callerOrigin()
    if (typeof handler !== 'function' || !path.startsWith('/')) {
      const message = path.startsWith('/')
        ? 'the handler is no function'
        : `the path ${JSON.stringify(path)} has to begin with a slash`
      diagnostics.push({
        severity: 'error',
        code: 'route-refused',
        message,
        route: `${methods.join(',')} ${path}`,
        ...(origin === undefined ? {} : { origin }),
      })
      return builder
    }
    for (const method of methods) {
      const { version, overrides = false } = marks
      declarations.push({
        method: method.toUpperCase(),
        path,
        shape: pathShape(path),
        version,
        overrides,
        origin,
        payload: { handler: handler as FetchHandler, marks },
      })
    }
    return builder
  }
  const shorthand = (method: string): Add =>
    ((path: string, first: RouteMarks | FetchHandler, second?: FetchHandler) =>
      typeof first === 'function' ? add([method], path, {}, first) : add([method], path, first, second)) as Add
  const builder: RouteBuilder = {
    get: shorthand('GET'),
    post: shorthand('POST'),
    put: shorthand('PUT'),
    patch: shorthand('PATCH'),
    delete: shorthand('DELETE'),
    head: shorthand('HEAD'),
    options: shorthand('OPTIONS'),
    route: (methods, path, marks, handler) => add([methods].flat() as readonly string[], path, marks, handler),
  }
  define(builder)
  throwErrors(diagnostics)
  return declarations
}

/** Patterns by method. */
type Router = ReadonlyMap<string, readonly PathPattern<Entry<Payload> | Declaration<Payload>>[]>

interface Routers {
  /** Longest prefix first. */
  readonly byUrl: readonly { readonly prefix: string; readonly router: Router }[]
  readonly neutral: Router
  readonly negotiated: ReadonlyMap<string, Router>
  /** Whether any version has this path: only then the version of a request matters. */
  readonly anyVersion: Router
}

function routersOf({ byUrl, negotiated, plan }: Service<Payload>, { base = '' }: FetchOptions): Routers {
  const entries = [...negotiated.values()].flat()
  return {
    byUrl: byUrl
      .map(({ prefix, entries: own }) => ({ prefix: `${trimmed(base)}${prefix}`, router: routerOf(own) }))
      .sort((a, b) => b.prefix.length - a.prefix.length),
    neutral: routerOf(plan.table.neutral),
    negotiated: new Map([...negotiated].map(([text, own]) => [text, routerOf(own)])),
    anyVersion: routerOf(entries),
  }
}

function trimmed(base: string): string {
  return base.replace(/\/$/, '')
}

function routerOf(items: readonly (Entry<Payload> | Declaration<Payload>)[]): Router {
  const byMethod = new Map<string, PathPattern<Entry<Payload> | Declaration<Payload>>[]>()
  for (const item of items) {
    const { method, path } = 'declaration' in item ? item.declaration : item
    byMethod.set(method, [...(byMethod.get(method) ?? []), compilePath(path, item)])
  }
  return new Map([...byMethod].map(([method, patterns]) => [method, sortPatterns(patterns)]))
}

interface Hit {
  readonly item: Entry<Payload> | Declaration<Payload>
  readonly params: Readonly<Record<string, string>>
}

/** A route for this method and path; HEAD is answered by GET where it has no route. */
function find(router: Router, method: string, path: string): Hit | undefined {
  const hit =
    matchPath(router.get(method) ?? [], path) ??
    (method === 'HEAD' ? matchPath(router.get('GET') ?? [], path) : undefined)
  return hit === undefined ? undefined : { item: hit.value, params: hit.params }
}

function methodsFor(router: Router, path: string): readonly string[] {
  return [...router]
    .filter(([, patterns]) => matchPath(patterns, path) !== undefined)
    .map(([method]) => method)
    .sort()
}

async function answer(
  service: Service<Payload>,
  routers: Routers,
  options: FetchOptions,
  request: Request,
): Promise<Response> {
  const full = decodePath(new URL(request.url).pathname)
  const base = trimmed(options.base ?? '')
  const misses: string[] = []
  for (const { prefix, router } of full === undefined ? [] : routers.byUrl) {
    const path = under(prefix, full as string)
    const hit = path === undefined ? undefined : find(router, request.method, path)
    if (hit !== undefined) return run(service, options, request, hit)
    if (path !== undefined) misses.push(...methodsFor(router, path))
  }
  const path = full === undefined ? undefined : under(base, full)
  if (path === undefined) return notFound(options, request)
  const neutral = find(routers.neutral, request.method, path)
  if (neutral !== undefined) return run(service, options, request, neutral)
  const negotiated =
    service.plan.negotiation === undefined ? undefined : await negotiate(service, routers, options, { request, path })
  return negotiated ?? notAllowed(options, request, [...misses, ...methodsFor(routers.neutral, path)])
}

/** The rest of a path below a prefix, `/` at least; undefined if it lies elsewhere. */
function under(prefix: string, path: string): string | undefined {
  if (path === prefix) return '/'
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : undefined
}

interface Asked {
  readonly request: Request
  readonly path: string
}

async function negotiate(
  service: Service<Payload>,
  routers: Routers,
  options: FetchOptions,
  { request, path }: Asked,
): Promise<Response | undefined> {
  const known = methodsFor(routers.anyVersion, path)
  if (known.length === 0) return undefined
  const outcome = await service.plan.negotiation?.ask(sourceOf(request))
  if (outcome === undefined) return undefined
  const vary = service.plan.negotiation?.vary ?? ''
  if (outcome.kind === 'problem')
    return withLines(problemResponse(outcome.problem), vary, options.report === true ? service.reportLines() : [])
  const router = routers.negotiated.get(outcome.version.text) ?? new Map<string, never>()
  const hit = find(router, request.method, path)
  if (hit !== undefined) return run(service, options, request, hit)
  const name = echoHeader(service.plan, true)
  const lines = name === undefined ? [] : ([[name, outcome.version.text]] as const)
  return withLines(await notAllowed(options, request, methodsFor(router, path)), vary, lines)
}

function withLines(response: Response, vary: string, lines: readonly (readonly [string, string])[]): Response {
  const result = new Response(response.body, response)
  if (vary !== '') result.headers.set('vary', varyWith(result.headers.get('vary') ?? undefined, vary))
  for (const [name, value] of lines) result.headers.set(name, value)
  return result
}

async function run(
  service: Service<Payload>,
  options: FetchOptions,
  request: Request,
  { item, params }: Hit,
): Promise<Response> {
  const declaration = 'declaration' in item ? item.declaration : item
  const apiVersion = 'declaration' in item ? (item.version.text as KnownVersionText) : undefined
  const call = async (seen: Request): Promise<Response> => {
    try {
      const query = new URL(seen.url).searchParams
      return toResponse(await declaration.payload.handler(seen, { params, query, apiVersion }))
    } catch (error) {
      return onError(error, request, options)
    }
  }
  if (!('declaration' in item)) return call(request)
  const baseSegments = trimmed(options.base ?? '').split('/').length
  return exchange({ service, entry: item, request, params, baseSegments }, call)
}

function toResponse(value: unknown): Response {
  if (value instanceof Response) return value
  return value === undefined ? new Response(null, { status: 204 }) : Response.json(value)
}

function withoutBody(request: Request, response: Response): Response {
  return request.method === 'HEAD' && response.body !== null ? new Response(null, response) : response
}

async function notFound({ notFound: own }: FetchOptions, request: Request): Promise<Response> {
  return own === undefined ? plainProblem(404, 'Not Found') : own(request)
}

async function notAllowed(options: FetchOptions, request: Request, allowed: readonly string[]): Promise<Response> {
  if (allowed.length === 0) return notFound(options, request)
  const list = [...new Set(allowed)].sort().join(', ')
  const detail = `${request.method} is not allowed here; allowed are ${list}.`
  return problemResponse(problem({ kind: 'method', detail }, options.problems), [['allow', list]])
}

async function onError(error: unknown, request: Request, options: FetchOptions): Promise<Response> {
  if (options.onError !== undefined) return options.onError(error, request)
  if (error instanceof SyntaxError) return plainProblem(400, 'Bad Request')
  console.error(error)
  return plainProblem(500, 'Internal Server Error')
}

function plainProblem(status: number, title: string): Response {
  return new Response(JSON.stringify({ type: 'about:blank', title, status }), {
    status,
    headers: { 'content-type': problemMediaType },
  })
}
