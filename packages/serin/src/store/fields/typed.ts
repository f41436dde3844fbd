/**
 * Objects seen through the schema of their kind, as server-side apply sees them (structured merge: which lists are sets, which
 * have keys, what is one piece): the paths in a value, what differs between two, merging one into another. Pure.
 */
import { isDeepStrictEqual } from 'node:util'
import { definition, schemaOf, type Schema } from '../../resources/schema.ts'
import { isCustom } from '../../resources/kubernetes/custom.ts'
import type { Kind } from '../../resources/kinds.ts'
import { emptySet, insert, keysText, type FieldPath, type FieldSet } from './set.ts'

type Fields = Record<string, unknown>

/** What a place in an object is. */
type Type =
  | { readonly type: 'leaf'; readonly scalar?: 'number' | 'string' | 'boolean' }
  /** Fields by name; `isField` for those the type itself has, not the user. */
  | {
      readonly type: 'map'
      readonly field: (name: string) => Type
      readonly isField: (name: string) => boolean
      readonly isStruct: boolean
    }
  | { readonly type: 'keyed-list'; readonly keys: readonly string[]; readonly defaults: Fields; readonly item: Type }
  | { readonly type: 'set' }

const LEAF: Type = { type: 'leaf' }
const NUMBER: Type = { type: 'leaf', scalar: 'number' }
const STRING: Type = { type: 'leaf', scalar: 'string' }
const BOOLEAN: Type = { type: 'leaf', scalar: 'boolean' }
/** Of what has no schema: maps by field, all else in one piece. Deduced from the value. */
const UNTYPED: Type = { type: 'map', field: () => UNTYPED, isField: () => false, isStruct: false }

const types = new Map<Kind, Type>()

export function typeOf(kind: Kind): Type {
  let type = types.get(kind)
  if (type === undefined) types.set(kind, (type = isCustom(kind) ? customType(kind) : typeFrom(schemaOf(kind))))
  return type
}

/** Custom resources: the metadata has a schema, `spec` and `status` are whatever they are. */
function customType(kind: Kind): Type {
  const metadata = schemaOf(kind).properties?.['metadata']
  const metadataType = metadata === undefined ? UNTYPED : typeFrom(metadata)
  const names = ['apiVersion', 'kind', 'metadata', 'spec', 'status']
  return {
    type: 'map',
    isStruct: true,
    isField: (name) => names.includes(name),
    field: (name) => (name === 'metadata' ? metadataType : UNTYPED),
  }
}

function typeFrom(given: Schema): Type {
  if (given.$ref === undefined && given.type === 'string' && given.format === undefined) return STRING
  const schema = resolved(given)
  if (schema.type === 'integer' || schema.type === 'number') return NUMBER
  if (schema.type === 'boolean') return BOOLEAN
  if (schema.type === 'array') return listType(schema)
  if (schema.type !== 'object' || schema['x-kubernetes-map-type'] === 'atomic') return LEAF
  const { properties, additionalProperties } = schema
  if (properties === undefined && typeof additionalProperties !== 'object') return LEAF
  const values = typeof additionalProperties === 'object' ? lazily(additionalProperties) : undefined
  const fields = new Map(Object.entries(properties ?? {}).map(([name, field]) => [name, lazily(field)]))
  return {
    type: 'map',
    isStruct: properties !== undefined,
    isField: (name) => fields.has(name),
    field: (name) => fields.get(name)?.() ?? values?.() ?? UNTYPED,
  }
}

/** Schemas refer to each other in circles. */
function lazily(schema: Schema): () => Type {
  let type: Type | undefined
  return () => (type ??= typeFrom(schema))
}

