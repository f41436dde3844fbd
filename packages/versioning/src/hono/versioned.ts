/** `versioned(define, options)`: a Hono app that serves each route in all versions it belongs to; mount it with `app.route`. */

import { Hono, type Context, type Env, type MiddlewareHandler, type Next } from 'hono'
import { echoHeader } from '../core/answers.ts'
import { compilePath } from '../core/paths.ts'
import { makeApiPlan, type ApiOptions } from '../core/plan.ts'
import type { Outcome } from '../core/negotiate.ts'
import type { KnownVersionText } from '../core/register.ts'
import { strictPaths } from '../core/shape.ts'
import { exchange, linesOf, makeService, problemResponse, sourceOf, type Entry, type Service } from '../web/entry.ts'
import { collect, corePath, runRow, type HonoPayload } from './collect.ts'

declare module 'hono' {
  interface ContextVariableMap {
    /** The version that serves this request; undefined on neutral and unversioned routes. */
    apiVersion: KnownVersionText | undefined
  }
}

/** Makes an app of routes that name versions. Throws a `VersioningError` at once if they contradict each other. */
export function versioned<E extends Env = Env>(define: (api: Hono<E>) => void, options: ApiOptions = {}): Hono<E> {
  const plan = makeApiPlan(collect(define), options, strictPaths)
  for (const warning of plan.warnings) console.warn(warning.message)
  const service = makeService(plan)
  const app = new Hono()
  for (const { method, path, payload } of bySpecificity(plan.table.neutral.map((declaration) => ({ declaration })))) {
    on(app, method, path, (context, next) => runRow(context, payload, path, next))
  }
  for (const { prefix, entries } of service.byUrl) {
    for (const { entry, method, path } of bySpecificity(
      entries.map((item) => ({ declaration: item.declaration, entry: item })),
    )) {
      on(app, method, `${prefix}${path}`, entryHandler(service, entry))
    }
  }
  if (plan.negotiation !== undefined) addNegotiated(app, service)
  return app as unknown as Hono<E>
}

/** Hono takes the first route that matches, so more specific ones have to come first. */
function bySpecificity<Item extends { readonly declaration: Entry<HonoPayload>['declaration'] }>(
  items: readonly Item[],
): readonly (Item & { readonly method: string; readonly path: string; readonly payload: HonoPayload })[] {
  return items
    .map((item) => ({
      ...item,
      method: item.declaration.method,
      path: item.declaration.path,
      payload: item.declaration.payload,
      rank: compilePath(corePath(item.declaration.path), undefined).rank,
    }))
    .sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0))
}

/** The root under a prefix has two spellings. */
function on(app: Hono, method: string, path: string, handler: MiddlewareHandler): void {
  const bare = path.replace(/\/$/, '')
  if (path.endsWith('/') && bare !== '') app.on(method, bare, handler)
  app.on(method, path, handler)
}

function entryHandler(service: Service<HonoPayload>, entry: Entry<HonoPayload>): MiddlewareHandler {
  const { payload } = entry.declaration
  return async (context, next) => {
    context.set('apiVersion', entry.version.text as KnownVersionText)
    const path = context.req.path
    const baseSegments = prefixIndex(path, entry.prefix)
    const input = {
      service,
      entry,
      request: context.req.raw,
      params: context.req.param() as Record<string, string>,
      baseSegments,
    }
    try {
      const response = await exchange(input, async (request) => {
        if (request !== context.req.raw) replaceRequest(context, request)
        await runRow(context, payload, relativePath(path, baseSegments, entry.prefix), next)
        return context.res
      })
      replaceResponse(context, response)
    } catch (error) {
      // The error handler of the app makes the answer; these lines come with it.
      for (const [name, value] of linesOf(input)) context.header(name, value)
      if (entry.negotiated && service.plan.negotiation !== undefined)
        context.header('vary', service.plan.negotiation.vary)
      throw error
    }
  }
}

/** Where the version's prefix begins: the app may be mounted anywhere. */
function prefixIndex(path: string, prefix: string): number {
  const segments = path.split('/')
  const wanted = prefix.split('/').slice(1)
  const found = segments.findIndex(
    (_segment, index) => index > 0 && wanted.every((part, offset) => segments[index + offset] === part),
  )
  return Math.max(found, 1)
}

function relativePath(path: string, baseSegments: number, prefix: string): string {
  const rest = path.split('/').slice(baseSegments + prefix.split('/').length - 1)
  return `/${rest.join('/')}`
}

function replaceRequest(context: Context, request: Request): void {
  context.req.raw = request
  context.req.bodyCache = {}
}

/** Setting a response merges the headers of the one before; here the new one has them all. */
function replaceResponse(context: Context, response: Response): void {
  if (context.res === response) return
  context.res = undefined
  context.res = response
}

/** All versions at one address: each passes on what is not its own; at the end it is said why nobody answered. */
function addNegotiated(app: Hono, service: Service<HonoPayload>): void {
  const outcomes = new WeakMap<Context, Outcome | Promise<Outcome> | undefined>()
  const outcomeOf = (context: Context): Outcome | Promise<Outcome> | undefined => {
    if (!outcomes.has(context)) outcomes.set(context, service.plan.negotiation?.ask(sourceOf(context.req.raw)))
    return outcomes.get(context)
  }
  const handlers = new Map<Entry<HonoPayload>['declaration'], Map<string, MiddlewareHandler>>()
  for (const entry of [...service.negotiated.values()].flat()) {
    const byVersion = handlers.get(entry.declaration) ?? new Map<string, MiddlewareHandler>()
    handlers.set(entry.declaration, byVersion.set(entry.version.text, entryHandler(service, entry)))
  }
  const entries = bySpecificity([...handlers].map(([declaration, byVersion]) => ({ declaration, byVersion })))
  for (const { byVersion, method, path } of entries) {
    on(app, method, path, async (context, next) => {
      const outcome = await outcomeOf(context)
      const handler = outcome?.kind === 'version' ? byVersion.get(outcome.version.text) : undefined
      return handler === undefined ? next() : handler(context, next)
    })
  }
  const ends = new Map(entries.map(({ method, path }) => [`${method} ${path}`, { method, path }]))
  for (const { method, path } of ends.values())
    on(app, method, path, (context, next) => refuse(service, outcomeOf, context, next))
}

async function refuse(
  service: Service<HonoPayload>,
  outcomeOf: (context: Context) => Outcome | Promise<Outcome> | undefined,
  context: Context,
  next: Next,
): Promise<Response | undefined> {
  const outcome = await outcomeOf(context)
  const { plan } = service
  const vary = plan.negotiation?.vary ?? ''
  if (vary !== '') context.header('vary', vary, { append: true })
  if (plan.options.report === true) for (const [name, value] of service.reportLines()) context.header(name, value)
  if (outcome?.kind === 'problem') {
    const response = problemResponse(outcome.problem)
    return context.body(await response.text(), response.status as 400, Object.fromEntries(response.headers))
  }
  const name = echoHeader(plan, true)
  if (name !== undefined && outcome !== undefined) context.header(name, outcome.version.text)
  await next()
  return undefined
}
