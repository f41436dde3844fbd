/**
 * `/openapi/v3` and `/openapi/v2`: the schemas of the kinds served, with the operations on them, so that clients know merge keys,
 * `kubectl explain` works, and clients see that `fieldValidation` and `dryRun` are understood. Made when first asked for.
 */
import { createHash } from 'node:crypto'
import { KINDS, type Kind } from '../resources/kinds.ts'
import { builtInDocuments, publishedName, publishedSchemas, type Schema } from '../resources/schema.ts'
import { servedGroups, type GroupVersion } from './route.ts'

interface Document {
  readonly text: string
  readonly hash: string
}

const documents = new Map<string, Document>()

/** `api/v1`, `apis/apps/v1`… in which documents are published. */
function documentPaths(): string[] {
  return [...servedGroups()].flatMap(([group, versions]) =>
    [...versions].map((version) => (group === '' ? `api/${version}` : `apis/${group}/${version}`)),
  )
}

/** The index at `/openapi/v3`. */
export function openApiIndex(): unknown {
  const paths = documentPaths().map((path) => {
    const hash = documentAt(path)?.hash ?? ''
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }]
  })
  return { paths: Object.fromEntries(paths) as unknown }
}

/** Below `/openapi/v3/`; undefined for what is not served. */
export function documentAt(path: string): Document | undefined {
  if (!documentPaths().includes(path)) return undefined
  let document = documents.get(path)
  if (document === undefined) {
    const text = JSON.stringify(documentOf(path))
    document = { text, hash: createHash('sha256').update(text).digest('hex').toUpperCase().slice(0, 64) }
    documents.set(path, document)
  }
  return document
}

function documentOf(path: string): unknown {
  const parts = path.split('/')
  const groupVersion =
    parts[0] === 'api' ? { group: '', version: parts[1] ?? '' } : { group: parts[1] ?? '', version: parts[2] ?? '' }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.34.4' },
    paths: pathsOf(groupVersion, path),
    components: { schemas: schemasOf(groupVersion, path) },
  }
}

function kindsOf({ group, version }: GroupVersion): readonly Kind[] {
  return KINDS.filter((kind) => kind.group === group && [kind.version, ...kind.otherVersions].includes(version))
}

