/**
 * `@serin/versioning/decorators`: routes as methods of classes, with standard (TC39) decorators; no `reflect-metadata`, no compiler flag.
 *
 * ```ts
 * class Greeter {
 *   @Version(1) @Get('/') hello() { return { message: 'Hello World' } }
 * }
 * app.register(versioned((api) => registerControllers(api, new Greeter())))
 * ```
 */

import type { FastifyInstance, HTTPMethods, RouteHandlerMethod, RouteOptions } from 'fastify'
import type { Origin } from '../core/diagnostics.ts'
import { callerOrigin } from '../core/origin.ts'
import type { VersionInput } from '../core/register.ts'
import '../fastify/augment.ts'
import { withOrigin } from '../fastify/collect.ts'

/** Options of a route that a method declares: everything Fastify takes but what the decorators say. */
export type MethodOptions = Partial<Omit<RouteOptions, 'method' | 'url' | 'handler' | 'version'>>

/** For a method of any class; what it takes is up to it, `(request, reply)` as a rule. The constraint is TypeScript's own. */
type MethodDecorator = <This, Value extends (this: This, ...args: any) => any>(
  method: Value,
  context: ClassMethodDecoratorContext<This, Value>,
) => void
type ClassDecorator = <Class extends abstract new (...args: never[]) => object>(
  value: Class,
  context: ClassDecoratorContext<Class>,
) => void

interface Declared {
  readonly method: HTTPMethods
  readonly url: string
  readonly options: MethodOptions
  readonly origin: Origin | undefined
}

/** What the decorators of one method say, whatever their order. */
interface Marks {
  readonly routes: Declared[]
  version?: VersionInput
}

interface ControllerMarks {
  prefix: string
  version?: VersionInput
}

// Not every runtime has `Symbol.metadata` yet; compilers pass `undefined` as metadata then, so the marks are kept by us.
const methods = new WeakMap<object, Marks>()
const controllers = new WeakMap<object, ControllerMarks>()

function marksOf(method: object): Marks {
  const marks = methods.get(method) ?? { routes: [] }
  methods.set(method, marks)
  return marks
}

/** Which versions a method serves, or all methods of a class that say nothing themselves. */
export function Version(version: VersionInput): MethodDecorator & ClassDecorator {
  return ((value: object, context: { readonly kind: string }) => {
    if (context.kind === 'class') controllers.set(value, { prefix: controllers.get(value)?.prefix ?? '', version })
    else marksOf(value).version = version
  }) as MethodDecorator & ClassDecorator
}

/** A prefix for all routes of a class, and a version for those that name none. */
export function Controller(prefix = '', options: { readonly version?: VersionInput } = {}): ClassDecorator {
  return (value) => {
    const version = options.version ?? controllers.get(value)?.version
    controllers.set(value, { prefix, ...(version === undefined ? {} : { version }) })
  }
}

/** A route of any method. */
export function Route(method: HTTPMethods, url: string, options: MethodOptions = {}): MethodDecorator {
  const origin = callerOrigin()
  return (value, context) => {
    if (context.static || context.private)
      throw new TypeError(`${String(context.name)} cannot be a route: it is ${context.static ? 'static' : 'private'}`)
    marksOf(value).routes.push({ method, url, options, origin })
  }
}

type Shorthand = (url: string, options?: MethodOptions) => MethodDecorator

export const Get: Shorthand = (url, options) => Route('GET', url, options)
export const Post: Shorthand = (url, options) => Route('POST', url, options)
export const Put: Shorthand = (url, options) => Route('PUT', url, options)
export const Patch: Shorthand = (url, options) => Route('PATCH', url, options)
export const Delete: Shorthand = (url, options) => Route('DELETE', url, options)

/** Registers the routes of controllers inside `versioned`. Methods are called with `this` set to their controller. */
export function registerControllers(api: FastifyInstance, ...instances: readonly object[]): void {
  for (const instance of instances) registerController(api, instance)
}

function registerController(api: FastifyInstance, instance: object): void {
  const { prefix, version: common } = controllers.get(instance.constructor) ?? { prefix: '' }
  const routes = methodsOf(instance)
  if (routes.length === 0)
    throw new TypeError(`${instance.constructor.name} has no method with a route decorator such as @Get('/')`)
  for (const { name, method, marks } of routes) {
    if (marks.routes.length === 0)
      throw new TypeError(`${instance.constructor.name}.${name} has @Version but no route, such as @Get('/')`)
    const version = marks.version ?? common
    for (const { method: verb, url, options, origin } of marks.routes) {
      const handler = method.bind(instance) as RouteHandlerMethod
      const route = {
        ...options,
        method: verb,
        url: joined(prefix, url),
        handler,
        ...(version === undefined ? {} : { version }),
      }
      api.route(withOrigin(route as RouteOptions, origin))
    }
  }
}

interface Found {
  readonly name: string
  readonly method: (...args: never[]) => unknown
  readonly marks: Marks
}

/** Methods with marks, those of a base class last; an overridden one counts as its subclass says. */
function methodsOf(instance: object): readonly Found[] {
  const found = new Map<string, Found | undefined>()
  for (
    let prototype: unknown = Object.getPrototypeOf(instance);
    prototype !== Object.prototype && prototype !== null;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    for (const name of Object.getOwnPropertyNames(prototype)) {
      if (found.has(name)) continue
      const value: unknown = Object.getOwnPropertyDescriptor(prototype, name)?.value
      const marks = typeof value === 'function' ? methods.get(value) : undefined
      found.set(name, marks === undefined ? undefined : { name, method: value as Found['method'], marks })
    }
  }
  return [...found.values()].filter((item) => item !== undefined)
}

function joined(prefix: string, url: string): string {
  return prefix === '' ? url : `${prefix.replace(/\/$/, '')}${url === '/' ? '' : url}` || '/'
}
