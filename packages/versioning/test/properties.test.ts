/** The rule of inheritance asked of running apps: random routes, every version, every path. */

import { deepEqual } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fastify, type FastifyInstance } from 'fastify'
import { header, versioned, type VersionedOptions } from '../src/index.ts'
import { versioned as fetchVersioned } from '../src/fetch/index.ts'
import { pathShape } from '../src/core/shape.ts'

const versions = [1, 2, 3, 4, 5]
const runs = 20

interface Drawn {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly from: number
  readonly until: number | undefined
}

const routes: fc.Arbitrary<readonly Drawn[]> = fc
  .uniqueArray(
    fc.record({
      method: fc.constantFrom('GET', 'POST'),
      path: fc.constantFrom('/', '/a', '/:x', '/a/:id', '/a/:name', '/a/me'),
      from: fc.constantFrom(...versions),
      length: fc.option(fc.constantFrom(1, 2)),
    }),
    { selector: ({ method, path, from }) => `${method} ${pathShape(path)} ${from}`, minLength: 1, maxLength: 10 },
  )
  .map((list) =>
    list.map(({ length, method, ...route }) => ({
      ...route,
      method: method as Drawn['method'],
      until: length === null ? undefined : route.from + length,
    })),
  )

const requests = ['/', '/a', '/b', '/a/me', '/a/7'].flatMap((path) =>
  (['GET', 'POST'] as const).map((method) => ({ path, method })),
)

/** Patterns that match a path, most specific first. */
const patternsFor: Readonly<Record<string, readonly string[]>> = {
  '/': ['/'],
  '/a': ['/a', '/:'],
  '/b': ['/:'],
  '/a/me': ['/a/me', '/a/:'],
  '/a/7': ['/a/:'],
}

function nameOf({ method, path, from }: Drawn): string {
  return `${method} ${path} ${from}`
}

/** The rule, the short way: the most specific pattern that this version serves, by its newest route that has not ended. */
function expected(list: readonly Drawn[], version: number, { method, path }: (typeof requests)[number]): string {
  for (const shape of patternsFor[path] ?? []) {
    const candidates = list.filter(
      (route) =>
        route.method === method &&
        pathShape(route.path) === shape &&
        route.from <= version &&
        (route.until === undefined || version < route.until),
    )
    const best = candidates.toSorted((a, b) => b.from - a.from)[0]
    if (best !== undefined) return nameOf(best)
  }
  return '404'
}

const versionOf = ({ from, until }: Drawn): { from: number; until?: number } => ({
  from,
  ...(until === undefined ? {} : { until }),
})

async function ask(
  list: readonly Drawn[],
  answer: (version: number, request: (typeof requests)[number]) => Promise<string>,
): Promise<void> {
  for (const version of versions) {
    for (const request of requests)
      deepEqual(
        await answer(version, request),
        expected(list, version, request),
        `${request.method} ${request.path} in ${version}`,
      )
  }
}

async function fastifyApp(list: readonly Drawn[], options: VersionedOptions): Promise<FastifyInstance> {
  const app = fastify()
  const declare = (api: FastifyInstance): void => {
    for (const route of list) {
      api.route({ method: route.method, url: route.path, version: versionOf(route), handler: () => nameOf(route) })
    }
  }
  app.register(versioned(declare, { versions, ...options }))
  await app.ready()
  return app
}

const textOf = ({ statusCode, body }: { readonly statusCode: number; readonly body: string }): string =>
  statusCode === 404 ? '404' : body

test('fastify serves by URL what the rule says', () =>
  fc.assert(
    fc.asyncProperty(routes, async (list) => {
      const app = await fastifyApp(list, { path: '/v{major}' })
      // For Fastify `/v1/` is `/:x` with an empty parameter, so the root is asked for without its slash.
      await ask(list, async (version, { method, path }) =>
        textOf(await app.inject({ method, url: `/v${version}${path === '/' ? '' : path}` })),
      )
      await app.close()
    }),
    { numRuns: runs },
  ))

test('and by header', () =>
  fc.assert(
    fc.asyncProperty(routes, async (list) => {
      const app = await fastifyApp(list, { read: header('v') })
      await ask(list, async (version, request) => {
        const { method, path } = request
        const text = textOf(await app.inject({ method, url: path, headers: { v: String(version) } }))
        return path === '/' && text.includes(' /:x ') ? expected(list, version, request) : text
      })
      await app.close()
    }),
    { numRuns: runs },
  ))

test('the fetch handler does, too', () =>
  fc.assert(
    fc.asyncProperty(routes, async (list) => {
      const api = fetchVersioned(
        (builder) => {
          for (const route of list)
            builder.route(route.method, route.path, { version: versionOf(route) }, () => new Response(nameOf(route)))
        },
        { versions, path: '/v{major}', read: header('v') },
      )
      const text = async (response: Response): Promise<string> => (response.status >= 400 ? '404' : response.text())
      const to = (path: string, method: string, version?: number): Request =>
        new Request(`http://localhost${path}`, { method, headers: version === undefined ? {} : { v: String(version) } })
      await ask(list, async (version, { method, path }) => text(await api.fetch(to(`/v${version}${path}`, method))))
    }),
    { numRuns: runs },
  ))
