/**
 * One structural schema per kind, as in OpenAPI v3 and in CRDs: what fields there are and of what type.
 * Used to lint files, to validate what is written to the API, and to publish `/openapi/v3`.
 * The built-in kinds' schemas are data (`openapi/*.json`), Ambassador's and the Ingress' are written by hand.
 */
import { readFileSync } from 'node:fs'
import { AMBASSADOR_SCHEMAS } from './ambassador/schemas.ts'
import { apiVersionOf, type Kind } from './kinds.ts'
import { INGRESS_CLASS_SCHEMA, INGRESS_SCHEMA } from './ingress.ts'
import { suggest } from './suggest.ts'

/** The part of OpenAPI v3's Schema Object that Kubernetes uses. */
export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  readonly format?: string
  readonly description?: string
  readonly default?: unknown
  readonly nullable?: boolean
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly enum?: readonly (string | number | boolean)[]
  readonly minimum?: number
  readonly maximum?: number
  readonly allOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly $ref?: string
  readonly 'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[]
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean
  readonly 'x-kubernetes-int-or-string'?: boolean
  readonly 'x-kubernetes-list-type'?: string
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-kubernetes-map-type'?: string
  readonly 'x-kubernetes-patch-merge-key'?: string
  readonly 'x-kubernetes-patch-strategy'?: string
}

export type Path = readonly (string | number)[]

type ProblemCode = 'unknown-field' | 'missing-field' | 'wrong-type' | 'not-allowed' | 'out-of-range'

/** One thing that is wrong with a value, and where. */
export interface Problem {
  /** From the value that was validated. A missing field: the object that lacks it, and the field's name last. */
  readonly path: Path
  readonly code: ProblemCode
  /** A sentence without the path: `unknown field "wieght"`. */
  readonly message: string
  /** What would have been right: `integer`, `one of Redirect, Reject, Route`. */
  readonly expected?: string
  /** The name or value that was probably meant. */
  readonly suggestion?: string
}

/** What `openapi/*.json` holds, by `groupVersion` as in `/openapi/v3` without `apis/`: `api/v1`, `apps/v1`. */
export interface OpenApiDocument {
  readonly groupVersion: string
  readonly schemas: Readonly<Record<string, Schema>>
  /** The operations that a real API server publishes, by path template. */
  readonly paths: Readonly<Record<string, unknown>>
}

const DOCUMENT_FILES = [
  'api_v1',
  'apps_v1',
  'authorization.k8s.io_v1',
  'autoscaling_v2',
  'coordination.k8s.io_v1',
  'discovery.k8s.io_v1',
  'events.k8s.io_v1',
] as const

const REFERENCE_PREFIX = '#/components/schemas/'
const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'
/** Deeper values are not looked into. */
const DEPTH_MAX = 64

/** The schemas of `spec` that we wrote. */
const OWN_SCHEMAS: Readonly<Record<string, Schema>> = {
  ...AMBASSADOR_SCHEMAS,
  Ingress: INGRESS_SCHEMA,
  IngressClass: INGRESS_CLASS_SCHEMA,
}
const OWN_GROUPS: readonly string[] = ['getambassador.io', 'networking.k8s.io']

const ANYTHING: Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }

let loaded: readonly OpenApiDocument[] | undefined
let byName: Map<string, Schema> | undefined
let byKind: Map<string, Schema> | undefined

/** The documents of the built-in kinds, read once, when first asked for. */
export function builtInDocuments(): readonly OpenApiDocument[] {
  loaded ??= DOCUMENT_FILES.map((name) => {
    const file = new URL(`./openapi/${name}.json`, import.meta.url)
    return JSON.parse(readFileSync(file, 'utf8')) as OpenApiDocument
  })
  return loaded
}

/** The schema that `$ref` names; a name no document has accepts anything. */
export function definition(reference: string): Schema {
  byName ??= new Map(builtInDocuments().flatMap((document) => Object.entries(document.schemas)))
  const name = reference.startsWith(REFERENCE_PREFIX) ? reference.slice(REFERENCE_PREFIX.length) : reference
  return byName.get(name) ?? ANYTHING
}

/**
 * The schema of a kind's objects. A version other than the stored one (Ambassador's v2) is read leniently and converted,
 * so its schema leaves `spec` open; so does that of a kind whose schema we do not have.
 */
