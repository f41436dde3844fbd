/**
 * From JSON to an object of a built-in kind, as Go's decoder and its types make it: wrong types stop it with Go's words, fields
 * that the kind does not have fall away and are told, nothing is kept that Go would leave out when it writes the object again.
 * Pure: the given value is not changed.
 */
import { definition, schemaOf, type Schema } from '../schema.ts'
import type { Kind } from '../kinds.ts'
import { GO_STRING_TYPES, PLAIN_ZERO_FIELDS } from './go-types.ts'
import { isCustom } from './custom.ts'
import { canonicalQuantity, parseQuantity } from './quantity.ts'

export class DecodeError extends Error {
  /** For a value of the wrong type: the type that the field has in Go. */
  readonly goType: string | undefined
  /** Go's kind of what was there: `string`, `int64`, `slice`… */
  readonly found: string

  constructor(message: string, goType?: string, found = '') {
    super(message)
    this.goType = goType
    this.found = found
  }
}

export interface Decoded {
  readonly value: Record<string, unknown>
  /** Paths of fields that the kind does not have, in order. */
  readonly unknown: readonly string[]
}

const REFERENCE_PREFIX = '#/components/schemas/'
const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity'
const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'
/** Values nested deeper are not an object of any kind. */
const DEPTH_MAX = 100

/** Throws DecodeError. */
export function decodeObject(kind: Kind, version: string, value: unknown): Decoded {
  const decoder = new Decoder()
  const root = { type: kind.kind, goType: `${version}.${kind.kind}`, field: '', path: '', depth: 0 }
  if (!isRecord(value))
    throw new DecodeError(`json: cannot unmarshal ${jsonType(value)} into Go value of type ${root.goType}`)
  if (isCustom(kind)) return decoder.custom(value)
  const decoded = decoder.value(schemaOf(kind, version), value, root) as Record<string, unknown>
  decoder.finish()
  return { value: decoded, unknown: decoder.unknown }
}

/** Where a value stands: the struct that has the field, the field's path as Go names it, and as people do. */
interface Place {
  readonly type: string
  readonly goType: string
  readonly field: string
  readonly path: string
  readonly depth: number
}

/** What Go's type is: what a schema alone does not say. */
interface Resolved {
  readonly schema: Schema
  /** The last part of a reference's name, and the package Go prints before it. */
  readonly name?: string
  readonly reference?: string
}

class Decoder {
  readonly unknown: string[] = []
  #first: DecodeError | undefined

  /** Go goes on after a wrong type and gives the first one at the end. */
  finish(): void {
    if (this.#first !== undefined) throw this.#first
  }

  custom(value: Record<string, unknown>): Decoded {
    const result: Record<string, unknown> = {}
    for (const [name, child] of Object.entries(value)) {
      if (name === 'metadata') {
        const place = { type: '', goType: 'v1.ObjectMeta', field: 'metadata', path: 'metadata', depth: 1 }
        result[name] = this.value({ $ref: REFERENCE_PREFIX + OBJECT_META }, child, place)
      } else if (['apiVersion', 'kind', 'spec', 'status'].includes(name)) result[name] = child
      else this.unknown.push(name)
    }
    this.finish()
    return { value: result, unknown: this.unknown }
  }

  /** Undefined: Go would leave it out. */
  value(given: Schema, value: unknown, place: Place): unknown {
    const { schema, name, reference } = resolve(given)
    if (place.depth > DEPTH_MAX) throw new DecodeError('exceeded max depth')
    if (value === null) return undefined
    if (reference === QUANTITY) return this.#quantity(value)
    if (schema.format === 'int-or-string') return this.#intOrString(value, place)
    if (schema.format === 'date-time') return this.#time(value)
    if (schema.format === 'byte') return this.#bytes(value, place)
    switch (schema.type) {
      case 'array':
        return this.#array(schema, value, place)
      case 'object':
        return schema.properties === undefined
          ? this.#map(schema, value, place)
          : this.#struct(schema, value, place, name ?? place.type)
      case 'integer':
        return this.#integer(schema, value, place)
      case 'number':
      case 'string':
      case 'boolean':
        return this.#scalar(schema.type, value, place)
      case undefined:
      default:
        return value
    }
  }

  #struct(schema: Schema, value: unknown, place: Place, type: string): unknown {
    if (!isRecord(value)) return this.#mismatch(value, place, goTypeOf(schema, { ...place, type }))
    const result: Record<string, unknown> = {}
    const properties = schema.properties ?? {}
    for (const [name, child] of Object.entries(value)) {
      const path = place.path === '' ? name : `${place.path}.${name}`
      const field = Object.hasOwn(properties, name) ? properties[name] : undefined
      if (field === undefined) {
        this.unknown.push(path)
        continue
      }
      const goPath = place.field === '' ? name : `${place.field}.${name}`
      const at = { type, goType: '', field: goPath, path, depth: place.depth + 1 }
      const decoded = this.value(field, child, at)
      if (decoded !== undefined && !isLeftOut(field, name, decoded, type, schema)) result[name] = decoded
    }
    return result
  }

