/**
 * Who set which field (`metadata.managedFields`), and server-side apply on top of it (API concepts, "Server-Side Apply"). Pure: the
 * time is an argument.
 */
import { apiVersionOf, type Kind } from '../../resources/kinds.ts'
import type { KubeObject, ObjectMeta } from '../../resources/object.ts'
import { definition, schemaOf, type Schema } from '../../resources/schema.ts'
import { isCustom } from '../../resources/kubernetes/custom.ts'
import { StoreError } from '../store.ts'
import {
  difference,
  emptySet,
  fromFieldsV1,
  insert,
  intersection,
  isEmpty,
  paths,
  pathText,
  toFieldsV1,
  union,
  type FieldSet,
} from './set.ts'
import { compare, fieldSetOf, mergeInto, typeOf, withoutFields } from './typed.ts'

/** Update managers beyond these are put together into one. */
const UPDATE_MANAGERS_MAX = 10

export interface Writer {
  readonly manager: string
  readonly subresource?: string | undefined
  readonly now: string
}

interface Entry {
  readonly manager: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource: string
  readonly time: string
  readonly set: FieldSet
}

/** Set by the server, owned by nobody. */
const STRIPPED: FieldSet = emptySet()
for (const path of [
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map((field) => ['f:metadata', `f:${field}`]),
]) {
  insert(STRIPPED, path)
}

/** The object with the managers brought up to date after an update (or a create: `before` undefined). */
export function afterUpdate(kind: Kind, before: KubeObject | undefined, after: KubeObject, writer: Writer): KubeObject {
  const type = typeOf(kind)
  const { changed, removed } = compare(type, comparable(before ?? emptyObject(kind)), comparable(after))
  const base = decodeEntries(after.metadata) ?? decodeEntries(before?.metadata) ?? []
  const identity = {
    manager: writer.manager,
    operation: 'Update' as const,
    apiVersion: apiVersionOf(kind),
    subresource: writer.subresource ?? '',
  }
  const isMine = (entry: Entry): boolean => isSameManager(entry, identity)
  const others = base
    .filter((entry) => !isMine(entry))
    .map((entry) => ({ ...entry, set: difference(difference(entry.set, changed), removed) }))
  const previous = base.find(isMine)
  const set = difference(union(difference(previous?.set ?? emptySet(), removed), changed), STRIPPED)
  const isTouched = !isEmpty(difference(changed, STRIPPED)) || !isEmpty(removed)
  const mine: Entry = { ...identity, time: isTouched ? writer.now : (previous?.time ?? writer.now), set }
  return withEntries(after, [...others, mine])
}

/** The result of a server-side apply. `live` undefined: it creates. Throws StoreErrors, `Conflict` with the managers in the way. */
export function afterApply(
  kind: Kind,
  live: KubeObject | undefined,
  applied: KubeObject,
  writer: Writer & { readonly force: boolean },
): KubeObject {
  const type = typeOf(kind)
  const config = partOf(kind, comparable(applied), writer.subresource)
  const base = decodeEntries(live?.metadata) ?? []
  const identity = {
    manager: writer.manager,
    operation: 'Apply' as const,
    apiVersion: apiVersionOf(kind),
    subresource: writer.subresource ?? '',
  }
  const previous = base.find((entry) => isSameManager(entry, identity))
  const others = base.filter((entry) => !isSameManager(entry, identity))
  const set = difference(fieldSetOf(type, config), STRIPPED)

  const liveConfig = comparable(live ?? emptyObject(kind))
  const merged = mergeInto(type, liveConfig, config)
  const owned = others.reduce((sum, entry) => union(sum, entry.set), set)
  const gone = previous === undefined ? emptySet() : difference(previous.set, owned)
  const pruned = withoutFields(type, merged, gone, owned) as KubeObject

  const { changed, removed } = compare(type, liveConfig, pruned)
  const conflicts = others.flatMap((entry) =>
    [...paths(intersection(entry.set, changed))].map((path) => ({ entry, path: pathText(path) })),
  )
  if (conflicts.length > 0 && !writer.force) throw conflict(conflicts)
  const left = others.map((entry) => ({ ...entry, set: difference(difference(entry.set, changed), removed) }))
  const metadata = { ...pruned.metadata, ...serverMetadata(live) }
  const isSame =
    isEmpty(difference(changed, STRIPPED)) &&
    isEmpty(removed) &&
    previous !== undefined &&
    isEmpty(difference(set, previous.set)) &&
    isEmpty(difference(previous.set, set))
  const mine: Entry = { ...identity, time: isSame ? previous.time : writer.now, set }
  return withEntries({ ...pruned, metadata }, [...left, mine])
}

/** The half of an object that a request may write: what it says of the other half is as if it were not said. */
function partOf(kind: Kind, { metadata, status, ...rest }: KubeObject, subresource: string | undefined): KubeObject {
  if (subresource !== 'status') {
    const isWithout = status === undefined || kind.subresources.includes('status')
    return isWithout ? { ...rest, metadata } : { ...rest, metadata, status }
  }
  const { name, namespace } = metadata
  return {
    apiVersion: rest.apiVersion,
    kind: rest.kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    ...(status === undefined ? {} : { status }),
  }
}

/** What an apply does not speak of: it stays as the server has it. */
function serverMetadata(live: KubeObject | undefined): Partial<ObjectMeta> {
  if (live === undefined) return {}
  const { uid, resourceVersion, generation, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds } =
    live.metadata
  return JSON.parse(
    JSON.stringify({
      uid,
      resourceVersion,
      generation,
      creationTimestamp,
      deletionTimestamp,
      deletionGracePeriodSeconds,
    }),
  ) as Partial<ObjectMeta>
}

