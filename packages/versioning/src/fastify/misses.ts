/** Opt-in answers for requests that match nothing: 405 with `Allow`, and redirects to the other spelling of a path. */

import type { FastifyReply, FastifyRequest, HTTPMethods, RouteOptions } from 'fastify'
import { compilePath, decodePath, matchPath, sortPatterns, type PathPattern } from '../core/paths.ts'
import { problem, problemMediaType } from '../core/problems.ts'
import type { Address } from '../core/address.ts'
import { pathShape } from '../core/shape.ts'
import type { Plan } from './plan.ts'
import { withPrefix } from './prefix.ts'

/** OPTIONS stays with whoever answers preflights. */
const leftOut: readonly string[] = ['OPTIONS']

/** Adds a wildcard route under each version, where the options ask for it. It comes last in the router's order. */
export function registerMisses(plan: Plan): void {
  const { methodNotAllowed = false, trailingSlash = 'strict' } = plan.options
  if (!methodNotAllowed && trailingSlash === 'strict') return
  for (const address of plan.addresses) registerMiss(plan, address)
}

function registerMiss(plan: Plan, address: Address): void {
  const { scope, collector, options } = plan
  const full = `${plan.base}${address.prefix}`
  const methods = scope.supportedMethods.filter((method) => !leftOut.includes(method)) as HTTPMethods[]
  const patterns = methodPatterns(plan, address)
  const handler = (request: FastifyRequest, reply: FastifyReply): void => {
    const path = pathOf(plan, address, request)
    const allowed = path === undefined ? [] : allowedMethods(patterns, path)
    const other = path === undefined ? undefined : otherSpelling(patterns, path)
    if (allowed.length > 0 && options.methodNotAllowed === true) sendNotAllowed(plan, request, reply, allowed)
    else if (allowed.length === 0 && other !== undefined && options.trailingSlash === 'redirect')
      redirect(request, reply, other)
    else reply.callNotFound()
  }
  for (const url of ['*', '']) {
    const free = methods.filter((method) => !taken(plan, address, method, url))
    if (free.length === 0 || `${full}${url}` === '') continue
    const route: RouteOptions = {
      url: url === '*' ? '/*' : '',
      method: free,
      handler,
      exposeHeadRoute: false,
      schema: { hide: true } as never,
    }
    withPrefix(scope, full, () => collector.register(scope, route))
  }
}

/** Whether the API itself has a route here that the wildcard must leave alone. */
function taken(plan: Plan, address: Address, method: string, url: string): boolean {
  const full = `${plan.base}${address.prefix}${url === '*' ? '/*' : ''}`
  return full === '' || plan.scope.hasRoute({ method: method as HTTPMethods, url: full })
}

type MethodPatterns = ReadonlyMap<string, readonly PathPattern<string>[]>

function methodPatterns(plan: Plan, address: Address): MethodPatterns {
  const byMethod = new Map<string, PathPattern<string>[]>()
  for (const { method, payload, path } of plan.table.served.get(address.version.text) ?? []) {
    const patterns = byMethod.get(method) ?? []
    byMethod.set(method, patterns)
    // The bare spelling of `/` is declared as ``.
    const spelled = payload.url === '' ? path.replace(/^\/$/, '') : path
    patterns.push(compilePath(spelled, pathShape(spelled)))
  }
  return new Map([...byMethod].map(([method, patterns]) => [method, sortPatterns(patterns)]))
}

/** The path of a request after the version's prefix, decoded. */
function pathOf(plan: Plan, address: Address, request: FastifyRequest): string | undefined {
  const path = request.url.split('?', 1)[0] ?? ''
  const skipped = `${plan.base}${address.prefix}`.split('/').length
  const rest = path.split('/').slice(skipped)
  return decodePath(rest.length === 0 ? '' : `/${rest.join('/')}`)
}

function allowedMethods(patterns: MethodPatterns, path: string): readonly string[] {
  return [...patterns]
    .filter(([, list]) => matchPath(list, path) !== undefined)
    .map(([method]) => method)
    .sort()
}

function otherSpelling(patterns: MethodPatterns, path: string): 'add' | 'remove' | undefined {
  if (path.endsWith('/'))
    return path.length > 1 && allowedMethods(patterns, path.slice(0, -1)).length > 0 ? 'remove' : undefined
  return allowedMethods(patterns, `${path}/`).length > 0 ? 'add' : undefined
}

function sendNotAllowed(plan: Plan, request: FastifyRequest, reply: FastifyReply, allowed: readonly string[]): void {
  const detail = `${request.method} is not allowed here; allowed are ${allowed.join(', ')}.`
  const { status, body } = problem({ kind: 'method', detail }, plan.options.problems)
  void reply.code(status).header('allow', allowed.join(', ')).type(problemMediaType).send(body)
}

/** Relative to the server's root and never `//…`, which would be another host. */
function redirect(request: FastifyRequest, reply: FastifyReply, other: 'add' | 'remove'): void {
  const [path = '', ...rest] = request.url.split('?')
  const target = other === 'add' ? `${path}/` : path.slice(0, -1)
  const search = rest.length === 0 ? '' : `?${rest.join('?')}`
  void reply.redirect(`${target.replace(/^\/{2,}/, '/')}${search}`, 307)
}
