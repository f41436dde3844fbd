/** Routes of a Hono app → declarations. A route is a row of handlers for one method and path; one of them may be the mark that `version()` makes. */

import { Hono, type Context, type Env, type Handler, type MiddlewareHandler, type Next } from 'hono'
import type { Origin } from '../core/diagnostics.ts'
import { callerOrigin } from '../core/origin.ts'
import { compilePath } from '../core/paths.ts'
import type { VersionInput } from '../core/register.ts'
import { pathShape } from '../core/shape.ts'
import type { Declaration } from '../core/table.ts'
import type { RouteMarks } from '../web/entry.ts'

/** Middleware in front of a route, as far as its path applies. */
interface Guarding {
  readonly regex: RegExp
  readonly handler: Handler
}

export interface HonoPayload {
  readonly marks: RouteMarks
  readonly before: readonly Guarding[]
  readonly handlers: readonly Handler[]
}

const marksKey = Symbol('serin.versioning.marks')

interface Marked {
  readonly [marksKey]?: { readonly marks: RouteMarks; readonly origin: Origin | undefined }
}

/** Marks a route: `api.get('/', version(2), (c) => …)`. As middleware it does nothing. */
export function version(input: VersionInput, marks: Omit<RouteMarks, 'version'> = {}): MiddlewareHandler {
  const mark: MiddlewareHandler = (_context, next) => next()
  return Object.assign(mark, { [marksKey]: { marks: { ...marks, version: input }, origin: callerOrigin() } })
}

/** What `app.all` stands for. HEAD is a GET for Hono. */
const allMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Lets the user declare on an app of its own, and reads what it got. */
export function collect<E extends Env>(define: (api: Hono<E>) => void): readonly Declaration<HonoPayload>[] {
  const api = new Hono<E>()
  const calls = recordCalls(api as unknown as Hono)
  define(api)
  return declarationsOf(rowsOf(api as unknown as Hono, calls))
}

/** One call of a route method, by the index of its first handler. */
interface Call {
  readonly middleware: boolean
  readonly origin: Origin | undefined
}

function recordCalls(api: Hono): ReadonlyMap<number, Call> {
  const calls = new Map<number, Call>()
  const target = api as unknown as Record<string, (...args: unknown[]) => unknown>
  for (const name of ['get', 'post', 'put', 'patch', 'delete', 'options', 'all', 'on', 'use']) {
    const original = target[name]
    if (original === undefined) continue
    target[name] = (...args) => {
      calls.set(api.routes.length, { middleware: name === 'use', origin: callerOrigin() })
      return original.apply(api, args)
    }
  }
  return calls
}

interface Row {
  readonly method: string
  readonly path: string
  readonly middleware: boolean
  readonly origin: Origin | undefined
  readonly marks: RouteMarks
  readonly handlers: Handler[]
}

/** Handlers of one method and path in a row belong together, until the next call or the next mark. */
function rowsOf(api: Hono, calls: ReadonlyMap<number, Call>): readonly Row[] {
  const rows: Row[] = []
  for (const [index, { method, path, handler }] of api.routes.entries()) {
    const call = calls.get(index)
    const mark = markOf(handler as Handler)
    const last = rows.at(-1)
    const joined =
      last !== undefined && last.method === method && last.path === path && call === undefined && mark === undefined
    const row = joined
      ? last
      : {
          method,
          path,
          middleware: call?.middleware ?? (method === 'ALL' && mark === undefined),
          origin: mark?.origin ?? call?.origin,
          marks: mark?.marks ?? {},
          handlers: [],
        }
    if (!joined) rows.push(row)
    if (mark === undefined) row.handlers.push(handler as Handler)
  }
  return joinMarks(rows)
}

/** A mark that is not the first handler of its call begins a row of its own: what stands before it in the same call belongs to it. */
function joinMarks(rows: readonly Row[]): readonly Row[] {
  const result: Row[] = []
  for (const row of rows) {
    const last = result.at(-1)
    const sameCall =
      last !== undefined &&
      last.method === row.method &&
      last.path === row.path &&
      row.marks.version !== undefined &&
      last.marks.version === undefined &&
      !last.middleware
    if (sameCall && row.origin?.line === last.origin?.line)
      result[result.length - 1] = { ...row, handlers: [...last.handlers, ...row.handlers] }
    else result.push(row)
  }
  return result
}

/** Hono wraps handlers of an app with an error handler of its own, and keeps the original beside. */
function markOf(handler: Handler): Required<Marked>[typeof marksKey] | undefined {
  const { __COMPOSED_HANDLER: original } = handler as { __COMPOSED_HANDLER?: Handler & Marked }
  return (handler as Handler & Marked)[marksKey] ?? original?.[marksKey]
}

function declarationsOf(rows: readonly Row[]): readonly Declaration<HonoPayload>[] {
  const before: Guarding[] = []
  const declarations: Declaration<HonoPayload>[] = []
  for (const { method, path, middleware, origin, marks, handlers } of rows) {
    if (middleware) {
      const regex = compilePath(corePath(path), undefined).regex
      before.push(...handlers.map((handler) => ({ regex, handler })))
      continue
    }
    const payload = { marks, before: [...before], handlers }
    for (const name of method === 'ALL' ? allMethods : [method]) {
      const { version: input, overrides = false } = marks
      declarations.push({
        method: name,
        path,
        shape: pathShape(corePath(path)),
        version: input,
        overrides,
        origin,
        payload,
      })
    }
  }
  return declarations
}

/** Hono's `:id{[0-9]+}` in the spelling of the core, `:id([0-9]+)`; `*` and `/*` are everything below. */
export function corePath(path: string): string {
  return (path === '*' ? '/*' : path).replaceAll(/\{([^}]*)\}/g, '($1)')
}

/** Runs middleware and handlers one after the other, then `next`, as Hono does. */
export async function runRow(
  context: Context,
  { handlers, before }: HonoPayload,
  path: string,
  next: Next,
): Promise<void> {
  const row = [...before.filter(({ regex }) => regex.test(path)).map(({ handler }) => handler), ...handlers]
  const dispatch = async (index: number): Promise<void> => {
    const handler = row[index]
    if (handler === undefined) return next()
    const result: unknown = await handler(context, () => dispatch(index + 1))
    if (result instanceof Response && !context.finalized) context.res = result
    return undefined
  }
  await dispatch(0)
}
