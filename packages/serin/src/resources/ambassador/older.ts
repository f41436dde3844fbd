/** Ambassador's older forms, read as v3alpha1: apiVersion v2, and resources in the annotation `getambassador.io/config`. */
import { parseAllDocuments } from 'yaml'
import { Ingress, type Kind, KINDS, Service } from '../kinds.ts'
import type { KubeObject } from '../object.ts'

const GROUP = 'getambassador.io'
export const CONFIG_ANNOTATION = 'getambassador.io/config'
const CURRENT = `${GROUP}/v3alpha1`

/** Kinds whose annotations may hold resources. */
export const ANNOTATED_KINDS: readonly Kind[] = [Service, Ingress]

/** A v2 object as v3alpha1; any other as it is. Pure. */
export function convertOlder(object: KubeObject): KubeObject {
  if (object.apiVersion !== `${GROUP}/v2`) return object
  const spec = (object.spec ?? {}) as Record<string, unknown>
  return { ...object, apiVersion: CURRENT, spec: convertSpec(object.kind, spec) }
}

function convertSpec(kind: string, spec: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const result: Record<string, unknown> = { ...spec }
  if (typeof result['ambassador_id'] === 'string') result['ambassador_id'] = [result['ambassador_id']]
  for (const field of HEADER_FIELDS) if (isMap(result[field])) result[field] = convertHeaders(result[field])
  for (const field of LIST_FIELDS) if (typeof result[field] === 'string') result[field] = [result[field]]
  if (isMap(result['cors'])) result['cors'] = convertCors(result['cors'])
  // `tls: true` in v2 is `https://` in v3alpha1.
  const service = kind === 'AuthService' ? 'auth_service' : 'service'
  if (typeof result['tls'] === 'boolean') {
    if (result['tls'] && typeof result[service] === 'string') result[service] = withHttps(result[service])
    delete result['tls']
  }
  if (kind === 'Host' && result['selector'] !== undefined) {
    result['mappingSelector'] ??= result['selector']
    delete result['selector']
  }
  return result
}

const HEADER_FIELDS: readonly string[] = ['add_request_headers', 'add_response_headers']
const LIST_FIELDS: readonly string[] = ['remove_request_headers', 'remove_response_headers']
const CORS_LISTS: readonly string[] = ['origins', 'methods', 'headers', 'exposed_headers']

function convertHeaders(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, isMap(value) ? value : { value: String(value) }]),
  )
}

/** In v2 a text with commas stands for a list. */
function convertCors(cors: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const result: Record<string, unknown> = { ...cors }
  for (const field of CORS_LISTS) {
    const value = result[field]
    if (typeof value === 'string') result[field] = value.split(',').map((item) => item.trim())
  }
  return result
}

function withHttps(service: string): string {
  return `https://${service.replace(/^\w+:\/\//, '')}`
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export interface AnnotationResources {
  readonly objects: readonly KubeObject[]
  readonly problems: readonly string[]
}

/** The resources that a Service or Ingress carries in its annotation; their fields stand beside `kind` and `name`. Pure. */
export function annotationResources(object: KubeObject): AnnotationResources {
  const text = object.metadata.annotations?.[CONFIG_ANNOTATION]
  if (text === undefined) return { objects: [], problems: [] }
  const objects: KubeObject[] = []
  const problems: string[] = []
  const documents = parseAllDocuments(text, { prettyErrors: false })
  for (const document of Array.isArray(documents) ? documents : []) {
    const [error] = document.errors
    if (error !== undefined) {
      problems.push(`this is not YAML: ${error.message.split('\n')[0]}`)
      continue
    }
    const value: unknown = document.toJS()
    if (!isMap(value)) continue
    const read = readFlat(value, object)
    if (typeof read === 'string') problems.push(read)
    else objects.push(read)
  }
  return { objects, problems }
}

const AMBASSADOR_KINDS = new Set(KINDS.filter(({ group }) => group === GROUP).map(({ kind }) => kind))

function readFlat(value: Readonly<Record<string, unknown>>, owner: KubeObject): KubeObject | string {
  const { apiVersion, kind, name, namespace, metadata_labels: labels, generation: _, ...spec } = value
  if (typeof kind !== 'string' || !AMBASSADOR_KINDS.has(kind)) return `unknown kind ${JSON.stringify(kind)}`
  if (typeof name !== 'string') return `a ${kind} without a name`
  const isCurrent = apiVersion === CURRENT || apiVersion === 'x.getambassador.io/v3alpha1'
  const home = typeof namespace === 'string' ? namespace : owner.metadata.namespace
  return convertOlder({
    apiVersion: isCurrent ? CURRENT : `${GROUP}/v2`,
    kind,
    metadata: {
      name,
      ...(home !== undefined && { namespace: home }),
      ...(isMap(labels) && { labels: labels as Record<string, string> }),
    },
    spec: kind === 'Module' ? { config: spec['config'] ?? {} } : spec,
  })
}