  #map(schema: Schema, value: unknown, place: Place): unknown {
    const values = schema.additionalProperties
    if (typeof values !== 'object') {
      return isRecord(value) || schema.additionalProperties === undefined ? value : this.#mismatch(value, place, 'map')
    }
    if (!isRecord(value)) return this.#mismatch(value, place, goTypeOf(schema, place))
    const entries = Object.entries(value).map(([key, child]): [string, unknown] => [
      key,
      this.value(values, child, { ...place, path: `${place.path}.${key}`, depth: place.depth + 1 }) ?? zeroOf(values),
    ])
    return Object.fromEntries(entries)
  }

  #array(schema: Schema, value: unknown, place: Place): unknown {
    const items = schema.items ?? {}
    if (!Array.isArray(value)) return this.#mismatch(value, place, goTypeOf(schema, place))
    return value.map(
      (item, index) =>
        this.value(items, item, { ...place, path: `${place.path}[${index}]`, depth: place.depth + 1 }) ?? zeroOf(items),
    )
  }

  #integer(schema: Schema, value: unknown, place: Place): unknown {
    const type = schema.format ?? 'int64'
    if (typeof value !== 'number') return this.#mismatch(value, place, type)
    const fits = type === 'int32' ? value >= -2147483648 && value <= 2147483647 : Math.abs(value) <= 2 ** 63
    if (Number.isInteger(value) && fits) return value
    return this.#mismatch(value, place, type, `number ${value}`)
  }

  #scalar(type: 'string' | 'number' | 'boolean', value: unknown, place: Place): unknown {
    if (typeof value === type) return value
    const goType = {
      string: GO_STRING_TYPES[`${place.type}.${place.field.split('.').at(-1)}`] ?? 'string',
      number: 'float64',
      boolean: 'bool',
    }
    return this.#mismatch(value, place, goType[type])
  }

  #quantity(value: unknown): unknown {
    const text = typeof value === 'number' ? String(value) : value
    if (typeof text === 'string' && parseQuantity(text) !== undefined) return canonicalQuantity(text)
    throw new DecodeError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
  }

  #intOrString(value: unknown, place: Place): unknown {
    if (typeof value === 'string') return value
    if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 2147483648) return value
    return this.#mismatch(value, place, 'int32', typeof value === 'number' ? `number ${value}` : jsonType(value))
  }

  #time(value: unknown): unknown {
    if (typeof value !== 'string')
      throw new DecodeError(`json: cannot unmarshal ${jsonType(value)} into Go value of type string`)
    if (value === '') return undefined
    if (/^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d/.test(value) && !Number.isNaN(Date.parse(value))) return value
    throw new DecodeError(
      `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(value)} as "2006"`,
    )
  }

  #bytes(value: unknown, place: Place): unknown {
    if (typeof value !== 'string') return this.#mismatch(value, place, '[]uint8')
    const at = illegalBase64(value)
    if (at === undefined) return value.replaceAll(/[\r\n]/g, '')
    this.#first ??= new DecodeError(`illegal base64 data at input byte ${at}`)
    return undefined
  }

  #mismatch(value: unknown, place: Place, goType: string, what: string = jsonType(value)): undefined {
    const where = place.field === '' ? 'Go value' : `Go struct field ${place.type}.${place.field}`
    this.#first ??= new DecodeError(
      `json: cannot unmarshal ${what} into ${where} of type ${goType}`,
      goType,
      goKind(value),
    )
    return undefined
  }
}

