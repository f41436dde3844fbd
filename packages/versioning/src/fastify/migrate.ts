/** Changes on a copy of a route: the older schemas, a hook that moves the request up, one that moves the answer down. */

import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Diagnostic } from '../core/diagnostics.ts'
import {
  badChange,
  chainFor,
  emptyChain,
  moveAnswerDown,
  moveBodyUp,
  moveQueryUp,
  olderSchema,
  touchesRequest,
  touchesResponse,
  type Chain,
  type ChangeContext,
  type ChangeSchema,
  type SchemaUse,
} from '../core/migrations.ts'
import { pathShape } from '../core/shape.ts'
import type { Version } from '../core/version.ts'
import type { Copy } from './copy.ts'
import { list } from './hooks.ts'
import type { Plan } from './plan.ts'
import type { Registration } from './placement.ts'

/** The changes between a version and what the handler of a route speaks. */
export function chainOf(plan: Plan, registration: Registration, version: Version): Chain {
  const head = plan.heads.get(registration.declaration)
  if (plan.changes.length === 0 || head === undefined) return emptyChain
  const { declaration, route } = registration
  const shape = pathShape(declaration.path.replace(/(?<=.)\/$/, ''))
  const subject = {
    kind: 'route',
    method: declaration.method,
    shape,
    schemas: schemaUses(route.options.schema),
  } as const
  return chainFor({ changes: plan.changes, subject, from: version, to: head })
}

type Hooks = Pick<RouteOptions, 'schema' | 'preHandler' | 'preSerialization'>

/** Schemas and hooks of one copy. All its versions have the same chain. */
export function migrationHooks(
  copy: Copy,
  chain: Chain,
  versionOf: (request: FastifyRequest) => string,
  diagnostics: Diagnostic[],
): Hooks {
  if (chain.steps.length === 0) return {}
  const { options } = copy.registration.route
  checkSchemas(copy, chain, diagnostics)
  const schema = fastifySchema(olderSchema(chain, (options.schema ?? {}) as ChangeSchema), copy.registration.methods)
  return {
    schema,
    ...(touchesRequest(chain) ? { preHandler: [upHook(chain, versionOf), ...list(options.preHandler)] } : {}),
    ...(touchesResponse(chain)
      ? { preSerialization: [...list(options.preSerialization), downHook(chain, versionOf)] }
      : {}),
  } as Hooks
}

/** Runs after validation, which has used the older schema, and before the author's own `preHandler`s. */
function upHook(chain: Chain, versionOf: (request: FastifyRequest) => string) {
  return (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
    const context = contextOf(request, versionOf(request), 0)
    settle(
      () => {
        request.query = moveQueryUp(chain, (request.query ?? {}) as Readonly<Record<string, unknown>>, context)
        return request.body === undefined ? undefined : moveBodyUp(chain, request.body, context)
      },
      (body) => {
        if (body !== undefined) request.body = body
        done()
      },
      done,
    )
  }
}

/** Runs on what is about to be serialised with the older schema. Fastify skips it for strings, buffers and streams. */
function downHook(chain: Chain, versionOf: (request: FastifyRequest) => string) {
  return (
    request: FastifyRequest,
    reply: FastifyReply,
    payload: unknown,
    done: (error: Error | null, payload?: unknown) => void,
  ): void => {
    const context = contextOf(request, versionOf(request), reply.statusCode)
    settle(
      () => moveAnswerDown(chain, payload, context),
      (moved) => done(null, moved),
      done,
    )
  }
}

function contextOf(request: FastifyRequest, version: string, status: number): ChangeContext {
  return {
    version,
    params: (request.params ?? {}) as Readonly<Record<string, unknown>>,
    query: (request.query ?? {}) as Readonly<Record<string, unknown>>,
    headers: request.headers,
    status,
  }
}

/** Goes on at once if the result is there at once; what is thrown or rejected goes to `fail`. */
function settle(compute: () => unknown, proceed: (value: unknown) => void, fail: (error: Error) => void): void {
  let value: unknown
  try {
    value = compute()
  } catch (error) {
    fail(error as Error)
    return
  }
  if (value instanceof Promise) value.then(proceed, fail)
  else proceed(value)
}

const bodyless: readonly string[] = ['GET', 'HEAD', 'TRACE']

/** A part given as `true` is left out, since Fastify knows no serialiser for "anything"; and some methods have no body. */
export function fastifySchema(schema: ChangeSchema, methods: readonly string[]): RouteOptions['schema'] & object {
  const { response, body, ...parts } = schema
  const withBody = body !== undefined && !methods.every((method) => bodyless.includes(method))
  const kept = Object.entries(withBody ? { ...parts, body } : parts).filter(([, part]) => part !== true)
  const answers = Object.entries(response ?? {}).filter(([, part]) => part !== true)
  return {
    ...Object.fromEntries(kept),
    ...(answers.length === 0 ? {} : { response: Object.fromEntries(answers) }),
  }
}

/** A migration without its older schema would be validated and serialised with the newer one, which undoes it. */
function checkSchemas(copy: Copy, chain: Chain, diagnostics: Diagnostic[]): void {
  const schema = (copy.registration.route.options.schema ?? {}) as ChangeSchema
  const route = `${copy.registration.methods.join(',')} ${copy.registration.declaration.path}`
  const parts = [
    { part: 'body', migrates: (step: Chain['steps'][number]) => step.request !== undefined, present: schema.body },
    {
      part: 'querystring',
      migrates: (step: Chain['steps'][number]) => step.change.query !== undefined,
      present: schema.querystring,
    },
    {
      part: 'response',
      migrates: (step: Chain['steps'][number]) => step.response !== undefined,
      present: schema.response,
    },
  ] as const
  for (const { part, migrates, present } of parts) {
    const step = chain.steps.find((item) => migrates(item) && item.schema[part] === undefined)
    if (present === undefined || step === undefined) continue
    const message = `the route has a schema for its ${part}, so the change has to say what older clients had: add 'schema: { ${part}: … }' (true: anything)`
    const diagnostic = badChange(step.change, message, route)
    if (!diagnostics.some((item) => item.message === diagnostic.message && item.route === route))
      diagnostics.push(diagnostic)
  }
}

/** The named schemas (`$id`, or `$ref` to one) that are the whole of a body or answer, or the items of it. */
function schemaUses(schema: unknown): readonly SchemaUse[] {
  const { body, response } = (schema ?? {}) as ChangeSchema
  const answers = Object.entries(response ?? {}).filter(([status]) => /^(2..|default)$/i.test(status))
  return [
    ...namesIn(body).map((use) => ({ ...use, side: 'request' }) as const),
    ...answers.flatMap(([, answer]) => namesIn(answer)).map((use) => ({ ...use, side: 'response' }) as const),
  ]
}

function namesIn(schema: unknown): readonly { readonly name: string; readonly items: boolean }[] {
  const name = nameOf(schema)
  if (name !== undefined) return [{ name, items: false }]
  const item = nameOf((schema as { items?: unknown } | undefined)?.items)
  return item === undefined ? [] : [{ name: item, items: true }]
}

function nameOf(schema: unknown): string | undefined {
  if (typeof schema !== 'object' || schema === null) return undefined
  const { $ref, $id } = schema as { $ref?: unknown; $id?: unknown }
  const name = typeof $ref === 'string' ? $ref : $id
  return typeof name === 'string' ? name.replace(/#\/?$/, '') : undefined
}
