/**
 * Routes of a scope are written down instead of registered, until all of them are known.
 *
 * The scope's own route methods are shadowed. Fastify makes an encapsulated instance with `Object.create(parent)`, so that plugins
 * inside the scope inherit the shadows, and `this` tells which instance a route belongs to: its hooks, decorators and prefix stay its own.
 */

import type { FastifyInstance, RouteOptions } from 'fastify'
import type { Origin } from '../core/diagnostics.ts'
import { callerOrigin } from '../core/origin.ts'

export interface CollectedRoute {
  readonly instance: FastifyInstance
  /** What the author wrote; never given to Fastify itself, which changes what it gets. */
  readonly options: RouteOptions
  readonly origin: Origin | undefined
}

export interface Collector {
  readonly routes: readonly CollectedRoute[]
  /** The scope's `route` as it was, to be called on the instance that declared the route. */
  readonly register: (instance: FastifyInstance, options: RouteOptions) => void
  /** From now on, routes go to Fastify directly again. */
  readonly stop: () => void
}

const originKey = Symbol('serin.versioning.origin')

/** Route options that know where they come from: for routes that are declared in one place and registered in another. */
export function withOrigin(options: RouteOptions, origin: Origin | undefined): RouteOptions {
  return origin === undefined ? options : Object.assign({ [originKey]: origin }, options)
}

/** Inherited by every plugin of a scope while its routes are collected. */
const collectingKey = Symbol('serin.versioning.collecting')

type Shadowed = Record<string | symbol, unknown>

/** Begins to collect on this scope and on every plugin registered inside it. */
export function collectRoutes(scope: FastifyInstance): Collector {
  const routes: CollectedRoute[] = []
  const target = scope as unknown as Shadowed
  if (target[collectingKey] === true)
    throw new Error('versioned() inside of versioned(): a route can have one version only')
  const original = Reflect.get(scope, 'route') as (this: FastifyInstance, options: RouteOptions) => unknown
  const names = ['all', ...scope.supportedMethods.map((method) => method.toLowerCase())]

  // On the root instance, where a plugin without encapsulation comes to stand, the route methods are own properties: they are put back.
  const before = new Map<string, PropertyDescriptor | undefined>()
  const shadow = (name: string, value: (this: FastifyInstance, ...args: never[]) => FastifyInstance): void => {
    if (!before.has(name)) before.set(name, Object.getOwnPropertyDescriptor(target, name))
    Object.defineProperty(target, name, { value, configurable: true, writable: true, enumerable: true })
  }
  const keep = (instance: FastifyInstance, options: RouteOptions): FastifyInstance => {
    const { [originKey]: origin = callerOrigin(), ...rest } = options as RouteOptions & { [originKey]?: Origin }
    routes.push({ instance, options: rest as RouteOptions, origin })
    return instance
  }
  target[collectingKey] = true
  shadow('route', function (options: RouteOptions) {
    return keep(this, { ...options })
  })
  for (const name of names) shadow(name, shorthand(name, keep))
  const addHttpMethod = scope.addHttpMethod.bind(scope)
  shadow('addHttpMethod', function (method: string, options: never) {
    addHttpMethod(method, options)
    shadow(method.toLowerCase(), shorthand(method, keep))
    return this
  })
  return {
    routes,
    register: (instance, options) => void original.call(instance, options),
    stop: () => {
      delete target[collectingKey]
      for (const [name, descriptor] of before) {
        if (descriptor === undefined) delete target[name]
        else Object.defineProperty(target, name, descriptor)
      }
    },
  }
}

/** `api.get(url, options?, handler)` → route options. What Fastify would refuse is passed on, so that Fastify says why. */
function shorthand(name: string, keep: (instance: FastifyInstance, options: RouteOptions) => FastifyInstance) {
  return function (this: FastifyInstance, url: string, first: unknown, second?: unknown): FastifyInstance {
    const options = typeof first === 'function' ? {} : ((first ?? {}) as Partial<RouteOptions>)
    const handler = typeof first === 'function' ? first : (second ?? options.handler)
    const method = name === 'all' ? [...this.supportedMethods] : name.toUpperCase()
    return keep(this, { ...options, method, url, handler: handler as RouteOptions['handler'] })
  }
}
