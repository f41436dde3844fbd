/** From a request's body to an object, with the refusals and warnings of a Kubernetes API server. Pure. */
import { parseDocument } from 'yaml'
import { isCustom } from '../resources/kubernetes/custom.ts'
import { DecodeError, decodeObject } from '../resources/kubernetes/decode.ts'
import { JsonSyntaxError, scanJson } from '../resources/kubernetes/go-json.ts'
import { apiVersionOf, findKind, type Kind } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { PROTOBUF } from './body.ts'
import { StoreError, type WriteOptions } from '../store/store.ts'

/** How many octets of a body that is no object an error shows. */
const SUMMARY_BYTES_MAX = 30
/** As in Kubernetes: more unknown fields than these are not told one by one. */
const WARNINGS_MAX = 100

/** Protobuf has become JSON when it was read. */
export type BodyFormat = 'json' | 'yaml'

/** Throws StoreError `UnsupportedMediaType`. A body without a type is JSON. */
export function bodyFormat(contentType: string | undefined): BodyFormat {
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase()
  if (type === '' || type === 'application/json' || type === PROTOBUF) return 'json'
  if (type === 'application/yaml') return 'yaml'
  throw new StoreError(
    'UnsupportedMediaType',
    'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
  )
}

/** What the body of a create or an update says. Throws StoreError `BadRequest`. */
export function decodeBody(
  kind: Kind,
  version: string,
  text: string,
  format: BodyFormat,
  options: Pick<WriteOptions, 'fieldValidation' | 'onWarning'>,
): KubeObject {
  const { value, duplicates } = parseBody(kind, text, format)
  const found = typed(kind, version, value, text)
  if (isCustom(kind)) checkCustomType(kind, version, found, options)
  const actual = findKind(found.apiVersion, found.kind)
  const group = groupOf(found.apiVersion)
  const cannot = `${found.kind} in version ${JSON.stringify(versionOf(found.apiVersion))} cannot be handled as a ${kind.kind}: `
  if (actual === undefined) throw new StoreError('BadRequest', cannot + unregistered(found))
  const { value: object, unknown } = decoded(actual, found, cannot)
  tellUnknown(
    [
      ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
      ...duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
    ],
    cannot,
    options,
  )
  if (actual !== kind) {
    const conversion = `converting (${goPackage(group, found.apiVersion)}.${found.kind}) to (${kind.group === '' ? 'core' : kind.group.split('.')[0]}.${kind.kind}): unknown conversion`
    throw new StoreError('BadRequest', cannot + conversion)
  }
  return object
}

function decoded(kind: Kind, object: KubeObject, cannot: string): { value: KubeObject; unknown: readonly string[] } {
  try {
    const { value, unknown } = decodeObject(kind, versionOf(object.apiVersion), object)
    const withMetadata = value['metadata'] === undefined ? { ...value, metadata: {} } : value
    return { value: withMetadata as unknown as KubeObject, unknown }
  } catch (error) {
    if (error instanceof DecodeError) throw new StoreError('BadRequest', cannot + error.message)
    throw error
  }
}

/** Strict: one error with all of them. Warn: one warning each. */
function tellUnknown(
  problems: readonly string[],
  cannot: string,
  options: Pick<WriteOptions, 'fieldValidation' | 'onWarning'>,
): void {
  if (problems.length === 0 || options.fieldValidation === 'Ignore') return
  if (options.fieldValidation === 'Strict') {
    throw new StoreError('BadRequest', `${cannot}strict decoding error: ${problems.join(', ')}`)
  }
  for (const problem of problems.slice(0, WARNINGS_MAX)) options.onWarning?.(problem)
}

function parseBody(kind: Kind, text: string, format: BodyFormat): { value: unknown; duplicates: readonly string[] } {
  const refused = `the object provided is unrecognized (must be of type ${kind.kind}): couldn't get version/kind; json parse error: `
  if (format === 'yaml') return { value: parseYaml(text), duplicates: [] }
  try {
    const duplicates = scanJson(text)
    return { value: JSON.parse(text) as unknown, duplicates }
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    throw new StoreError('BadRequest', `${refused}${error.message} (${summary(text)})`)
  }
}

/** YAML 1.1, as Kubernetes reads it: `y` is true. Throws StoreError `BadRequest`. */
export function parseYaml(text: string): unknown {
  const document = parseDocument(text, { version: '1.1', uniqueKeys: false })
  const [error] = document.errors
  if (error === undefined) return document.toJS() as unknown
  const line = error.linePos?.[0]?.line ?? 1
  const message = error.message.split(' at line')[0] ?? ''
  const shown = /flow (map|collection|sequence)/i.test(message) ? "did not find expected ',' or '}'" : message
  throw new StoreError('BadRequest', `error decoding YAML: error converting YAML to JSON: yaml: line ${line}: ${shown}`)
}

/** The value with a kind and a version: built-in kinds may leave them out. */
function typed(kind: Kind, version: string, value: unknown, text: string): KubeObject {
  if (value === null) value = {}
  if (typeof value !== 'object' || Array.isArray(value)) {
    const what = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
    throw new StoreError(
      'BadRequest',
      `the object provided is unrecognized (must be of type ${kind.kind}): couldn't get version/kind; json parse error: json: cannot unmarshal ${what} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (${summary(text)})`,
    )
  }
  const { kind: name, apiVersion, ...rest } = value as Partial<KubeObject>
  const missing =
    name === undefined || name === ''
      ? 'Kind'
      : apiVersion === undefined || apiVersion === ''
        ? 'apiVersion'
        : undefined
  if (missing !== undefined && isCustom(kind)) {
    throw new StoreError(
      'BadRequest',
      `the object provided is unrecognized (must be of type ${kind.kind}): Object '${missing}' is missing in '${text}' (${summary(text)})`,
    )
  }
  return {
    ...rest,
    kind: name === undefined || name === '' ? kind.kind : String(name),
    apiVersion: apiVersion === undefined || apiVersion === '' ? apiVersionOf({ ...kind, version }) : String(apiVersion),
  } as KubeObject
}

function checkCustomType(
  kind: Kind,
  version: string,
  object: KubeObject,
  options: Pick<WriteOptions, 'fieldValidation' | 'onWarning'>,
): void {
  const expected = apiVersionOf({ ...kind, version })
  if (object.apiVersion !== expected) {
    const fields = Object.keys(object).filter((field) => !['apiVersion', 'kind', 'metadata'].includes(field))
    if (options.fieldValidation === 'Warn')
      for (const field of fields) options.onWarning?.(`unknown field ${JSON.stringify(field)}`)
    throw new StoreError(
      'BadRequest',
      `the API version in the data (${object.apiVersion}) does not match the expected API version (${expected})`,
    )
  }
  if (object.kind !== kind.kind) {
    throw new StoreError(
      'BadRequest',
      `the kind in the data (${object.kind}) does not match the expected kind (${kind.kind})`,
    )
  }
}

function unregistered({ kind, apiVersion }: KubeObject): string {
  return `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:110"`
}

/** The first octets of a body: as they are when it looks like JSON, else in hexadecimal digits. */
function summary(text: string): string {
  const octets = Buffer.from(text)
  if (octets.length === 0) return '<empty>'
  const shown = octets.subarray(0, SUMMARY_BYTES_MAX)
  const rest = octets.length > SUMMARY_BYTES_MAX ? ' ...' : ''
  return (octets[0] === 0x7b ? shown.toString() : shown.toString('hex')) + rest
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''
}

function versionOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf('/') + 1)
}

function goPackage(_group: string, apiVersion: string): string {
  return versionOf(apiVersion)
}