/** Built-in groups as Kubernetes publishes them; what we do not serve stays in the schemas but has no path. */
function schemasOf(groupVersion: GroupVersion, path: string): Record<string, Schema> {
  const builtIn = builtInDocuments().find((document) => document.groupVersion === path.replace(/^apis\//, ''))
  if (builtIn !== undefined) return { ...builtIn.schemas }
  return publishedSchemas(kindsOf(groupVersion), groupVersion.version)
}

function pathsOf(groupVersion: GroupVersion, path: string): Record<string, unknown> {
  const paths: Record<string, unknown> = {}
  for (const kind of kindsOf(groupVersion)) {
    const base = kind.namespaced ? `/${path}/namespaces/{namespace}/${kind.plural}` : `/${path}/${kind.plural}`
    const operations = new Operations(kind, groupVersion)
    paths[base] = { get: operations.of('list'), post: operations.of('post'), delete: operations.of('deletecollection') }
    paths[`${base}/{name}`] = {
      get: operations.of('get'),
      put: operations.of('put'),
      patch: operations.of('patch'),
      delete: operations.of('delete'),
    }
    if (kind.namespaced) paths[`/${path}/${kind.plural}`] = { get: operations.of('list') }
    for (const subresource of kind.subresources) {
      paths[`${base}/{name}/${subresource}`] = {
        get: operations.of('get'),
        put: operations.of('put'),
        patch: operations.of('patch'),
      }
    }
  }
  return paths
}

const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  post: ['dryRun', 'fieldManager', 'fieldValidation', 'pretty'],
  put: ['dryRun', 'fieldManager', 'fieldValidation', 'pretty'],
  patch: ['dryRun', 'fieldManager', 'fieldValidation', 'force', 'pretty'],
  delete: ['dryRun', 'gracePeriodSeconds', 'orphanDependents', 'propagationPolicy', 'pretty'],
  list: ['continue', 'fieldSelector', 'labelSelector', 'limit', 'resourceVersion', 'watch', 'pretty'],
  deletecollection: ['dryRun', 'fieldSelector', 'labelSelector', 'gracePeriodSeconds', 'propagationPolicy', 'pretty'],
  get: ['pretty'],
}

class Operations {
  readonly #kind: Kind
  readonly #groupVersion: GroupVersion

  constructor(kind: Kind, groupVersion: GroupVersion) {
    this.#kind = kind
    this.#groupVersion = groupVersion
  }

  of(action: string): unknown {
    const { group, version } = this.#groupVersion
    const schema = { $ref: `#/components/schemas/${nameOf(this.#kind, version)}` }
    return {
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': { group, version, kind: this.#kind.kind },
      parameters: (PARAMETERS[action] ?? []).map((name) => ({
        name,
        in: 'query',
        schema: {
          type: ['force', 'orphanDependents', 'watch'].includes(name) ? 'boolean' : 'string',
          uniqueItems: true,
        },
      })),
      responses: { '200': { description: 'OK', content: { 'application/json': { schema } } } },
    }
  }
}

/** The name under which a kind's schema stands in its document. */
function nameOf(kind: Kind, version: string): string {
  for (const document of builtInDocuments()) {
    for (const [name, schema] of Object.entries(document.schemas)) {
      const entries = schema['x-kubernetes-group-version-kind'] ?? []
      if (entries.some((entry) => entry.group === kind.group && entry.version === version && entry.kind === kind.kind))
        return name
    }
  }
  return publishedName(kind, version)
}

let swagger: string | undefined

/** `/openapi/v2` as JSON. */
export function openApiV2(): string {
  swagger ??= JSON.stringify(swaggerDocument())
  return swagger
}

function swaggerDocument(): unknown {
  const definitions: Record<string, unknown> = {}
  const paths: Record<string, unknown> = {}
  for (const path of documentPaths()) {
    const parts = path.split('/')
    const groupVersion =
      parts[0] === 'api' ? { group: '', version: parts[1] ?? '' } : { group: parts[1] ?? '', version: parts[2] ?? '' }
    for (const [name, schema] of Object.entries(schemasOf(groupVersion, path))) definitions[name] = asV2(schema)
    Object.assign(paths, asV2Paths(pathsOf(groupVersion, path)))
  }
  return { swagger: '2.0', info: { title: 'Kubernetes', version: 'v1.34.4' }, paths, definitions }
}

/** Version 2 has no `allOf` around a reference with a default, no `oneOf`, no `nullable`, and keeps schemas elsewhere. */
function asV2(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(asV2)
  if (typeof schema !== 'object' || schema === null) return schema
  const { allOf, oneOf, nullable, ...rest } = schema as Record<string, unknown>
  void nullable
  const merged = Array.isArray(allOf) ? { ...rest, ...(allOf[0] as object) } : rest
  const typed = oneOf === undefined ? merged : { ...merged, type: 'string' }
  return Object.fromEntries(
    Object.entries(typed).map(([key, value]) => [
      key,
      key === '$ref' ? String(value).replace('#/components/schemas/', '#/definitions/') : asV2(value),
    ]),
  )
}

function asV2Paths(paths: Record<string, unknown>): Record<string, unknown> {
  return JSON.parse(
    JSON.stringify(paths, (key, value: unknown) => {
      if (key === 'responses') return { '200': { description: 'OK' } }
      return key === 'schema' ? undefined : value
    }),
  ) as Record<string, unknown>
}

export const OPENAPI_V2_PROTOBUF = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
/** The name asked for is no media type that Go would read. */
export const OPENAPI_V2_PROTOBUF_TYPE = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'

/**
 * `/openapi/v2` for clients that read it as protobuf only (kubectl, when version 3 did not know a kind): a document without
 * definitions, because version 3 has them all. Fields: 1 swagger, 2 info (1 title, 2 version), 8 paths, 9 definitions.
 */
export function openApiV2Protobuf(): Buffer {
  const field = (number: number, value: Buffer): Buffer =>
    Buffer.concat([Buffer.of((number << 3) | 2, value.length), value])
  const info = Buffer.concat([field(1, Buffer.from('Kubernetes')), field(2, Buffer.from('v1.34.4'))])
  const empty = Buffer.alloc(0)
  return Buffer.concat([field(1, Buffer.from('2.0')), field(2, info), field(8, empty), field(9, empty)])
}
