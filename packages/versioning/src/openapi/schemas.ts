/** Two JSON Schemas compared: does the newer one accept, or promise, what the older one did? Pure. */

import { isObject, resolve, type JsonObject } from './document.ts'
import type { ChangeLevel, SpecChangeCode } from './changes.ts'

/** `input`: what clients send has to be accepted still. `output`: what they get has to keep the old promise. */
export type Direction = 'input' | 'output'

export interface SchemaChange {
  readonly level: ChangeLevel
  readonly code: SpecChangeCode
  /** `items[].price`; empty for the whole. */
  readonly path: string
  readonly message: string
}

export interface SchemaPair {
  readonly direction: Direction
  readonly oldDocument: JsonObject
  readonly newDocument: JsonObject
}

/** Schemas inside schemas that are looked into. */
const depthMax = 24

/** Compares two schemas of one direction. */
export function compareSchemas(pair: SchemaPair, before: unknown, after: unknown): readonly SchemaChange[] {
  const changes: SchemaChange[] = []
  walk({ pair, changes, seen: new Set(), depth: 0 }, '', before, after)
  return changes
}

interface Walk {
  readonly pair: SchemaPair
  readonly changes: SchemaChange[]
  /** Pairs of references on the way down: recursive schemas are compared once. */
  readonly seen: ReadonlySet<string>
  readonly depth: number
}

function walk(state: Walk, path: string, beforeValue: unknown, afterValue: unknown): void {
  const key = `${referenceOf(beforeValue)} ${referenceOf(afterValue)}`
  if (state.depth > depthMax || (key !== ' ' && state.seen.has(key))) return
  const inner = { ...state, seen: new Set([...state.seen, key]), depth: state.depth + 1 }
  const before = flatten(state.pair.oldDocument, beforeValue)
  const after = flatten(state.pair.newDocument, afterValue)
  if (hasAlternatives(before) || hasAlternatives(after)) {
    compareAlternatives(inner, path, before, after)
    return
  }
  if (!compareTypes(inner, path, before, after)) return
  compareEnums(inner, path, before, after)
  compareConstraints(inner, path, before, after)
  compareProperties(inner, path, before, after)
  if (isObject(before['items']) || isObject(after['items']))
    walk(inner, `${path}[]`, before['items'] ?? {}, after['items'] ?? {})
}

function referenceOf(value: unknown): string {
  return isObject(value) && typeof value['$ref'] === 'string' ? value['$ref'] : ''
}

