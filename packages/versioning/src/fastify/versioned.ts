/**
 * `versioned(routes, options)`: a Fastify plugin that serves each route in all versions it belongs to.
 *
 * Collect the routes → compile which version serves which → register every (version, route) as an ordinary Fastify route.
 * Nothing is left to do when a request comes.
 */

import type { FastifyInstance, FastifyPluginAsync, FastifyPluginOptions, RouteOptions } from 'fastify'
import { addressesOf, type Address } from '../core/address.ts'
import { throwErrors, type Diagnostic } from '../core/diagnostics.ts'
import type { KnownVersionText } from '../core/register.ts'
import type { PathRules } from '../core/shape.ts'
import { compileTable, type Table } from '../core/table.ts'
import './augment.ts'
import { collectRoutes, type Collector } from './collect.ts'
import type { VersionedOptions } from './options.ts'
import { declare, registrations, type Placed, type Registration } from './placement.ts'
import { withPrefix } from './prefix.ts'

/** A plugin as one writes it for `app.register`: async, plain, or with a callback. */
export type VersionedRoutes = (
  api: FastifyInstance,
  options: FastifyPluginOptions,
  done: (error?: Error) => void,
) => unknown

/** Makes a plugin of routes that name versions. Throws a `VersioningError` when the app starts if they contradict each other. */
export function versioned(routes: VersionedRoutes, options: VersionedOptions = {}): FastifyPluginAsync {
  return async (scope, pluginOptions) => {
    scope.decorateRequest('apiVersion', {
      getter() {
        return this.routeOptions.config.apiVersion
      },
    })
    const collector = collectRoutes(scope)
    await scope.register(asPlugin(routes), withoutPrefix(pluginOptions))
    collector.stop()
    registerAll(scope, collector, options)
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

function registerAll(scope: FastifyInstance, collector: Collector, options: VersionedOptions): void {
  const rules = pathRules(scope)
  const declarations = collector.routes.flatMap((route) => declare(route, nestedPrefix(scope, route.instance), rules))
  const { table, diagnostics } = compileTable(declarations, {
    versions: options.versions,
    default: options.default,
    removals: [],
  })
  const placed = addressesOf(table.versions, {
    path: options.path ?? '/v{version}',
    latest: options.latest ?? false,
    previews: new Set(),
  })
  const warnings = throwErrors([...diagnostics, ...placed.diagnostics])
  for (const warning of warnings) scope.log.warn({ diagnostic: warning }, warning.message)
  throwErrors(registerTable(scope, collector, table, placed.addresses))
}

function registerTable(
  scope: FastifyInstance,
  collector: Collector,
  table: Table<Placed>,
  addresses: readonly Address[],
): readonly Diagnostic[] {
  const diagnostics: Diagnostic[] = []
  const base = scope.prefix.replace(/\/$/, '')
  const register = (registration: Registration, prefix: string, apiVersion: string | undefined): void => {
    const { instance, origin } = registration.route
    const full = `${base}${prefix}${nestedPrefix(scope, instance)}`
    try {
      withPrefix(instance, full, () => collector.register(instance, fastifyOptions(registration, apiVersion)))
    } catch (error) {
      const route = `${registration.methods.join(',')} ${full}${registration.url}`
      const message = (error as Error).message
      diagnostics.push({
        severity: 'error',
        code: 'route-refused',
        message,
        route,
        ...(origin === undefined ? {} : { origin }),
      })
    }
  }
  for (const registration of registrations(table.neutral)) register(registration, '', undefined)
  for (const { version, prefix } of addresses) {
    for (const registration of registrations(table.served.get(version.text) ?? []))
      register(registration, prefix, version.text)
  }
  return diagnostics
}

function fastifyOptions(
  { route, url, methods, prefixTrailingSlash }: Registration,
  apiVersion: string | undefined,
): RouteOptions {
  const { version: _version, overrides: _overrides, ...rest } = route.options
  const config = apiVersion === undefined ? rest.config : { ...rest.config, apiVersion: apiVersion as KnownVersionText }
  return {
    ...rest,
    url,
    method: methods.length === 1 ? (methods[0] as (typeof methods)[number]) : [...methods],
    ...(config === undefined ? {} : { config }),
    ...(prefixTrailingSlash === undefined ? {} : { prefixTrailingSlash }),
  }
}

/** The prefixes between the versioned scope and an instance inside it: `/users`, or ``. */
function nestedPrefix(scope: FastifyInstance, instance: FastifyInstance): string {
  const nested = instance.prefix.slice(scope.prefix.length)
  return nested === '' || nested.startsWith('/') ? nested : `/${nested}`
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