function listType(schema: Schema): Type {
  const items = schema.items ?? {}
  switch (schema['x-kubernetes-list-type'] ?? 'atomic') {
    case 'map': {
      const keys = schema['x-kubernetes-list-map-keys'] ?? []
      const properties = resolved(items).properties ?? {}
      const defaults = keys.flatMap((key) => {
        const fallback = properties[key]?.default
        return fallback === undefined ? [] : [[key, fallback] as const]
      })
      return { type: 'keyed-list', keys, defaults: Object.fromEntries(defaults), item: typeFrom(items) }
    }
    case 'set':
      return { type: 'set' }
    default:
      return LEAF
  }
}

function resolved(schema: Schema): Schema {
  if (schema.$ref !== undefined) return resolved(definition(schema.$ref))
  const [only] = schema.allOf ?? []
  if (only === undefined || schema.type !== undefined) return schema
  const target = resolved(only)
  const mapType = schema['x-kubernetes-map-type']
  return mapType === undefined ? target : { ...target, 'x-kubernetes-map-type': mapType }
}

/** Untyped values are what they look like. */
function deduced(type: Type, value: unknown): Type {
  return type === UNTYPED && !isMap(value) ? LEAF : type
}

/** The path element of a list's entry. */
function entryElement(type: Extract<Type, { type: 'keyed-list' | 'set' }>, entry: unknown): string {
  if (type.type === 'set') return `v:${JSON.stringify(entry)}`
  const keys = isMap(entry)
    ? [...type.keys].sort().flatMap((key) => {
        const value = entry[key] ?? type.defaults[key]
        return value === undefined ? [] : [[key, value] as const]
      })
    : []
  return `k:${JSON.stringify(Object.fromEntries(keys))}`
}

/** All paths that a value sets, for one who applies it. */
export function fieldSetOf(type: Type, value: unknown): FieldSet {
  const set = emptySet()
  collect(type, value, [], set)
  return set
}

function collect(given: Type, value: unknown, path: FieldPath, set: FieldSet): void {
  const type = deduced(given, value)
  switch (type.type) {
    case 'leaf':
      return insert(set, path)
    case 'map':
      if (!isMap(value)) return path.length === 0 ? undefined : insert(set, path)
      for (const [name, child] of Object.entries(value)) {
        const at = [...path, `f:${name}`]
        collect(type.field(name), child, at, set)
        if (child === null || (isMap(child) && Object.keys(child).length === 0) || !type.isField(name)) insert(set, at)
      }
      return undefined
    case 'keyed-list':
    case 'set':
      if (!Array.isArray(value)) return undefined
      for (const entry of value as unknown[]) {
        const at = [...path, entryElement(type, entry)]
        if (type.type === 'keyed-list') collect(type.item, entry, at, set)
        insert(set, at)
      }
  }
}

export interface Comparison {
  /** Added or changed. */
  readonly changed: FieldSet
  readonly removed: FieldSet
}

export function compare(type: Type, before: unknown, after: unknown): Comparison {
  const result = { changed: emptySet(), removed: emptySet() }
  compareAt(type, before, after, [], result)
  return result
}

/** Undefined: not there. */
function compareAt(given: Type, before: unknown, after: unknown, path: FieldPath, result: Comparison): void {
  if (before === after) return
  const type = deduced(given, after ?? before)
  const isLeaf =
    type.type === 'leaf' || (type.type === 'map' ? bothEmptyMaps(before, after) : bothEmptyLists(before, after))
  if (isLeaf) {
    if (before === undefined) insert(result.changed, path)
    else if (after === undefined) insert(result.removed, path)
    else if (!isDeepStrictEqual(before, after)) insert(result.changed, path)
    return
  }
  if (type.type === 'map') compareMaps(type, isMap(before) ? before : {}, isMap(after) ? after : {}, path, result)
  else if (type.type === 'keyed-list' || type.type === 'set')
    compareLists(type, listOf(before), listOf(after), path, result)
  if (path.length === 0) return
  if (before === undefined) insert(result.changed, path)
  else if (after === undefined) insert(result.removed, path)
}

function bothEmptyMaps(before: unknown, after: unknown): boolean {
  const isEmptyMap = (value: unknown): boolean => !isMap(value) || Object.keys(value).length === 0
  return isEmptyMap(before) && isEmptyMap(after)
}

