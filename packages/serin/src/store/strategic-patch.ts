/**
 * Strategic merge patch (sig-api-machinery, "Strategic Merge Patch"): maps are merged, lists as the schema says, by their merge
 * key; directives `$patch`, `$retainKeys`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`. Pure.
 */
import { isDeepStrictEqual } from 'node:util'
import { definition, schemaOf, type Schema } from '../resources/schema.ts'
import type { Kind } from '../resources/kinds.ts'
import { goText } from './go-text.ts'
import { StoreError } from './store.ts'

type Fields = Record<string, unknown>

const DIRECTIVE = '$patch'
const RETAIN_KEYS = '$retainKeys'
const ELEMENT_ORDER = '$setElementOrder/'
const DELETE_FROM_LIST = '$deleteFromPrimitiveList/'

/** Throws StoreError `Unknown` (500, as Kubernetes has it) for a patch that makes no sense. */
export function strategicPatch(kind: Kind, target: unknown, patch: unknown): unknown {
  return mergeMap(target as Fields, patch as Fields, schemaOf(kind))
}

function resolved(schema: Schema | undefined): Schema | undefined {
  if (schema === undefined) return undefined
  if (schema.$ref !== undefined) return resolved(definition(schema.$ref))
  const [only] = schema.allOf ?? []
  return only === undefined || schema.type !== undefined ? schema : resolved(only)
}

function mergeMap(original: Fields, patch: Fields, given: Schema | undefined): Fields {
  const schema = resolved(given)
  const directive = patch[DIRECTIVE]
  if (directive === 'replace') return dropDirectives(without(patch, DIRECTIVE)) as Fields
  if (directive === 'delete') return {}
  if (directive !== undefined && directive !== 'merge') {
    throw failed(`unknown patch type: ${goText(directive)} in map: ${goText(patch)}`)
  }
  const result = retained(original, patch)
  for (const key of Object.keys(patch).sort()) {
    if (key === DIRECTIVE || key === RETAIN_KEYS) continue
    if (key.startsWith(ELEMENT_ORDER) || key.startsWith(DELETE_FROM_LIST)) {
      applyListDirective(result, patch, key, schema)
      continue
    }
    const value = patch[key]
    if (value === null) delete result[key]
    else if (result[key] === undefined) result[key] = dropDirectives(value)
    else result[key] = mergeValue(result[key], value, { field: fieldSchema(schema, key), order: orderOf(patch, key) })
  }
  return result
}

/** A list of what may stay: everything else of the original goes. */
function retained(original: Fields, patch: Fields): Fields {
  const keep = patch[RETAIN_KEYS]
  if (!Array.isArray(keep)) return { ...original }
  return Object.fromEntries(Object.entries(original).filter(([key]) => keep.includes(key)))
}

function fieldSchema(schema: Schema | undefined, key: string): Schema | undefined {
  const field = schema?.properties?.[key]
  return field ?? (typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined)
}

function orderOf(patch: Fields, key: string): readonly unknown[] | undefined {
  const order = patch[ELEMENT_ORDER + key]
  return Array.isArray(order) ? (order as unknown[]) : undefined
}

/** A directive about a list that the patch does not change otherwise. */
function applyListDirective(result: Fields, patch: Fields, directive: string, schema: Schema | undefined): void {
  const key = directive.slice(directive.indexOf('/') + 1)
  const list = result[key]
  if (!Array.isArray(list)) return
  if (directive.startsWith(DELETE_FROM_LIST)) {
    const gone = patch[directive] as unknown[]
    result[key] = list.filter((entry) => !gone.some((other) => isDeepStrictEqual(other, entry)))
  } else if (patch[key] === undefined) {
    const field = resolved(schema)?.properties?.[key]
    result[key] = inOrder(list, {
      mergeKey: mergeKeyOf(field),
      patchOrder: patch[directive] as unknown[],
      serverOrder: list,
    })
  }
}

interface Position {
  readonly field: Schema | undefined
  readonly order: readonly unknown[] | undefined
}