export function schemaOf(kind: Kind, version: string = kind.version): Schema {
  const groupVersionKind = { group: kind.group, version, kind: kind.kind }
  if (OWN_GROUPS.includes(kind.group)) {
    const own = version === kind.version ? OWN_SCHEMAS[kind.kind] : undefined
    return objectSchema(own ?? ANYTHING, groupVersionKind)
  }
  byKind ??= new Map(
    builtInDocuments().flatMap((document) =>
      Object.values(document.schemas).flatMap((schema) =>
        (schema['x-kubernetes-group-version-kind'] ?? []).map(
          (entry) => [`${entry.group}/${entry.version}/${entry.kind}`, schema] as const,
        ),
      ),
    ),
  )
  return byKind.get(`${kind.group}/${version}/${kind.kind}`) ?? objectSchema(ANYTHING, groupVersionKind)
}

function objectSchema(spec: Schema, groupVersionKind: { group: string; version: string; kind: string }): Schema {
  return {
    type: 'object',
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { $ref: REFERENCE_PREFIX + OBJECT_META },
      spec,
      status: ANYTHING,
    },
    'x-kubernetes-group-version-kind': [groupVersionKind],
  }
}

/** The names and schemas a document of `/openapi/v3` needs for these kinds: the kinds', and all that they refer to. Pure. */
export function publishedSchemas(kinds: readonly Kind[], version?: string): Record<string, Schema> {
  const result: Record<string, Schema> = {}
  const add = (schema: Schema): void => {
    if (schema.$ref !== undefined) {
      const name = schema.$ref.slice(REFERENCE_PREFIX.length)
      if (result[name] === undefined) add((result[name] = definition(name)))
    }
    for (const child of children(schema)) add(child)
  }
  for (const kind of kinds) add((result[publishedName(kind, version)] = schemaOf(kind, version)))
  return result
}

/** `io.getambassador.v3alpha1.Mapping`: the name under which a kind's schema is published. Pure. */
export function publishedName(kind: Kind, version: string = kind.version): string {
  const group = kind.group.split('.').toReversed().join('.')
  return `${group === '' ? 'io.k8s.api.core' : group}.${version}.${kind.kind}`
}

function children(schema: Schema): Schema[] {
  const { properties = {}, items, additionalProperties, allOf = [], oneOf = [] } = schema
  const result = [...Object.values(properties), ...allOf, ...oneOf]
  if (items !== undefined) result.push(items)
  if (typeof additionalProperties === 'object') result.push(additionalProperties)
  return result
}

/** All that is wrong with an object of a kind serin knows. `null` counts as absent in built-in kinds, as in a real API server. Pure. */
export function validateObject(kind: Kind, object: { readonly apiVersion: string }): Problem[] {
  const version = object.apiVersion.slice(object.apiVersion.indexOf('/') + 1)
  const nulls = kind.group === 'getambassador.io' ? 'refused' : 'absent'
  const known = version === kind.version || kind.otherVersions.includes(version)
  if (!known)
    return [
      {
        path: ['apiVersion'],
        code: 'not-allowed',
        message: `unknown version "${version}"`,
        expected: apiVersionOf(kind),
      },
    ]
  return validate(schemaOf(kind, version), object, [], nulls)
}

/** All that is wrong with a value, in the order of the value. Pure. */
export function validate(
  schema: Schema,
  value: unknown,
  path: Path = [],
  nulls: 'absent' | 'refused' = 'refused',
): Problem[] {
  const problems: Problem[] = []
  check(schema, value, { path: [...path], nulls, problems })
  return problems
}

/** Where the walk is: one path that grows and shrinks, copied only for a problem. */
interface Position {
  readonly path: (string | number)[]
  readonly nulls: 'absent' | 'refused'
  readonly problems: Problem[]
}

function check(given: Schema, value: unknown, position: Position): void {
  const schema = resolved(given)
  if (value === undefined || position.path.length > DEPTH_MAX) return
  if (value === null) {
    if (position.nulls === 'refused' && schema.nullable !== true && schema.type !== undefined)
      wrongType(schema, value, position)
    return
  }
  if (isIntOrString(schema)) {
    if (!Number.isInteger(value) && typeof value !== 'string') wrongType(schema, value, position)
    return
  }
  if (schema.oneOf !== undefined) {
    if (!schema.oneOf.some((option) => hasType(resolved(option).type, value))) wrongType(schema, value, position)
    return
  }
  if (!hasType(schema.type, value)) return wrongType(schema, value, position)
  if (schema.enum !== undefined && !schema.enum.includes(value as string))
    return notAllowed(schema.enum, value, position)
  if (typeof value === 'number') checkRange(schema, value, position)
  if (Array.isArray(value)) return checkItems(schema, value, position)
  if (typeof value === 'object') checkFields(schema, value as Record<string, unknown>, position)
}

/** Follows `$ref`, and `allOf` with its one member (the way OpenAPI v3 gives a reference a default). */
function resolved(schema: Schema): Schema {
  if (schema.$ref !== undefined) return resolved(definition(schema.$ref))
  const [only] = schema.allOf ?? []
  return only === undefined || schema.type !== undefined ? schema : resolved(only)
}