function bothEmptyLists(before: unknown, after: unknown): boolean {
  return listOf(before).length === 0 && listOf(after).length === 0
}

function compareMaps(
  type: Extract<Type, { type: 'map' }>,
  before: Fields,
  after: Fields,
  path: FieldPath,
  result: Comparison,
): void {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    compareAt(type.field(name), before[name], after[name], [...path, `f:${name}`], result)
  }
}

function compareLists(
  type: Extract<Type, { type: 'keyed-list' | 'set' }>,
  before: readonly unknown[],
  after: readonly unknown[],
  path: FieldPath,
  result: Comparison,
): void {
  const old = new Map(before.map((entry) => [entryElement(type, entry), entry]))
  const now = new Map(after.map((entry) => [entryElement(type, entry), entry]))
  const item = type.type === 'keyed-list' ? type.item : LEAF
  for (const element of new Set([...old.keys(), ...now.keys()])) {
    compareAt(item, old.get(element), now.get(element), [...path, element], result)
  }
}

/** A live value with what is applied put over it. Lists keep their order; what is new comes at the end. */
export function mergeInto(given: Type, live: unknown, applied: unknown): unknown {
  const type = deduced(given, applied)
  if (type.type === 'map' && isMap(live) && isMap(applied)) {
    const result: Fields = { ...live }
    for (const [name, value] of Object.entries(applied)) result[name] = mergeInto(type.field(name), live[name], value)
    return result
  }
  if ((type.type === 'keyed-list' || type.type === 'set') && Array.isArray(live) && Array.isArray(applied)) {
    return mergeLists(type, live as unknown[], applied as unknown[])
  }
  return applied
}

/** What only the live list has keeps its place among what both have, which comes in the order of what is applied. */
function mergeLists(
  type: Extract<Type, { type: 'keyed-list' | 'set' }>,
  live: readonly unknown[],
  applied: readonly unknown[],
): unknown[] {
  const item = type.type === 'keyed-list' ? type.item : LEAF
  const old = new Map(live.map((entry) => [entryElement(type, entry), entry]))
  const now = new Map(applied.map((entry) => [entryElement(type, entry), entry]))
  const shared = [...now.keys()].filter((element) => old.has(element))
  const left = [...old.keys()]
  const right = [...now.keys()]
  const done = new Set<string>()
  const result: unknown[] = []
  const takeApplied = (element: string): void => {
    result.push(mergeInto(item, old.get(element), now.get(element)))
    done.add(element)
    right.shift()
    if (shared[0] === element) shared.shift()
  }
  while (left.length > 0 || right.length > 0) {
    const [mine, theirs] = [left[0], right[0]]
    if (mine !== undefined && !now.has(mine)) {
      result.push(old.get(mine))
      left.shift()
    } else if (
      mine === undefined ||
      mine === theirs ||
      theirs === undefined ||
      mine === shared[0] ||
      shared.length === 0
    ) {
      if (mine === theirs || (mine !== undefined && done.has(mine))) left.shift()
      if (theirs !== undefined) takeApplied(theirs)
    } else {
      left.shift() // Comes later, with what is applied.
    }
  }
  return result
}

/** A value without the members of a set, but for what `keep` holds at or below them. Lists and maps that are left empty go too. */
export function withoutFields(given: Type, value: unknown, gone: FieldSet, keep: FieldSet): unknown {
  const type = deduced(given, value)
  if (type.type === 'map' && isMap(value)) return mapWithout(type, value, gone, keep)
  if ((type.type === 'keyed-list' || type.type === 'set') && Array.isArray(value)) {
    const left = (value as unknown[]).flatMap((entry) => {
      const element = entryElement(type, entry)
      const child = gone.children.get(element)
      const kept = keep.children.get(element)
      if (child === undefined) return [entry]
      if (child.isMember && kept === undefined) return []
      return type.type === 'keyed-list' ? [withoutFields(type.item, entry, child, kept ?? emptySet())] : [entry]
    })
    return left.length === 0 && value.length > 0 && !keep.isMember ? undefined : left
  }
  return value
}

