/** The plan of a versioned Fastify scope: what the core works out, with the scope it belongs to. */

import type { FastifyInstance } from 'fastify'
import { makeApiPlan, type ApiPlan } from '../core/plan.ts'
import type { PathRules } from '../core/shape.ts'
import type { Collector } from './collect.ts'
import type { VersionedOptions } from './options.ts'
import { declare, type Placed } from './placement.ts'

export interface Plan extends ApiPlan<Placed> {
  readonly scope: FastifyInstance
  /** The prefix of the scope, without a final slash. */
  readonly base: string
  readonly options: VersionedOptions
  readonly collector: Collector
}

/** Works it all out. Throws a `VersioningError` with every mistake; logs what is only odd. */
export function makePlan(scope: FastifyInstance, collector: Collector, options: VersionedOptions): Plan {
  const rules = pathRules(scope)
  const declarations = collector.routes.flatMap((route) => declare(route, nestedPrefix(scope, route.instance), rules))
  const plan = makeApiPlan(declarations, withRootRemovals(options), rules)
  for (const warning of plan.warnings) scope.log.warn({ diagnostic: warning }, warning.message)
  return { ...plan, options, scope, collector, base: scope.prefix.replace(/\/$/, '') }
}

/** The prefixes between the versioned scope and an instance inside it: `/users`, or ``. */
export function nestedPrefix(scope: FastifyInstance, instance: FastifyInstance): string {
  const nested = instance.prefix.slice(scope.prefix.length)
  return nested === '' || nested.startsWith('/') ? nested : `/${nested}`
}

/** `/` is two spellings for Fastify, and both are to go. */
function withRootRemovals(options: VersionedOptions): VersionedOptions {
  const roots = (options.remove ?? []).filter(({ url }) => url === '/')
  return roots.length === 0
    ? options
    : { ...options, remove: [...(options.remove ?? []), ...roots.map((item) => ({ ...item, url: '' }))] }
}

function pathRules(scope: FastifyInstance): PathRules {
  const initial = scope.initialConfig as Partial<PathRules> & { routerOptions?: Partial<PathRules> }
  const rule = (name: keyof PathRules, fallback: boolean): boolean =>
    initial.routerOptions?.[name] ?? initial[name] ?? fallback
  return {
    caseSensitive: rule('caseSensitive', true),
    ignoreTrailingSlash: rule('ignoreTrailingSlash', false),
    ignoreDuplicateSlashes: rule('ignoreDuplicateSlashes', false),
  }
}
