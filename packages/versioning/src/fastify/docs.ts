/** The addresses of documents and pages: an index, and a page and a document for each version. Made when they are first asked for. */

import type { FastifyReply, FastifyRequest, onRequestHookHandler, RouteOptions } from 'fastify'
import { lifecycleOf, statusOf } from '../core/catalogue.ts'
import { labelOf } from '../core/answers.ts'
import type { Version } from '../core/version.ts'
import type { OpenApiDocument } from '../openapi/document.ts'
import { indexPage, versionPage, type PageVersion } from '../openapi/page.ts'
import { docsOptions, makeDocument, serverUrlOf } from './documents.ts'
import { list } from './hooks.ts'
import type { Plan } from './plan.ts'

/** Where one version's documents stand, after the scope's prefix. */
interface Place {
  readonly version: Version
  readonly serverUrl: string
  readonly latest: boolean
  readonly page: string | undefined
  readonly document: string | undefined
}

/** Pages hold no script, and nothing from elsewhere is loaded. */
const pagePolicy =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

/** Adds the routes of documents and pages that the options ask for. */
export function registerDocs(plan: Plan): void {
  const { index = '/docs', versions = '/versions', document = '/openapi.json' } = docsOptions(plan)
  const places = placesOf(plan)
  if (places.some(({ page, document }) => page !== undefined || document !== undefined)) requireSwagger()
  const documents = documentCache(plan)
  for (const place of places) registerPlace(plan, place, places, documents)
  const taken = new Set(places.flatMap(({ page, document: url }) => [page, url]))
  if (index !== false && !taken.has(index))
    add(plan, index, (_request, reply) => sendPage(reply, indexPageOf(plan, places)))
  if (index !== false && document !== false && !taken.has(document)) {
    add(plan, document, (_request, reply) => void reply.send(indexDocument(plan, places)))
  }
  if (versions !== false) add(plan, versions, (_request, reply) => void reply.send(versionList(plan, places)))
}

function requireSwagger(): void {
  try {
    import.meta.resolve('@fastify/swagger')
  } catch (error) {
    throw new Error(`the option 'docs' of versioned() needs @fastify/swagger: npm install @fastify/swagger`, {
      cause: error,
    })
  }
}

/** With versions in the URL, `/v2/docs` and `/v2/openapi.json`; without, `/docs/2` and `/docs/2/openapi.json`. */
function placesOf(plan: Plan): readonly Place[] {
  const { page = '/docs', document = '/openapi.json', index = '/docs' } = docsOptions(plan)
  if (plan.addresses.length > 0) {
    // The latest version without a prefix has its documents under its own; there stands the index.
    const addresses = plan.addresses.filter(({ prefix, latest }) => !latest || prefix !== '')
    return addresses.map(({ version, prefix, latest }) => ({
      version,
      latest,
      serverUrl: `${plan.base}${prefix}` || '/',
      page: page === false ? undefined : `${prefix}${page}`,
      document: document === false ? undefined : `${prefix}${document}`,
    }))
  }
  return plan.table.versions.map((version) => {
    const folder = `${index === false ? '/docs' : index}/${version.text}`
    return {
      version,
      latest: false,
      serverUrl: serverUrlOf(plan, version),
      page: page === false ? undefined : folder,
      document: document === false ? undefined : `${folder}${document}`,
    }
  })
}

type Documents = (place: Place) => Promise<OpenApiDocument>

/** A document is made once, and again when a date of a deprecation has passed. */
function documentCache(plan: Plan): Documents {
  const made = new Map<Place, { readonly document: Promise<OpenApiDocument>; readonly day: number }>()
  return (place) => {
    const day = Math.floor(plan.clock() / 86_400_000)
    const known = made.get(place)
    if (known?.day === day) return known.document
    const { version, serverUrl } = place
    const document = makeDocument({ plan, version, serverUrl, withNeutral: plan.addresses.length === 0 })
    made.set(place, { document, day })
    document.catch(() => made.delete(place))
    return document
  }
}

