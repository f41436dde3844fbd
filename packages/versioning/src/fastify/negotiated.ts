/**
 * Versions that are named by a header, query, media type or host: one router constraint for the whole scope.
 *
 * Versions that are answered alike share one route (the router holds at most 31 of them for one method and path).
 * A route without the constraint stands beside them and says what was wrong with the version.
 */

import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods, RouteOptions } from 'fastify'
import type { Negotiation, Outcome } from '../core/negotiate.ts'
import { problemMediaType } from '../core/problems.ts'
import type { Version } from '../core/version.ts'
import { addVary, echoHeader, type Telling } from './hooks.ts'
import { chainOf } from './migrate.ts'
import { nestedPrefix, type Plan } from './plan.ts'
import { registrations, type Registration } from './placement.ts'
import { withPrefix } from './prefix.ts'
import type { Copy, Negotiated } from './copy.ts'

/** A value that no version has: such a request matches no constrained route. */
const noVersion = '!'

/** Registers the constraint; returns its name. */
export function addStrategy(scope: FastifyInstance, negotiation: Negotiation, outcomeKey: symbol): string {
  const name = freeName(scope)
  const keep = (request: IncomingMessage, outcome: Outcome): string => {
    ;(request as unknown as Negotiated)[outcomeKey] = outcome
    return outcome.kind === 'version' ? outcome.version.text : noVersion
  }
  const now = (request: IncomingMessage): string => keep(request, negotiation.now(request))
  const later = (
    request: IncomingMessage,
    _context: unknown,
    done: (error: Error | null, value?: string) => void,
  ): void => {
    void negotiation.later(request).then((outcome) => process.nextTick(done, null, keep(request, outcome)))
  }
  scope.addConstraintStrategy({
    name,
    mustMatchWhenDerived: false,
    validate: () => true,
    storage: constraintStore,
    // The router tells a synchronous strategy from another by the number of arguments.
    deriveConstraint: (negotiation.needsLater ? later : now) as (request: IncomingMessage) => string,
  } as Parameters<FastifyInstance['addConstraintStrategy']>[0])
  return name
}

function freeName(scope: FastifyInstance): string {
  let name = 'apiVersion'
  for (let index = 2; scope.hasConstraintStrategy(name); index++) name = `apiVersion${index}`
  return name
}

/** Routes by version text. The router sets a list of versions and gets by one; it keeps a bit mask of handlers as value. */
function constraintStore() {
  const masks = new Map<string, number>()
  return {
    get: (value: string | readonly string[]) => (typeof value === 'string' ? (masks.get(value) ?? null) : null),
    set: (value: string | readonly string[], mask: unknown) => {
      for (const text of [value].flat()) masks.set(text, (masks.get(text) ?? 0) | (mask as number))
    },
  }
}

/** The copies of all versions, those answered alike joined. */
export function negotiatedCopies(plan: Plan): readonly Copy[] {
  const groups = new Map<string, { registration: Registration; versions: Version[] }>()
  const numbers = new Map<object, number>()
  const numberOf = (object: object): number => {
    numbers.set(object, numbers.get(object) ?? numbers.size)
    return numbers.get(object) as number
  }
  for (const version of plan.table.versions) {
    for (const registration of registrations(plan.table.served.get(version.text) ?? [])) {
      const { route, url, methods, prefixTrailingSlash } = registration
      const chain = chainOf(plan, registration, version)
      const key = [numberOf(route), url, methods, prefixTrailingSlash, chain.key].join(' ')
      const group = groups.get(key) ?? { registration, versions: [] }
      groups.set(key, group)
      group.versions.push(version)
    }
  }
  return [...groups.values()].map((group) => ({ ...group, prefix: '', negotiated: true }))
}

/** Where a route answers what is wrong with a version. */
interface Fallback {
  readonly instance: FastifyInstance
  readonly prefix: string
  readonly url: string
  readonly prefixTrailingSlash: 'both' | 'slash' | 'no-slash' | undefined
  readonly constraints: RouteOptions['constraints']
  readonly methods: Set<HTTPMethods>
}

/** One unconstrained route for each address. */
export function registerFallbacks(plan: Plan, copies: readonly Copy[], telling: Telling): void {
  const handler = fallbackHandler(plan, telling)
  for (const { instance, prefix, url, prefixTrailingSlash, constraints, methods } of fallbacksOf(plan, copies)) {
    const options: RouteOptions = {
      url,
      method: [...methods],
      handler,
      exposeHeadRoute: methods.has('GET') && !methods.has('HEAD'),
      schema: { hide: true } as never,
      ...(constraints === undefined ? {} : { constraints }),
      ...(prefixTrailingSlash === undefined ? {} : { prefixTrailingSlash }),
    }
    withPrefix(instance, prefix, () => plan.collector.register(instance, options))
  }
}

function fallbacksOf(plan: Plan, copies: readonly Copy[]): readonly Fallback[] {
  const fallbacks = new Map<string, Fallback>()
  const taken = new Set<string>()
  for (const { registration } of copies) {
    const { route, url, methods, declaration } = registration
    const prefix = `${plan.base}${nestedPrefix(plan.scope, route.instance)}`
    const spellings =
      registration.prefixTrailingSlash === 'both' && url === '/'
        ? (['no-slash', 'slash'] as const)
        : [registration.prefixTrailingSlash]
    for (const slash of spellings) {
      const shape = `${declaration.shape.replace(/\/$/, '')}${slash === 'slash' ? '/' : ''}`
      const fresh = methods.filter((method) => !taken.has(`${method} ${shape}`))
      for (const method of fresh) taken.add(`${method} ${shape}`)
      if (fresh.length === 0) continue
      const fallback = fallbacks.get(shape) ?? {
        instance: plan.scope,
        prefix,
        url,
        prefixTrailingSlash: slash,
        constraints: route.options.constraints,
        methods: new Set(),
      }
      fallbacks.set(shape, fallback)
      for (const method of fresh) fallback.methods.add(method)
    }
  }
  return [...fallbacks.values()]
}

function fallbackHandler(plan: Plan, telling: Telling) {
  const vary = plan.negotiation?.vary ?? ''
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const outcome = (request.raw as unknown as Negotiated)[telling.outcomeKey]
    if (vary !== '') addVary(reply, vary)
    if (plan.options.report === true) for (const [name, value] of telling.reportLines()) reply.header(name, value)
    if (outcome?.kind === 'problem') {
      void reply.code(outcome.problem.status).type(problemMediaType).send(outcome.problem.body)
      return
    }
    const name = echoHeader(plan, true)
    if (name !== undefined && outcome !== undefined) reply.header(name, outcome.version.text)
    reply.callNotFound()
  }
}