function mergeValue(original: unknown, patch: unknown, { field, order }: Position): unknown {
  const strategies = (field?.['x-kubernetes-patch-strategy'] ?? '').split(',')
  if (isMap(original) && isMap(patch)) {
    return strategies.includes('replace') ? dropDirectives(patch) : mergeMap(original, patch, field)
  }
  if (Array.isArray(original) && Array.isArray(patch) && strategies.includes('merge')) {
    return mergeList(original, patch, { field, order })
  }
  return dropDirectives(patch)
}

function mergeKeyOf(field: Schema | undefined): string {
  return field?.['x-kubernetes-patch-merge-key'] ?? ''
}

function mergeList(original: readonly unknown[], patch: readonly unknown[], { field, order }: Position): unknown[] {
  const mergeKey = mergeKeyOf(field)
  if (!patch.every(isMap) || mergeKey === '') {
    const added = patch.filter((entry) => !original.some((other) => isDeepStrictEqual(other, entry)))
    return inOrder([...original, ...added], { mergeKey: '', patchOrder: order ?? patch, serverOrder: original })
  }
  const entries = patch as readonly Fields[]
  if (entries.some((entry) => entry[DIRECTIVE] === 'replace')) {
    return entries.filter((entry) => entry[DIRECTIVE] !== 'replace').map((entry) => dropDirectives(entry))
  }
  let merged = [...original] as Fields[]
  for (const entry of entries) {
    const key = entry[mergeKey]
    if (key === undefined) throw failed(`map: ${goText(entry)} does not contain declared merge key: ${mergeKey}`)
    const index = merged.findIndex((other) => other[mergeKey] === key)
    if (entry[DIRECTIVE] === 'delete') merged = merged.filter((other) => other[mergeKey] !== key)
    else if (index === -1) merged.push(dropDirectives(entry) as Fields)
    else merged[index] = mergeMap(merged[index] ?? {}, entry, field?.items)
  }
  return inOrder(merged, { mergeKey, patchOrder: order ?? entries, serverOrder: original })
}

interface Order {
  /** Empty: the entries are compared themselves. */
  readonly mergeKey: string
  readonly patchOrder: readonly unknown[]
  readonly serverOrder: readonly unknown[]
}

/** What the patch names comes in its order; the rest is put in between, each before the first one that followed it on the server. */
function inOrder(list: readonly unknown[], { mergeKey, patchOrder, serverOrder }: Order): unknown[] {
  const keyOf = (entry: unknown): unknown => (mergeKey === '' ? entry : (entry as Fields)[mergeKey])
  const place = (order: readonly unknown[], entry: unknown): number =>
    order.findIndex((other) => isDeepStrictEqual(keyOf(other), keyOf(entry)))
  const byPlace = (order: readonly unknown[]) => (a: unknown, b: unknown) => place(order, a) - place(order, b)
  const named = list.filter((entry) => place(patchOrder, entry) >= 0).sort(byPlace(patchOrder))
  const others = list.filter((entry) => place(patchOrder, entry) < 0).sort(byPlace(serverOrder))
  const result: unknown[] = []
  while (named.length > 0 || others.length > 0) {
    const [left] = others
    const [right] = named
    const isBefore =
      named.length === 0 ||
      (others.length > 0 &&
        place(serverOrder, left) >= 0 &&
        place(serverOrder, right) >= 0 &&
        place(serverOrder, left) < place(serverOrder, right))
    result.push(isBefore ? others.shift() : named.shift())
  }
  return result
}

/** A value that goes in as it is: without nulls and without directives. */
function dropDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value
      .filter((entry) => !isMap(entry) || !['delete', 'replace'].includes(String(entry[DIRECTIVE])))
      .map(dropDirectives)
  }
  if (!isMap(value)) return value
  const entries = Object.entries(value).filter(([key, child]) => child !== null && !key.startsWith('$'))
  return Object.fromEntries(entries.map(([key, child]) => [key, dropDirectives(child)]))
}

function without(fields: Fields, key: string): Fields {
  const { [key]: gone, ...rest } = fields
  void gone
  return rest
}

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function failed(message: string): StoreError {
  return new StoreError('Unknown', message)
}
