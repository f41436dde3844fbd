/**
 * Versions that are named by a header, query, media type or host: one router constraint for the whole scope.
 *
 * Versions that are answered alike share one route (the router holds at most 31 of them for one method and path).
 * A route for everything else stands beside them and says what is wrong with the version.
 */

import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods, RouteOptions } from 'fastify'
import { echoHeader } from '../core/answers.ts'
import type { Negotiation, Outcome } from '../core/negotiate.ts'
import { problemMediaType } from '../core/problems.ts'
import { shapesOverlap } from '../core/overlap.ts'
import type { Version } from '../core/version.ts'
import { addVary, type Telling } from './hooks.ts'
import { chainOf } from './migrate.ts'
import { nestedPrefix, type Plan } from './plan.ts'
import { registrations, type Registration } from './placement.ts'
import { withPrefix } from './prefix.ts'
import type { Copy, Negotiated } from './copy.ts'

/** A value that no version has: such a request matches no constrained route. */
const noVersion = '!'

type Derived = (error: Error | null, version?: string) => void

/** Registers the constraint; returns its name. */
export function addStrategy(scope: FastifyInstance, negotiation: Negotiation, outcomeKey: symbol): string {
  const name = freeName(scope)
  const keep = (request: IncomingMessage, outcome: Outcome): string => {
    ;(request as unknown as Negotiated)[outcomeKey] = outcome
    return outcome.kind === 'version' ? outcome.version.text : noVersion
  }
  const now = (request: IncomingMessage): string => keep(request, negotiation.ask(request) as Outcome)
  const maybeLater = (request: IncomingMessage, _context: unknown, done: Derived): void => {
    const outcome = negotiation.ask(request)
    if (outcome instanceof Promise) void outcome.then((settled) => process.nextTick(done, null, keep(request, settled)))
    else done(null, keep(request, outcome))
  }
  scope.addConstraintStrategy({
    name,
    mustMatchWhenDerived: false,
    validate: () => true,
    storage: constraintStore,
    // The router tells a synchronous strategy from another by the number of arguments.
    deriveConstraint: (negotiation.mayWait ? maybeLater : now) as (request: IncomingMessage) => string,
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

/** Where it is said what is wrong with a version, or that it does not have this path. */
interface Fallback {
  readonly prefix: string
  readonly url: string
  readonly prefixTrailingSlash: 'slash' | 'no-slash' | undefined
  readonly method: HTTPMethods
  readonly constraints: RouteOptions['constraints']
  /** Versions that have no route of this method for any path that matches here. */
  readonly versions: readonly string[]
}

/** One more route for each address and method; it takes nothing from routes that match the same paths less exactly. */
export function registerFallbacks(plan: Plan, copies: readonly Copy[], telling: Telling, strategy: string): void {
  const handler = fallbackHandler(plan, telling)
  const heads = copies.some(({ registration }) => registration.methods.includes('HEAD'))
  for (const { prefix, url, prefixTrailingSlash, method, constraints, versions } of fallbacksOf(plan, copies)) {
    const options: RouteOptions = {
      url,
      method,
      handler,
      ...(heads ? { exposeHeadRoute: false } : {}),
      schema: { hide: true } as never,
      constraints: { ...constraints, [strategy]: [noVersion, ...versions] },
      ...(prefixTrailingSlash === undefined ? {} : { prefixTrailingSlash }),
    }
    withPrefix(plan.scope, prefix, () => plan.collector.register(plan.scope, options))
  }
}

function fallbacksOf(plan: Plan, copies: readonly Copy[]): readonly Fallback[] {
  const fallbacks = new Map<string, Fallback>()
  for (const { registration } of copies) {
    const { route, url, declaration } = registration
    const prefix = `${plan.base}${nestedPrefix(plan.scope, route.instance)}`
    const both = registration.prefixTrailingSlash === 'both' && url === '/'
    const spellings = both ? (['no-slash', 'slash'] as const) : [registration.prefixTrailingSlash]
    for (const slash of spellings) {
      const shape = both ? `${declaration.shape.replace(/\/$/, '')}${slash === 'slash' ? '/' : ''}` : declaration.shape
      for (const method of registration.methods) {
        const prefixTrailingSlash = slash === 'both' ? undefined : slash
        const key = `${method} ${shape}`
        if (fallbacks.has(key) || `${prefix}${url}` === '' || (`${prefix}` === '' && slash === 'no-slash')) continue
        const versions = versionsWithout(plan, method, shape)
        fallbacks.set(key, {
          prefix,
          url,
          prefixTrailingSlash,
          method,
          constraints: route.options.constraints,
          versions,
        })
      }
    }
  }
  return [...fallbacks.values()]
}

function versionsWithout({ table }: Plan, method: HTTPMethods, shape: string): readonly string[] {
  const without = table.versions.filter(
    ({ text }) =>
      table.served
        .get(text)
        ?.some((other) => other.method === method && shapesOverlap(pathOnly(other.shape), pathOnly(shape))) !== true,
  )
  return without.map(({ text }) => text)
}

/** A shape without the constraints of its author. */
function pathOnly(shape: string): string {
  return shape.split('[[', 1)[0] ?? ''
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