/** References followed, `allOf` worked into one schema, `true` as `{}`. */
function flatten(document: JsonObject, value: unknown): JsonObject {
  const schema = resolve(document, value)
  if (!isObject(schema)) return {}
  if (!Array.isArray(schema['allOf'])) return schema
  const { allOf, ...own } = schema
  const parts = [...(allOf as readonly unknown[]).map((part) => flatten(document, part)), own]
  return parts.reduce<JsonObject>(
    (merged, part) => ({
      ...merged,
      ...part,
      properties: { ...(merged['properties'] as object | undefined), ...(part['properties'] as object | undefined) },
      required: [...listOf(merged['required']), ...listOf(part['required'])],
    }),
    {},
  )
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function add(state: Walk, change: SchemaChange): void {
  state.changes.push(change)
}

/** Whether the types have enough in common to compare what is inside. */
function compareTypes(state: Walk, path: string, before: JsonObject, after: JsonObject): boolean {
  const old = typesOf(before)
  const now = typesOf(after)
  const [narrow, wide] = state.pair.direction === 'input' ? [old, now] : [now, old]
  const lost = [...narrow].filter((type) => !allows(wide, type))
  if (lost.length > 0) {
    add(state, {
      level: 'breaking',
      code: 'type-changed',
      path,
      message: `the type was ${print(old)} and is now ${print(now)}`,
    })
  } else if ([...wide].some((type) => !allows(narrow, type))) {
    add(state, {
      level: 'addition',
      code: 'type-widened',
      path,
      message: `the type was ${print(old)} and is now ${print(now)}`,
    })
  }
  return lost.length === 0 || [...old].some((type) => type !== 'null' && allows(now, type))
}

const anyType = ['null', 'boolean', 'object', 'array', 'number', 'string']

/** JSON Schema's types, with OpenAPI 3.0's `nullable`. */
function typesOf(schema: JsonObject): ReadonlySet<string> {
  const { type, nullable } = schema
  const values = 'const' in schema ? [schema['const']] : Array.isArray(schema['enum']) ? schema['enum'] : undefined
  const named =
    type === undefined
      ? (values?.map(typeOfValue) ?? impliedTypes(schema))
      : [type as string | readonly string[]].flat()
  return new Set(nullable === true ? [...named, 'null'] : named)
}

function impliedTypes(schema: JsonObject): readonly string[] {
  if (isObject(schema['properties'])) return ['object']
  return isObject(schema['items']) ? ['array'] : anyType
}

function typeOfValue(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return Number.isInteger(value) ? 'integer' : typeof value
}

function allows(types: ReadonlySet<string>, type: string): boolean {
  return types.has(type) || (type === 'integer' && types.has('number'))
}

function print(types: ReadonlySet<string>): string {
  return types.size >= anyType.length ? 'anything' : [...types].join(' or ')
}

function compareEnums(state: Walk, path: string, before: JsonObject, after: JsonObject): void {
  const old = valuesOf(before)
  const now = valuesOf(after)
  if (old === undefined && now === undefined) return
  const removed = now === undefined ? [] : (old?.filter((value) => !now.includes(value)) ?? ['anything else'])
  const added = old === undefined ? [] : (now?.filter((value) => !old.includes(value)) ?? ['anything else'])
  const input = state.pair.direction === 'input'
  if (removed.length > 0 && input)
    add(state, { level: 'breaking', code: 'enum-narrowed', path, message: `no longer accepted: ${removed.join(', ')}` })
  if (added.length === 0) return
  const message = input
    ? `now accepted too: ${added.join(', ')}`
    : `may now be ${added.join(', ')}, which older clients do not know`
  add(state, { level: input ? 'addition' : 'warning', code: 'enum-widened', path, message })
}

/** As JSON texts, so that they compare. */
function valuesOf(schema: JsonObject): readonly string[] | undefined {
  if ('const' in schema) return [JSON.stringify(schema['const'])]
  return Array.isArray(schema['enum']) ? schema['enum'].map((value) => JSON.stringify(value)) : undefined
}

/** A bound is tighter if it grew (`+1`) or shrank (`-1`). */
const bounds: Readonly<Record<string, 1 | -1>> = {
  minimum: 1,
  exclusiveMinimum: 1,
  minLength: 1,
  minItems: 1,
  minProperties: 1,
  maximum: -1,
  exclusiveMaximum: -1,
  maxLength: -1,
  maxItems: -1,
  maxProperties: -1,
}

/** Constraints count for what clients send; a promise may become stricter, and a laxer one hurts few. */
function compareConstraints(state: Walk, path: string, before: JsonObject, after: JsonObject): void {
  compareFormats(state, path, before, after)
  if (state.pair.direction === 'output') return
  for (const [name, sign] of Object.entries(bounds)) {
    const old = before[name]
    const now = after[name]
    if (typeof now !== 'number' || old === now) continue
    if (typeof old !== 'number' || (now - old) * sign > 0) tightened(state, path, name, old, now)
  }
  for (const name of ['pattern', 'multipleOf', 'uniqueItems']) {
    const old = before[name]
    const now = after[name]
    if (now !== undefined && now !== false && now !== old) tightened(state, path, name, old, now)
  }
}

function tightened(state: Walk, path: string, name: string, old: unknown, now: unknown): void {
  const was = old === undefined ? 'was not limited' : `was ${JSON.stringify(old)}`
  add(state, {
    level: 'breaking',
    code: 'constraint-tightened',
    path,
    message: `${name} ${was} and is now ${JSON.stringify(now)}`,
  })
}

function compareFormats(state: Walk, path: string, before: JsonObject, after: JsonObject): void {
  const old = before['format']
  const now = after['format']
  if (old === now) return
  const lost = state.pair.direction === 'input' ? now !== undefined : old !== undefined
  if (!lost) return
  add(state, {
    level: 'breaking',
    code: 'format-changed',
    path,
    message: `the format was ${name(old)} and is now ${name(now)}`,
  })
}

function name(value: unknown): string {
  return value === undefined ? 'free' : JSON.stringify(value)
}

function compareProperties(state: Walk, path: string, before: JsonObject, after: JsonObject): void {
  const old = isObject(before['properties']) ? before['properties'] : {}
  const now = isObject(after['properties']) ? after['properties'] : {}
  const input = state.pair.direction === 'input'
  const at = (property: string): string => (path === '' ? property : `${path}.${property}`)
  for (const property of Object.keys(old)) {
    if (Object.hasOwn(now, property)) walk(state, at(property), old[property], now[property])
    else removedProperty(state, at(property), input, after)
  }
  const oldRequired = new Set(listOf(before['required']))
  const newRequired = new Set(listOf(after['required']))
  for (const property of newRequired) {
    if (!input || oldRequired.has(property) || hasDefault(state, now[String(property)])) continue
    add(state, {
      level: 'breaking',
      code: 'property-required',
      path: at(String(property)),
      message: 'clients have to send it now',
    })
  }
  for (const property of oldRequired) {
    if (input || newRequired.has(property) || !Object.hasOwn(now, String(property))) continue
    add(state, {
      level: 'breaking',
      code: 'property-optional',
      path: at(String(property)),
      message: 'it was always there and may now be missing',
    })
  }
  for (const property of Object.keys(now)) {
    if (Object.hasOwn(old, property) || (input && newRequired.has(property))) continue
    add(state, { level: 'addition', code: 'property-added', path: at(property), message: 'the property is new' })
  }
  if (
    input &&
    after['additionalProperties'] === false &&
    before['additionalProperties'] !== false &&
    Object.keys(before).length > 0
  ) {
    add(state, {
      level: 'breaking',
      code: 'properties-closed',
      path,
      message: 'properties that are not listed are refused now',
    })
  }
}

function removedProperty(state: Walk, path: string, input: boolean, after: JsonObject): void {
  const refused = input && after['additionalProperties'] === false
  const message = input
    ? refused
      ? 'it was removed and is refused now'
      : 'it was removed and is ignored now'
    : 'it was removed'
  add(state, { level: input && !refused ? 'warning' : 'breaking', code: 'property-removed', path, message })
}

function hasDefault(state: Walk, value: unknown): boolean {
  const schema = resolve(state.pair.newDocument, value)
  return isObject(schema) && 'default' in schema
}

function hasAlternatives(schema: JsonObject): boolean {
  return Array.isArray(schema['oneOf']) || Array.isArray(schema['anyOf'])
}

/** Each alternative that has to be kept must fit some alternative on the other side. */
function compareAlternatives(state: Walk, path: string, before: JsonObject, after: JsonObject): void {
  const old = alternatives(before)
  const now = alternatives(after)
  const input = state.pair.direction === 'input'
  const fits = (a: unknown, b: unknown): boolean => {
    const changes: SchemaChange[] = []
    walk({ ...state, changes }, path, a, b)
    return changes.every((change) => change.level !== 'breaking')
  }
  const lost = input ? old.filter((a) => !now.some((b) => fits(a, b))) : now.filter((b) => !old.some((a) => fits(a, b)))
  const gained = input ? now.filter((b) => !old.some((a) => fits(a, b))) : []
  if (lost.length > 0 && old.length === 1 && now.length === 1) walk(state, path, old[0], now[0])
  else if (lost.length > 0) {
    const message = input
      ? 'an alternative that was accepted is not any more'
      : 'it may now be something that it was not before'
    add(state, { level: 'breaking', code: input ? 'alternative-removed' : 'alternative-added', path, message })
  }
  if (gained.length > 0)
    add(state, { level: 'addition', code: 'alternative-added', path, message: 'another alternative is accepted now' })
}

function alternatives(schema: JsonObject): readonly unknown[] {
  const { oneOf, anyOf, ...common } = schema
  const list = Array.isArray(oneOf) ? oneOf : Array.isArray(anyOf) ? anyOf : undefined
  if (list === undefined) return [schema]
  return Object.keys(common).length === 0 ? list : list.map((item) => ({ allOf: [common, item] }))
}