function isSameManager(
  entry: Entry,
  other: Pick<Entry, 'manager' | 'operation' | 'subresource' | 'apiVersion'>,
): boolean {
  return (
    entry.manager === other.manager &&
    entry.operation === other.operation &&
    entry.subresource === other.subresource &&
    entry.apiVersion === other.apiVersion
  )
}

function comparable(object: KubeObject): KubeObject {
  const { managedFields, ...metadata } = object.metadata
  void managedFields
  return { ...object, metadata }
}

/** What Go writes of an empty object of a kind: the fields it never leaves out. */
function emptyObject(kind: Kind): KubeObject {
  const base = { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: { name: '' } }
  if (isCustom(kind)) return base
  const always = (schema: Schema): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(schema.properties ?? {})
        .filter(([name, field]) => field.default !== undefined || schema.required?.includes(name) === true)
        .map(([name, field]) => [name, isObjectDefault(field) ? always(resolvedOf(field)) : (field.default ?? null)]),
    )
  return { ...always(schemaOf(kind)), ...base }
}

function isObjectDefault({ default: fallback }: Schema): boolean {
  return typeof fallback === 'object' && fallback !== null && !Array.isArray(fallback)
}

function resolvedOf(schema: Schema): Schema {
  if (schema.$ref !== undefined) return resolvedOf(definition(schema.$ref))
  const [only] = schema.allOf ?? []
  return only === undefined || schema.type !== undefined ? schema : resolvedOf(only)
}

/** Undefined when there are none, or a reset (`[{}]`) that says nothing. */
function decodeEntries(metadata: ObjectMeta | undefined): Entry[] | undefined {
  const given = metadata?.managedFields
  if (!Array.isArray(given) || given.length === 0) return undefined
  const entries = (given as readonly Record<string, unknown>[]).filter(({ manager }) => typeof manager === 'string')
  return entries.map((entry) => ({
    manager: String(entry['manager']),
    operation: entry['operation'] === 'Apply' ? 'Apply' : 'Update',
    apiVersion: typeof entry['apiVersion'] === 'string' ? entry['apiVersion'] : '',
    subresource: typeof entry['subresource'] === 'string' ? entry['subresource'] : '',
    time: typeof entry['time'] === 'string' ? entry['time'] : '',
    set: fromFieldsV1(entry['fieldsV1']),
  }))
}

function withEntries(object: KubeObject, entries: readonly Entry[]): KubeObject {
  const present = capped(entries.filter(({ set }) => !isEmpty(set))).sort(byOperationAndTime)
  const metadata = { ...object.metadata }
  if (present.length === 0) delete metadata.managedFields
  else metadata.managedFields = present.map(encodeEntry)
  return { ...object, metadata }
}

function encodeEntry({ manager, operation, apiVersion, time, set, subresource }: Entry): Record<string, unknown> {
  return {
    manager,
    operation,
    apiVersion,
    ...(time === '' ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: toFieldsV1(set),
    ...(subresource === '' ? {} : { subresource }),
  }
}

function byOperationAndTime(a: Entry, b: Entry): number {
  if (a.operation !== b.operation) return a.operation < b.operation ? -1 : 1
  if (a.time !== b.time) return a.time < b.time ? -1 : 1
  return a.manager < b.manager ? -1 : 1
}

/** The oldest update managers become one, `ancient-changes`. */
function capped(entries: readonly Entry[]): Entry[] {
  const updates = entries.filter(({ operation }) => operation === 'Update').sort(byOperationAndTime)
  const excess = updates.slice(0, Math.max(0, updates.length - UPDATE_MANAGERS_MAX))
  const [first] = excess
  if (first === undefined) return [...entries]
  const set = excess.reduce((sum, entry) => union(sum, entry.set), emptySet())
  return [
    ...entries.filter((entry) => !excess.includes(entry)),
    { ...first, manager: 'ancient-changes', subresource: '', set },
  ]
}

interface Conflicting {
  readonly entry: Entry
  readonly path: string
}

function conflict(conflicts: readonly Conflicting[]): StoreError {
  const sorted = [...conflicts].sort((a, b) =>
    nameOf(a.entry) < nameOf(b.entry) ? -1 : nameOf(a.entry) > nameOf(b.entry) ? 1 : 0,
  )
  const [only] = sorted
  const causes = sorted.map(({ entry, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${nameOf(entry)}`,
    field: path,
  }))
  if (sorted.length === 1 && only !== undefined) {
    return new StoreError(
      'Conflict',
      `Apply failed with 1 conflict: conflict with ${nameOf(only.entry)}: ${only.path}`,
      { details: { causes } },
    )
  }
  const lines = [...new Set(sorted.map(({ entry }) => nameOf(entry)))].flatMap((name) => [
    `conflicts with ${name}:`,
    ...sorted.filter(({ entry }) => nameOf(entry) === name).map(({ path }) => `- ${path}`),
  ])
  return new StoreError('Conflict', `Apply failed with ${sorted.length} conflicts: ${lines.join('\n')}`, {
    details: { causes },
  })
}

function nameOf({ manager, subresource, operation, apiVersion }: Entry): string {
  const name = JSON.stringify(manager) + (subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`)
  return operation === 'Update' ? `${name} using ${apiVersion}` : name
}
