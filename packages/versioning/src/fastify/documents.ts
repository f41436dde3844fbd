/** The OpenAPI document of one version, made by `@fastify/swagger` from the routes that this version serves. */

import type { FastifyInstance, RouteOptions } from 'fastify'
import { isDeprecated, mergeLifecycles, readLifecycle } from '../core/lifecycle.ts'
import { lifecycleOf } from '../core/catalogue.ts'
import { olderSchema, type ChangeSchema } from '../core/migrations.ts'
import { labelOf } from '../core/answers.ts'
import type { Version } from '../core/version.ts'
import { isObject, type JsonObject, type OpenApiDocument } from '../openapi/document.ts'
import { chainOf, fastifySchema } from './migrate.ts'
import type { DocsOptions } from './options.ts'
import { nestedPrefix, type Plan } from './plan.ts'
import { registrations, type Registration } from './placement.ts'

/** What a swagger plugin adds to an app. */
interface WithSwagger {
  readonly swagger: () => OpenApiDocument
}

export interface DocumentInput {
  readonly plan: Plan
  readonly version: Version
  /** The address that the paths in the document are relative to. */
  readonly serverUrl: string
  /** Whether routes without a version have this base address too: they do where versions do not stand in the URL. */
  readonly withNeutral: boolean
}

/** Makes a document. An app of its own collects the routes, so that nothing is added to the user's. */
export async function makeDocument({ plan, version, serverUrl, withNeutral }: DocumentInput): Promise<OpenApiDocument> {
  const { fastify } = await import('fastify')
  const { default: swagger } = await import('@fastify/swagger')
  const app = fastify({ exposeHeadRoutes: false })
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => () => '')
  for (const method of plan.scope.supportedMethods)
    if (!app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true })
  await app.register(swagger, swaggerOptions(plan, version, serverUrl))
  const served = registrations([
    ...(plan.table.served.get(version.text) ?? []),
    ...(withNeutral ? plan.table.neutral : []),
  ])
  addSchemas(app, served)
  for (const registration of served) addRoute(app, plan, registration, version)
  try {
    await app.ready()
    return mergeTwins((app as unknown as WithSwagger).swagger())
  } finally {
    await app.close()
  }
}

/** Routes of one shape may call a parameter differently; in a document they have to be one path (OpenAPI 3.1 §4.8.8). */
function mergeTwins(document: OpenApiDocument): OpenApiDocument {
  const names = new Map<string, string>()
  const paths: Record<string, JsonObject> = {}
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    const shape = path.replaceAll(/\{[^}]*\}/g, '{}')
    const name = names.get(shape) ?? path
    names.set(shape, name)
    paths[name] = { ...renameParameters(item, path, name), ...paths[name] }
  }
  return { ...document, paths }
}

function renameParameters(item: JsonObject, from: string, to: string): JsonObject {
  if (from === to) return item
  const parameters = (path: string): readonly string[] =>
    [...path.matchAll(/\{([^}]*)\}/g)].map((match) => match[1] as string)
  const renamed = new Map(parameters(from).map((name, index) => [name, parameters(to)[index] ?? name]))
  const rename = (parameter: unknown): unknown =>
    isObject(parameter) && parameter['in'] === 'path'
      ? { ...parameter, name: renamed.get(String(parameter['name'])) ?? parameter['name'] }
      : parameter
  const operations = Object.entries(item).map(([method, operation]) => {
    const list = isObject(operation) ? operation['parameters'] : undefined
    return [
      method,
      Array.isArray(list) && isObject(operation) ? { ...operation, parameters: list.map(rename) } : operation,
    ]
  })
  return Object.fromEntries(operations) as JsonObject
}

function swaggerOptions(plan: Plan, version: Version, serverUrl: string): Record<string, unknown> {
  const { title, description } = plan.options
  const { openapi, ...rest } = docsOptions(plan).swagger ?? {}
  const own = (openapi ?? {}) as { info?: object }
  const info = {
    title: title ?? 'API',
    ...(description === undefined ? {} : { description }),
    ...own.info,
    version: labelOf(plan, version),
  }
  return { ...rest, stripBasePath: false, openapi: { ...own, info, servers: [{ url: serverUrl }] } }
}

export function docsOptions({ options }: Pick<Plan, 'options'>): DocsOptions {
  return typeof options.docs === 'object' ? options.docs : {}
}

/** Shared schemas of all instances; where two have one id, the first stays. */
function addSchemas(app: FastifyInstance, served: readonly Registration[]): void {
  const seen = new Set<string>()
  for (const { route } of served) {
    for (const [id, schema] of Object.entries(route.instance.getSchemas())) {
      if (seen.has(id)) continue
      seen.add(id)
      app.addSchema(schema)
    }
  }
}

function addRoute(app: FastifyInstance, plan: Plan, registration: Registration, version: Version): void {
  const { route, methods, declaration } = registration
  const schema = schemaOf(plan, registration, version)
  const { config } = route.options
  const options: RouteOptions = {
    url: documentPath(plan, registration),
    method: [...methods],
    handler: () => undefined,
    ...(schema === undefined ? {} : { schema }),
    ...(config === undefined ? {} : { config }),
  }
  // Two routes may differ in a constraint such as the host: one path of a document holds only one of them.
  if (methods.some((method) => app.hasRoute({ method, url: options.url }))) return
  try {
    app.route(options)
  } catch (error) {
    throw new Error(`${methods.join(',')} ${declaration.path} cannot be documented: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** `/` under a prefix is shown as `/users`, not `/users/`. */
function documentPath(plan: Plan, { route, url, prefixTrailingSlash }: Registration): string {
  const nested = nestedPrefix(plan.scope, route.instance)
  if (url === '/' && nested !== '' && prefixTrailingSlash !== 'slash') return nested
  return `${nested}${url}` || '/'
}

function schemaOf(plan: Plan, registration: Registration, version: Version): RouteOptions['schema'] {
  const { options } = registration.route
  const chain = chainOf(plan, registration, version)
  const schema =
    chain.steps.length === 0
      ? options.schema
      : fastifySchema(olderSchema(chain, (options.schema ?? {}) as ChangeSchema), registration.methods)
  const { deprecated, sunset } = options
  const own = readLifecycle(
    { ...(deprecated === undefined ? {} : { deprecated }), ...(sunset === undefined ? {} : { sunset }) },
    { subject: 'this route' },
    [],
  )
  const lifecycle = mergeLifecycles(lifecycleOf(plan.catalogue, version), own)
  return isDeprecated(lifecycle, plan.clock()) ? { ...schema, deprecated: true } : schema
}

/** The base address of a version in its documents: its URL prefix, or that of the scope. */
export function serverUrlOf(plan: Plan, version: Version): string {
  const address = plan.addresses.find((item) => !item.latest && item.version.text === version.text)
  return `${plan.base}${address?.prefix ?? ''}` || '/'
}

/** The documents of all versions of a scope, by version. */
export async function makeDocuments(plan: Plan): Promise<Readonly<Record<string, OpenApiDocument>>> {
  const result: Record<string, OpenApiDocument> = {}
  const withNeutral = plan.addresses.length === 0
  for (const version of plan.table.versions) {
    result[version.text] = await makeDocument({ plan, version, serverUrl: serverUrlOf(plan, version), withNeutral })
  }
  return result
}
