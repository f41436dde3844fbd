/** One collected route as it is registered for one version, or for several that are answered alike. */

import type { FastifyRequest, RouteOptions } from 'fastify'
import type { Diagnostic } from '../core/diagnostics.ts'
import type { Outcome } from '../core/negotiate.ts'
import type { KnownVersionText } from '../core/register.ts'
import type { Version } from '../core/version.ts'
import { withPrefix } from './prefix.ts'
import { nestedPrefix, type Plan } from './plan.ts'
import type { Registration } from './placement.ts'

export interface Copy {
  readonly registration: Registration
  /** Empty for a neutral route. */
  readonly versions: readonly Version[]
  /** Between the scope's prefix and the route's own: `/v2`, `/latest`, or ``. */
  readonly prefix: string
  /** Whether the version comes from `read` and not from the URL. */
  readonly negotiated: boolean
}

/** What negotiation found for a request is kept on Node's request object under a symbol of the scope. */
export type Negotiated = Record<symbol, Outcome | undefined>

const negotiatedKey = Symbol('serin.versioning.negotiated')

/** Marks a route's `config`, so that `request.apiVersion` knows where to look. */
function versionConfig(copy: Copy): object {
  if (copy.negotiated) return { [negotiatedKey]: true }
  const [version] = copy.versions
  return version === undefined ? {} : { apiVersion: version.text }
}

/** `request.apiVersion`. */
export function versionOf(request: FastifyRequest, outcomeKey: symbol): KnownVersionText | undefined {
  const config = request.routeOptions.config as unknown as { apiVersion?: KnownVersionText } & Record<symbol, unknown>
  if (config.apiVersion !== undefined || config[negotiatedKey] === undefined) return config.apiVersion
  return outcomeVersion(request, outcomeKey)
}

/** The version that negotiation found, for hooks that know that there was one. */
export function outcomeVersion(request: FastifyRequest, outcomeKey: symbol): KnownVersionText | undefined {
  const outcome = (request.raw as unknown as Negotiated)[outcomeKey]
  return outcome?.kind === 'version' ? (outcome.version.text as KnownVersionText) : undefined
}

/** Gives one route to Fastify; what Fastify refuses becomes a diagnostic. */
export function registerCopy(plan: Plan, copy: Copy, changes: Partial<RouteOptions>, diagnostics: Diagnostic[]): void {
  const { registration } = copy
  const { instance, origin } = registration.route
  const full = `${plan.base}${copy.prefix}${nestedPrefix(plan.scope, instance)}`
  try {
    withPrefix(instance, full, () =>
      plan.collector.register(instance, { ...routeOptions(registration, copy), ...changes }),
    )
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

/** What the author wrote, without what is ours. */
function routeOptions(registration: Registration, copy: Copy): RouteOptions {
  const {
    version: _1,
    overrides: _2,
    deprecated: _3,
    sunset: _4,
    info: _5,
    afterSunset: _6,
    ...rest
  } = registration.route.options
  const { methods, url, prefixTrailingSlash } = registration
  return {
    ...rest,
    url,
    method: methods.length === 1 ? (methods[0] as (typeof methods)[number]) : [...methods],
    config: { ...rest.config, ...versionConfig(copy) },
    ...(prefixTrailingSlash === undefined ? {} : { prefixTrailingSlash }),
  }
}