function mapWithout(type: Extract<Type, { type: 'map' }>, value: Fields, gone: FieldSet, keep: FieldSet): unknown {
  const result: Fields = {}
  for (const [name, child] of Object.entries(value)) {
    const childGone = gone.children.get(`f:${name}`)
    const childKept = keep.children.get(`f:${name}`)
    if (childGone === undefined) {
      result[name] = child
      continue
    }
    if (childGone.isMember && childKept === undefined) continue
    const left =
      childGone.children.size === 0 ? child : withoutFields(type.field(name), child, childGone, childKept ?? emptySet())
    if (left !== undefined) result[name] = left
  }
  const isLeftEmpty = Object.keys(result).length === 0 && Object.keys(value).length > 0
  return isLeftEmpty && !keep.isMember && !type.isStruct ? undefined : result
}

/** Where a value does not fit: `.dat: field not declared in schema`, in the words of structured merge. */
export function misfit(given: Type, value: unknown, path: string): string | undefined {
  const type = deduced(given, value)
  if (type.type === 'map' && type !== UNTYPED) {
    if (value !== null && value !== undefined && !isMap(value)) return `${path}: expected map, got ${goWord(value)}`
    for (const [name, child] of Object.entries((value ?? {}) as Fields)) {
      if (type.isStruct && !type.isField(name)) return `${path}.${name}: field not declared in schema`
      const found = misfit(type.field(name), child, `${path}.${name}`)
      if (found !== undefined) return found
    }
  }
  if (type.type === 'leaf') return scalarMisfit(type.scalar, value, path)
  return type.type === 'map' ? undefined : listMisfit(type, value, path)
}

function scalarMisfit(
  scalar: Extract<Type, { type: 'leaf' }>['scalar'],
  value: unknown,
  path: string,
): string | undefined {
  if (scalar === undefined || value === null || value === undefined || typeof value === scalar) return undefined
  if (scalar === 'number') return `${path}: expected numeric (int or float), got ${goType(value)}`
  return `${path}: expected ${scalar}, got ${isMap(value) || Array.isArray(value) ? goType(value) : JSON.stringify(value)}`
}

function goType(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}'
  if (isMap(value)) return 'map[string]interface {}'
  return typeof value === 'boolean' ? 'bool' : 'string'
}

function listMisfit(
  type: Extract<Type, { type: 'keyed-list' | 'set' }>,
  value: unknown,
  path: string,
): string | undefined {
  if (value === null || value === undefined) return undefined
  if (!Array.isArray(value)) return `${path}: expected list, got ${goWord(value)}`
  const seen = new Set<string>()
  for (const entry of value as unknown[]) {
    const element = entryElement(type, entry)
    if (type.type === 'keyed-list') {
      const missing = type.keys.find((key) => !isMap(entry) || (entry[key] ?? type.defaults[key]) === undefined)
      if (missing !== undefined)
        return `${path}: element 0: associative list with keys has an element that omits key field ${JSON.stringify(missing)} (and doesn't have default value)`
    }
    if (seen.has(element)) {
      const shown = type.type === 'set' ? `[=${element.slice(2)}]` : keysText(JSON.parse(element.slice(2)) as Fields)
      return `${path}: duplicate entries for key ${shown}`
    }
    seen.add(element)
    if (type.type === 'keyed-list') {
      const found = misfit(type.item, entry, `${path}${keysText(JSON.parse(element.slice(2)) as Fields)}`)
      if (found !== undefined) return found
    }
  }
  return undefined
}

function goWord(value: unknown): string {
  if (Array.isArray(value)) return 'list'
  return isMap(value) ? 'map' : `&{${String(value as string | number | boolean)}}`
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : []
}

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
