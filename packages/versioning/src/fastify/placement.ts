/** A route of a versioned scope → the declarations it stands for, and back → the fewest Fastify routes that serve them. */

import type { HTTPMethods, RouteOptions } from 'fastify'
import { expandOptional, pathShape, type PathRules } from '../core/shape.ts'
import type { Declaration } from '../core/table.ts'
import type { VersionInput } from '../core/register.ts'
import type { CollectedRoute } from './collect.ts'

/** One spelling of the path of a collected route. */
export interface Placed {
  readonly route: CollectedRoute
  /** What Fastify gets as `url`: after the prefixes of the instance. */
  readonly url: string
}

/** One route as Fastify gets it, but for its prefix. */
export interface Registration extends Placed {
  readonly methods: readonly HTTPMethods[]
  /** One of the declarations that it serves: they differ in the method and the spelling of the path only. */
  readonly declaration: Declaration<Placed>
  readonly prefixTrailingSlash: 'both' | 'slash' | 'no-slash' | undefined
}

/** One declaration for each method and spelling. */
export function declare(route: CollectedRoute, nested: string, rules: PathRules): readonly Declaration<Placed>[] {
  const { options, origin } = route
  const constraints = options.constraints === undefined ? '' : stableText(options.constraints)
  return spellings(options, nested, rules).flatMap((url) =>
    methodsOf(options).map((method) => ({
      method,
      path: `${nested}${url}` || '/',
      shape: `${pathShape(`${nested}${url}`, rules)}${constraints}`,
      version: options.version as VersionInput | undefined,
      overrides: options.overrides === true,
      origin,
      payload: { route, url },
    })),
  )
}

/** The declarations that one version serves, put together again. Explicit HEAD routes come first: Fastify adds one to a GET that has none yet. */
export function registrations(served: readonly Declaration<Placed>[]): readonly Registration[] {
  const byRoute = new Map<CollectedRoute, Map<string, Held>>()
  for (const declaration of served) {
    const { method, payload } = declaration
    const urls = byRoute.get(payload.route) ?? new Map<string, Held>()
    byRoute.set(payload.route, urls)
    const held = urls.get(payload.url) ?? { methods: [], declaration }
    urls.set(payload.url, held)
    held.methods.push(method as HTTPMethods)
  }
  const result = [...byRoute].flatMap(([route, urls]) => joinSlashes(route, urls))
  return [...result.filter(isHead), ...result.filter((item) => !isHead(item))]
}

function isHead({ methods }: Registration): boolean {
  return methods.includes('HEAD')
}

function methodsOf(options: RouteOptions): readonly string[] {
  const list = Array.isArray(options.method) ? options.method : [options.method]
  return [...new Set(list.map((method) => String(method).toUpperCase()))]
}

/** `/` under a prefix is two addresses for Fastify, `/users` and `/users/`, and each may be overridden alone. */
function spellings(options: RouteOptions, nested: string, rules: PathRules): readonly string[] {
  const url = options.url ?? (options as { path?: string }).path ?? ''
  if (url !== '/') return expandOptional(url)
  if (rules.ignoreTrailingSlash) return ['/']
  const slash = options.prefixTrailingSlash ?? 'both'
  return slash === 'both' ? ['', '/'] : slash === 'slash' ? ['/'] : ['']
}

interface Held {
  readonly methods: HTTPMethods[]
  readonly declaration: Declaration<Placed>
}

function joinSlashes(route: CollectedRoute, urls: ReadonlyMap<string, Held>): readonly Registration[] {
  const bare = urls.get('')
  const slashed = urls.get('/')
  if (bare !== undefined && slashed !== undefined && String(bare.methods) === String(slashed.methods)) {
    return [{ route, url: '/', ...slashed, prefixTrailingSlash: 'both' }]
  }
  return [...urls].map(([url, held]) => {
    if (url === '/') return { route, url, ...held, prefixTrailingSlash: 'slash' }
    const { prefixTrailingSlash } = route.options
    return url === '' && (route.options.url ?? '') === '/'
      ? { route, url: '/', ...held, prefixTrailingSlash: 'no-slash' }
      : { route, url, ...held, prefixTrailingSlash }
  })
}

/** The same text for the same constraints, whatever order they were written in. */
function stableText(constraints: object): string {
  const entries = Object.entries(constraints).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify(entries.map(([name, value]) => [name, String(value)]))
}
