/**
 * `versioned(routes, options)`: a Fastify plugin that serves each route in all versions it belongs to.
 *
 * Collect the routes → compile which version serves which → register every (version, route) as an ordinary Fastify route.
 * With versions in the URL nothing is left to do when a request comes.
 */

import type { FastifyInstance, FastifyPluginAsync, FastifyPluginOptions, RouteOptions } from 'fastify'
import { reporter } from '../core/answers.ts'
import { throwErrors, type Diagnostic } from '../core/diagnostics.ts'
import { usageCounter } from '../core/usage.ts'
import './augment.ts'
import { collectRoutes } from './collect.ts'
import { outcomeVersion, registerCopy, versionOf, type Copy } from './copy.ts'
import { answerHooks, countingHooks, isCounted, list, type Telling } from './hooks.ts'
import { chainOf, migrationHooks } from './migrate.ts'
import { registerMisses } from './misses.ts'
import { addStrategy, negotiatedCopies, registerFallbacks } from './negotiated.ts'
import type { VersionedOptions } from './options.ts'
import { makePlan, type Plan } from './plan.ts'
import { registrations } from './placement.ts'
import { remember } from './registry.ts'

/** A plugin as one writes it for `app.register`: async, plain, or with a callback. */
export type VersionedRoutes = (
  api: FastifyInstance,
  options: FastifyPluginOptions,
  done: (error?: Error) => void,
) => unknown

const taken = `request.apiVersion is taken: two versioned parts need a plugin of their own each, so none of them may be wrapped in fastify-plugin`

/** Makes a plugin of routes that name versions. Throws a `VersioningError` when the app starts if they contradict each other. */
export function versioned(routes: VersionedRoutes, options: VersionedOptions = {}): FastifyPluginAsync {
  return async (scope, pluginOptions) => {
    const outcomeKey = Symbol('serin.versioning.outcome')
    const collector = collectRoutes(scope)
    if (scope.hasRequestDecorator('apiVersion')) throw new Error(taken)
    scope.decorateRequest('apiVersion', {
      getter() {
        return versionOf(this, outcomeKey)
      },
    })
    parseVendorTypes(scope, options)
    await scope.register(asPlugin(routes), withoutPrefix(pluginOptions))
    collector.stop()
    const plan = makePlan(scope, collector, options)
    const telling = tellingOf(plan, outcomeKey)
    registerRoutes(plan, telling)
    // Who wants no documents does not load what makes them: a service starts faster.
    if ((options.docs ?? false) !== false) (await import('./docs.ts')).registerDocs(plan)
    remember(scope, { plan, usage: telling.usage })
  }
}

/** Bodies of `application/vnd.acme.v2+json` are JSON. Added before the routes' own parsers, which may replace this one. */
function parseVendorTypes(scope: FastifyInstance, { read }: VersionedOptions): void {
  const { onProtoPoisoning = 'error', onConstructorPoisoning = 'error' } = scope.initialConfig as Partial<
    Record<string, 'error' | 'remove' | 'ignore'>
  >
  const parse = scope.getDefaultJsonParser(onProtoPoisoning, onConstructorPoisoning)
  for (const { jsonTypes } of list(read)) {
    if (jsonTypes !== undefined) scope.addContentTypeParser(jsonTypes, { parseAs: 'string' }, parse)
  }
}

function asPlugin(routes: VersionedRoutes): FastifyPluginAsync {
  if (routes.length >= 3) return routes as unknown as FastifyPluginAsync
  return async (api, options) => void (await routes(api, options, () => {}))
}

function withoutPrefix(options: FastifyPluginOptions): FastifyPluginOptions {
  const { prefix: _applied, ...rest } = options
  return rest
}

function tellingOf(plan: Plan, outcomeKey: symbol): Telling {
  const { usage } = plan.options
  const max = typeof usage === 'object' ? usage.clientsMax : undefined
  return { outcomeKey, usage: isCounted(plan) ? usageCounter(max) : undefined, reportLines: reporter(plan) }
}

function registerRoutes(plan: Plan, telling: Telling): void {
  const diagnostics: Diagnostic[] = []
  const byUrl = [...neutralCopies(plan), ...urlCopies(plan)]
  for (const copy of byUrl) registerCopy(plan, copy, additions(plan, copy, telling, diagnostics), diagnostics)
  if (plan.negotiation !== undefined) {
    const name = addStrategy(plan.scope, plan.negotiation, telling.outcomeKey)
    const copies = negotiatedCopies(plan)
    for (const copy of copies) {
      const own = copy.registration.route.options.constraints
      const constraints = { ...own, [name]: copy.versions.map((version) => version.text) }
      registerCopy(plan, copy, { ...additions(plan, copy, telling, diagnostics), constraints }, diagnostics)
    }
    registerFallbacks(plan, copies, telling, name)
  }
  throwErrors(diagnostics)
  registerMisses(plan)
}

function neutralCopies(plan: Plan): readonly Copy[] {
  return registrations(plan.table.neutral).map((registration) => ({
    registration,
    versions: [],
    prefix: '',
    negotiated: false,
  }))
}

function urlCopies(plan: Plan): readonly Copy[] {
  return plan.addresses.flatMap(({ version, prefix }) =>
    registrations(plan.table.served.get(version.text) ?? []).map((registration) => ({
      registration,
      versions: [version],
      prefix,
      negotiated: false,
    })),
  )
}

/** Hooks and schemas that a copy gets beside what its author wrote. */
function additions(plan: Plan, copy: Copy, telling: Telling, diagnostics: Diagnostic[]): Partial<RouteOptions> {
  const [version] = copy.versions
  if (version === undefined) return countingHooks(plan, copy, telling)
  const chain = chainOf(plan, copy.registration, version)
  const textOf =
    copy.versions.length === 1
      ? () => version.text
      : (request: Parameters<typeof outcomeVersion>[0]) => outcomeVersion(request, telling.outcomeKey) ?? version.text
  return { ...answerHooks(plan, copy, telling, diagnostics), ...migrationHooks(copy, chain, textOf, diagnostics) }
}