function isIntOrString(schema: Schema): boolean {
  return schema['x-kubernetes-int-or-string'] === true || schema.format === 'int-or-string'
}

function hasType(type: Schema['type'], value: unknown): boolean {
  if (type === undefined) return true
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

function checkItems(schema: Schema, value: readonly unknown[], position: Position): void {
  const { items } = schema
  if (items === undefined) return
  for (const [index, item] of value.entries()) {
    position.path.push(index)
    check(items, item, position)
    position.path.pop()
  }
}

function checkFields(schema: Schema, value: Record<string, unknown>, position: Position): void {
  const { properties, additionalProperties } = schema
  for (const name of Object.keys(value)) {
    const field = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined
    const schemaOfChild = field ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined)
    position.path.push(name)
    if (schemaOfChild !== undefined) check(schemaOfChild, value[name], position)
    else if (properties !== undefined && !isOpen(schema)) unknownField(Object.keys(properties), position)
    position.path.pop()
  }
  for (const name of schema.required ?? []) {
    if (value[name] !== undefined && value[name] !== null) continue
    if (value[name] === null && position.nulls === 'refused') continue
    position.problems.push({
      path: [...position.path, name],
      code: 'missing-field',
      message: `missing field "${name}"`,
      expected: describe(resolved(properties?.[name] ?? {})),
    })
  }
}

function isOpen(schema: Schema): boolean {
  return schema['x-kubernetes-preserve-unknown-fields'] === true || schema.additionalProperties === true
}

function checkRange(schema: Schema, value: number, position: Position): void {
  const { minimum = -Infinity, maximum = Infinity } = schema
  if (value >= minimum && value <= maximum) return
  const expected =
    maximum === Infinity ? `at least ${minimum}` : `${minimum === -Infinity ? 'at most' : `${minimum} to`} ${maximum}`
  position.problems.push({
    path: [...position.path],
    code: 'out-of-range',
    message: `${value} is out of range`,
    expected,
  })
}

function unknownField(known: readonly string[], position: Position): void {
  const name = String(position.path.at(-1))
  const suggestion = suggest(name, known)
  position.problems.push({
    path: [...position.path],
    code: 'unknown-field',
    message: `unknown field "${name}"`,
    ...(suggestion === undefined ? { expected: `one of ${listed(known)}` } : { suggestion }),
  })
}

function notAllowed(allowed: readonly (string | number | boolean)[], value: unknown, position: Position): void {
  const words = allowed.map(String)
  const suggestion = suggest(String(value), words)
  position.problems.push({
    path: [...position.path],
    code: 'not-allowed',
    message: `${JSON.stringify(value)} is not allowed here`,
    expected: `one of ${listed(words)}`,
    ...(suggestion !== undefined && { suggestion }),
  })
}

function wrongType(schema: Schema, value: unknown, position: Position): void {
  const suggestion = asOtherType(schema, value)
  position.problems.push({
    path: [...position.path],
    code: 'wrong-type',
    message: `${nameOf(value)} where ${article(describe(schema))} belongs`,
    expected: describe(schema),
    ...(suggestion !== undefined && { suggestion }),
  })
}

/** `"10"` where an integer belongs: 10; 10 where a string belongs: "10". */
function asOtherType(schema: Schema, value: unknown): string | undefined {
  if (schema.type === 'string' && (typeof value === 'number' || typeof value === 'boolean'))
    return JSON.stringify(String(value))
  if (typeof value !== 'string')
    return schema.type === 'integer' && typeof value === 'number' ? String(Math.round(value)) : undefined
  if (schema.type === 'integer' && /^-?\d+$/.test(value)) return value
  if (schema.type === 'boolean' && /^(?:true|false)$/i.test(value)) return value.toLowerCase()
  if (schema.type === 'array') return `[${JSON.stringify(value)}]`
  return undefined
}

function nameOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  return `the ${typeof value} ${JSON.stringify(value)}`
}

function describe(schema: Schema): string {
  if (isIntOrString(schema)) return 'integer or string'
  if (schema.oneOf !== undefined) return schema.oneOf.map((option) => describe(resolved(option))).join(' or ')
  if (schema.type === 'array')
    return schema.items === undefined ? 'list' : `list of ${describe(resolved(schema.items))}s`
  return schema.type === 'object' ? 'map' : (schema.type ?? 'value')
}

function article(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`
}

/** How many names a message lists. */
const LISTED_MAX = 12

function listed(words: readonly string[]): string {
  const shown = words.slice(0, LISTED_MAX).join(', ')
  return words.length > LISTED_MAX ? `${shown}, … (${words.length})` : shown
}