/** Go leaves out what is empty (`omitempty`), where the field is not one that it always writes. */
function isLeftOut(field: Schema, name: string, value: unknown, type: string, parent: Schema): boolean {
  if (field.default !== undefined || parent.required?.includes(name) === true) return false
  if (value === '' || (Array.isArray(value) && value.length === 0)) return true
  if (value === 0 || value === false) return PLAIN_ZERO_FIELDS.has(name) || PLAIN_ZERO_FIELDS.has(`${type}.${name}`)
  if (!isRecord(value) || Object.keys(value).length > 0) return false
  const { schema } = resolve(field)
  return schema.type === 'object' && schema.properties === undefined && schema.additionalProperties !== undefined
}

function resolve(schema: Schema): Resolved {
  if (schema.$ref !== undefined) {
    const reference = schema.$ref.slice(REFERENCE_PREFIX.length)
    return { schema: definition(schema.$ref), name: reference.split('.').at(-1) ?? '', reference }
  }
  const [only] = schema.allOf ?? []
  return only === undefined || schema.type !== undefined ? { schema } : resolve(only)
}

/** Go's name of a type: `map[string]string`, `[]v1.Container`, `v1.PodSpec`. */
function goTypeOf(schema: Schema, place: Place): string {
  if (schema.type === 'array') return `[]${goTypeOf(schema.items ?? {}, place)}`
  const { schema: target, reference } = resolve(schema)
  if (reference !== undefined) return reference.split('.').slice(-2).join('.')
  if (target.type === 'object') {
    if (typeof target.additionalProperties === 'object')
      return `map[string]${goTypeOf(target.additionalProperties, place)}`
    return place.type === '' ? 'map[string]interface {}' : `v1.${place.type}`
  }
  if (target.type === 'integer') return target.format ?? 'int64'
  if (target.format === 'byte') return '[]uint8'
  return target.type === 'boolean' ? 'bool' : (target.type ?? 'interface {}')
}

function zeroOf(schema: Schema): unknown {
  const { schema: target } = resolve(schema)
  switch (target.type) {
    case 'string':
      return ''
    case 'integer':
    case 'number':
      return 0
    case 'boolean':
      return false
    case 'array':
      return []
    case 'object':
    case undefined:
    default:
      return {}
  }
}

/** Go's word for the type of a JSON value. */
function jsonType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

/** Go's kind of a JSON value that was decoded without a type. */
function goKind(value: unknown): string {
  if (Array.isArray(value)) return 'slice'
  if (typeof value === 'object') return 'map'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64'
  return typeof value === 'boolean' ? 'bool' : 'string'
}

/** Where Go's strict decoder of RFC 4648 stops; undefined when it does not. */
function illegalBase64(text: string): number | undefined {
  let inQuantum = 0
  let quantumStart = 0
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at)
    if (character === '\n' || character === '\r') continue
    if (inQuantum === 0) quantumStart = at
    if (/[A-Za-z0-9+/]/.test(character)) {
      inQuantum = (inQuantum + 1) % 4
      continue
    }
    if (character !== '=' || inQuantum < 2) return at
    return illegalPadding(text, at, inQuantum)
  }
  return inQuantum === 0 ? undefined : quantumStart
}

function illegalPadding(text: string, at: number, inQuantum: number): number | undefined {
  const rest = text.slice(at + 1).replaceAll(/[\r\n]/g, '')
  if (inQuantum === 3) return rest === '' ? undefined : at + 1
  if (rest === '') return text.length
  if (!rest.startsWith('=')) return at
  return rest === '=' ? undefined : at + 2
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
