/** The objects of one kind in memory: what is on disk, what is decided and on its way there, and the log of its watches. */
import type { KubeObject } from '../resources/object.ts'
import type { Kind } from '../resources/kinds.ts'
import { KindLog, type StoredEvent } from './history.ts'
import type { ObjectKey } from './store.ts'

export interface Stored {
  readonly object: KubeObject
  readonly revision: number
  /** Of its JSON. */
  readonly bytes: number
}

export interface Collection {
  readonly kind: Kind
  /** On disk. */
  readonly objects: Map<string, Stored>
  /** Decided, not yet on disk. Without `stored`: removed. */
  readonly pending: Map<string, { readonly revision: number; readonly stored: Stored | undefined }>
  readonly log: KindLog
  /** Sorted keys of `objects`, made anew when one came or went. */
  keys: readonly string[] | undefined
}

export function newCollection(kind: Kind): Collection {
  return { kind, objects: new Map(), pending: new Map(), log: new KindLog(), keys: undefined }
}

/** `group/plural`. */
export function kindKey(kind: Kind): string {
  return `${kind.group}/${kind.plural}`
}

export function keyOf(kind: Kind, { namespace, name }: ObjectKey): string {
  return kind.namespaced ? `${namespace ?? ''}/${name}` : name
}

/** The newest state of an object, on disk or on its way there. */
export function newest(collection: Collection, key: string): Stored | undefined {
  const pending = collection.pending.get(key)
  return pending === undefined ? collection.objects.get(key) : pending.stored
}

export function* allNewest({ objects, pending }: Collection): Generator<KubeObject> {
  for (const [key, { object }] of objects) if (!pending.has(key)) yield object
  for (const { stored } of pending.values()) if (stored !== undefined) yield stored.object
}

/** What is on disk, in the order of keys. */
export function sortedObjects(collection: Collection): readonly [string, KubeObject][] {
  collection.keys ??= [...collection.objects.keys()].sort()
  return collection.keys.flatMap((key): [string, KubeObject][] => {
    const stored = collection.objects.get(key)
    return stored === undefined ? [] : [[key, stored.object]]
  })
}

/** An event that has reached the disk becomes the state. */
export function settle(collection: Collection, key: string, event: StoredEvent): void {
  if (event.type === 'DELETED') collection.objects.delete(key)
  else collection.objects.set(key, { object: event.object, revision: event.revision, bytes: event.bytes })
  if (event.type !== 'MODIFIED') collection.keys = undefined
  if (collection.pending.get(key)?.revision === event.revision) collection.pending.delete(key)
}

/** A deep copy as JSON has it: no undefined, nothing shared with the caller. */
export function copy<T>(object: T): T {
  return JSON.parse(JSON.stringify(object)) as T
}

/** What the store returned is shared by all who asked; a change by one of them throws at once instead of corrupting the rest. */
export function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const part of Object.values(value)) frozen(part)
  }
  return value
}
