/** Registers a route under a prefix of our choice on an instance that has its own. */

import type { FastifyInstance } from 'fastify'

/**
 * Fastify keeps an instance's prefix under a private symbol. Changing it for the length of one synchronous `route` call makes everything
 * right that depends on it: `request.routeOptions.url`, `onRoute` hooks, both spellings of `/`, the HEAD route. Rewriting the URL in an
 * `onRoute` hook does not: the second spelling of `/` skips those hooks, and `routeOptions.url` is taken before them.
 */
export function withPrefix(instance: FastifyInstance, prefix: string, register: () => void): void {
  const symbol = prefixSymbol(instance)
  const holder = instance as unknown as Record<symbol, unknown>
  const own = Object.getOwnPropertyDescriptor(holder, symbol)
  Object.defineProperty(holder, symbol, { value: prefix, configurable: true, writable: true, enumerable: true })
  try {
    register()
  } finally {
    if (own === undefined) delete holder[symbol]
    else Object.defineProperty(holder, symbol, own)
  }
}

function prefixSymbol(instance: FastifyInstance): symbol {
  for (let object: object | null = instance; object !== null; object = Object.getPrototypeOf(object) as object | null) {
    const found = Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === 'fastify.routePrefix')
    if (found !== undefined) return found
  }
  throw new Error(`@serin/versioning does not know this version of Fastify (${instance.version}); 5.x is supported`)
}
