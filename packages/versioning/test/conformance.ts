/** One line of `conformance/versioning.jsonl` (recorded from fastapi-versioning) → an app of ours. */

import { fastify, type FastifyInstance } from 'fastify'
import { versioned, type VersionedOptions } from '../src/index.ts'

type Pair = readonly [number, number]

interface CaseRoute {
  readonly id: string
  readonly method?: string
  readonly methods?: readonly string[]
  readonly path: string
  readonly version: Pair | null
  readonly status?: number
  readonly hidden?: boolean
  readonly tombstone?: boolean
  readonly returns?: unknown
  readonly reply?: 'body'
  readonly echo?: readonly ('params' | 'query' | 'body')[]
}

interface CaseRouter {
  readonly prefix?: string
  readonly version?: Pair | null
  readonly routes?: readonly CaseRoute[]
  readonly routers?: readonly CaseRouter[]
}

export interface Case {
  readonly id: string
  readonly versions: readonly Pair[]
  readonly conflicts?: readonly ('prefix' | 'duplicate')[]
  readonly app: CaseRouter & {
    readonly title: string
    readonly description: string
    readonly options: {
      readonly version_format: string
      readonly prefix_format: string
      readonly default_version: Pair
      readonly enable_latest: boolean
    }
  }
  readonly answers: readonly Answer[]
}

export interface Answer {
  readonly kind: string
  readonly method: string
  readonly url: string
  readonly send?: unknown
  readonly status: number
  readonly json?: unknown
  readonly allow?: readonly string[]
  readonly allow_intended?: readonly string[]
  readonly location?: string
  readonly handler?: string
  readonly openapi?: {
    readonly paths: Readonly<Record<string, readonly string[]>>
    readonly servers: unknown
    readonly info: Readonly<Record<string, unknown>>
  }
  readonly spec?: string
  readonly empty_param?: boolean
  readonly contract: boolean
  readonly bug?: string
  readonly intended?: Partial<Answer>
}

const text = ([major, minor]: Pair): string => `${major}.${minor}`

/** An app as the line describes it. What the line's own options say is translated one to one. */
export function appOf(line: Case): FastifyInstance {
  const { title, description, options } = line.app
  const app = fastify({ exposeHeadRoutes: false, forceCloseConnections: true })
  const ours: VersionedOptions = {
    title,
    description,
    label: options.version_format,
    path: options.prefix_format,
    default: text(options.default_version),
    latest: options.enable_latest,
    docs: true,
    methodNotAllowed: true,
    trailingSlash: 'redirect',
  }
  app.register(versioned((api) => addRouter(api, line.app), ours))
  return app
}

/** A router's version goes to its own routes and beats theirs; nested routers do not get it. */
function addRouter(api: FastifyInstance, router: CaseRouter): void {
  for (const route of router.routes ?? []) addRoute(api, route, router.version ?? route.version)
  for (const nested of router.routers ?? [])
    api.register(async (child) => addRouter(child, nested), { prefix: nested.prefix ?? '' })
}

function addRoute(api: FastifyInstance, route: CaseRoute, version: Pair | null): void {
  const url = route.path.replaceAll(/\{(\w+)\}/g, ':$1')
  api.route({
    method: [...(route.methods ?? [route.method as string])] as never,
    url,
    prefixTrailingSlash: url === '/' ? 'slash' : 'both',
    ...(version === null ? {} : { version: text(version) }),
    schema: (route.hidden === true || route.tombstone === true ? { hide: true } : {}) as never,
    handler: (request, reply) => {
      reply.header('x-handler', route.id)
      if (route.tombstone === true) return reply.code(404).send({ detail: 'Not Found' })
      reply.code(route.status ?? 200).type('application/json; charset=utf-8')
      return reply
        .serializer((payload: unknown) => JSON.stringify(payload ?? null))
        .send(bodyOf(route, request) ?? null)
    },
  })
}

function bodyOf(
  route: CaseRoute,
  request: { readonly params: unknown; readonly query: unknown; readonly body: unknown },
): unknown {
  if (route.reply === 'body') return request.body
  if (route.echo === undefined) return route.returns
  const parts = route.echo.map((part) => [part, request[part] ?? (part === 'body' ? null : {})])
  return { returns: route.returns ?? null, ...Object.fromEntries(parts) }
}
