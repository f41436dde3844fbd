/** The adapters behind one face, for the suite that all of them have to pass. Each listens on a real port. */

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import { versioned as fastifyVersioned, type VersionedOptions } from '../src/index.ts'
import { versioned as fetchVersioned, type FetchOptions } from '../src/fetch/index.ts'
import { version as honoVersion, versioned as honoVersioned } from '../src/hono/index.ts'
import { listener } from '../src/node/index.ts'
import type { ApiOptions } from '../src/core/plan.ts'
import type { RouteMarks } from '../src/web/entry.ts'

/** What a handler of the suite sees, whatever the framework. */
interface Seen {
  readonly params: Readonly<Record<string, unknown>>
  readonly query: Readonly<Record<string, unknown>>
  readonly body: unknown
  readonly version: string | undefined
}

export interface SuiteRoute {
  readonly method: string
  readonly path: string
  readonly marks?: RouteMarks
  readonly status?: number
  /** Headers of the answer. */
  readonly headers?: Readonly<Record<string, string>>
  readonly answer: (seen: Seen) => unknown
}

interface Running {
  readonly origin: string
  readonly stop: () => Promise<void>
}

export interface Adapter {
  readonly name: string
  /** Throws, or rejects, if the routes contradict each other. */
  readonly start: (routes: readonly SuiteRoute[], options: ApiOptions, base?: string) => Promise<Running>
}

export const adapters: readonly Adapter[] = [
  { name: 'fastify', start: startFastify },
  { name: 'hono', start: startHono },
  { name: 'node', start: startNode },
]

async function startFastify(routes: readonly SuiteRoute[], options: VersionedOptions, base = ''): Promise<Running> {
  const app = fastify({ forceCloseConnections: true })
  const plugin = fastifyVersioned((api) => {
    for (const { method, path, marks = {}, status = 200, headers = {}, answer } of routes) {
      api.route({
        method: method as 'GET',
        url: path,
        ...(marks as object),
        handler: async (request, reply) => {
          reply.code(status).headers(headers)
          return answer({
            params: request.params as object as Seen['params'],
            query: { ...(request.query as object) },
            body: request.body ?? undefined,
            version: request.apiVersion,
          })
        },
      })
    }
  }, options)
  app.register(plugin, { prefix: base })
  try {
    return { origin: await app.listen({ port: 0, host: '127.0.0.1' }), stop: () => app.close() }
  } catch (error) {
    await app.close()
    throw error
  }
}

async function startHono(routes: readonly SuiteRoute[], options: ApiOptions, base = '/'): Promise<Running> {
  const app = new Hono()
  const versions = honoVersioned((api) => {
    for (const { method, path, marks, status = 200, headers = {}, answer } of routes) {
      const mark = marks?.version === undefined ? [] : [honoVersion(marks.version, marks)]
      api.on([method], [path], ...mark, async (context) => {
        const body: unknown =
          context.req.header('content-type')?.includes('json') === true ? await context.req.json() : undefined
        const value = answer({
          params: context.req.param(),
          query: context.req.query(),
          body,
          version: context.get('apiVersion'),
        })
        return context.json(value as object, status as 200, { ...headers })
      })
    }
  }, options)
  app.route(base, versions)
  return listen(createServer(listener({ fetch: async (request) => app.fetch(request) })))
}

async function startNode(routes: readonly SuiteRoute[], options: FetchOptions, base = ''): Promise<Running> {
  const api = fetchVersioned(
    (builder) => {
      for (const { method, path, marks = {}, status = 200, headers = {}, answer } of routes) {
        builder.route(method, path, marks, async (request, { params, query, apiVersion }) => {
          const body: unknown =
            request.headers.get('content-type')?.includes('json') === true ? await request.json() : undefined
          return Response.json(answer({ params, query: Object.fromEntries(query), body, version: apiVersion }), {
            status,
            headers,
          })
        })
      }
    },
    { ...options, base },
  )
  return listen(createServer(listener(api)))
}

async function listen(server: Server): Promise<Running> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