function registerPlace(plan: Plan, place: Place, places: readonly Place[], documents: Documents): void {
  const { page, document } = place
  if (document !== undefined) add(plan, document, async () => documents(place))
  if (page === undefined) return
  add(plan, page, async (_request, reply) => {
    const { index = '/docs' } = docsOptions(plan)
    const current = pageVersion(plan, place)
    const html = versionPage({
      document: await documents(place),
      current: place.latest ? { ...current, label: `${current.label} (latest)` } : current,
      versions: pageVersions(plan, places),
      documentUrl: document === undefined ? '' : `${plan.base}${document}`,
      indexUrl: index === false ? undefined : `${plan.base}${index}`,
    })
    sendPage(reply, html)
    return reply
  })
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown

/** A route of the API itself goes before ours. */
function add(plan: Plan, url: string, handler: Handler): void {
  const full = `${plan.base}${url}`
  if (plan.scope.hasRoute({ method: 'GET', url: full })) {
    plan.scope.log.warn(`${full} is a route of the API, so the documents have no place there`)
    return
  }
  const hooks = list(docsOptions(plan).onRequest)
  const options: RouteOptions = {
    method: 'GET',
    url,
    handler: handler as RouteOptions['handler'],
    schema: { hide: true } as never,
    ...(hooks.length === 0 ? {} : { onRequest: hooks as onRequestHookHandler[] }),
  }
  plan.scope.route(options)
}

function sendPage(reply: FastifyReply, html: string): void {
  void reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', pagePolicy)
    .header('x-content-type-options', 'nosniff')
    .send(html)
}

/** Every version once: the moving address of the latest is no version of its own. */
function pageVersions(plan: Plan, places: readonly Place[]): readonly PageVersion[] {
  return places.filter((place) => !place.latest).map((place) => pageVersion(plan, place))
}

function pageVersion(plan: Plan, place: Place): PageVersion {
  const { deprecatedMs, sunsetMs, info, ...lifecycle } = lifecycleOf(plan.catalogue, place.version)
  return {
    label: labelOf(plan, place.version),
    status: statusOf({ deprecatedMs, sunsetMs, info, ...lifecycle }, plan.clock()),
    deprecated: dayOf(deprecatedMs),
    sunset: dayOf(sunsetMs),
    info,
    latest: plan.latest?.text === place.version.text,
    changes: changesOf(plan, place.version),
    page: place.page === undefined ? undefined : `${plan.base}${place.page}`,
    document: place.document === undefined ? undefined : `${plan.base}${place.document}`,
  }
}

function indexPageOf(plan: Plan, places: readonly Place[]): string {
  const { versions = '/versions', document = '/openapi.json' } = docsOptions(plan)
  const links = [document, versions].flatMap((path) =>
    path === false ? [] : [{ name: path.slice(1), url: `${plan.base}${path}` }],
  )
  const { title = 'API', description } = plan.options
  return indexPage({ title, description, versions: pageVersions(plan, places), links })
}

/** The list of versions for programs. */
function versionList(plan: Plan, places: readonly Place[]): object {
  const versions = places
    .filter((place) => !place.latest)
    .map((place) => {
      const { page, document, latest, ...version } = pageVersion(plan, place)
      const url = plan.addresses.length === 0 ? undefined : place.serverUrl
      return { version: place.version.text, ...version, latest, url, docs: page, openapi: document }
    })
  return { title: plan.options.title ?? 'API', latest: plan.latest?.text, versions }
}

/** An OpenAPI document whose operations are the documents: for viewers that start from one address. */
function indexDocument(plan: Plan, places: readonly Place[]): OpenApiDocument {
  const entry = (tag: string, summary: string): object => ({
    get: { tags: [tag], summary, responses: { 200: { description: summary } } },
  })
  const paths = pageVersions(plan, places).flatMap(({ label, page, document }) => [
    ...(page === undefined ? [] : [[page, entry('Documentations', `Page of version ${label}`)] as const]),
    ...(document === undefined ? [] : [[document, entry('Versions', `OpenAPI document of version ${label}`)] as const]),
  ])
  const version = plan.latest === undefined ? '0' : labelOf(plan, plan.latest)
  return {
    openapi: '3.0.3',
    info: { title: plan.options.title ?? 'API', version },
    paths: Object.fromEntries(paths) as OpenApiDocument['paths'] & object,
  }
}

/** The descriptions of the changes that a version brought; undefined: none are known. */
function changesOf(plan: Plan, version: Version): readonly string[] | undefined {
  const texts = plan.changes.filter((item) => item.version.text === version.text).map((item) => item.description)
  return texts.length === 0 ? undefined : texts
}

function dayOf(timeMs: number | undefined): string | undefined {
  return timeMs === undefined ? undefined : new Date(timeMs).toISOString().slice(0, 10)
}
