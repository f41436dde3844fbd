/**
 * The store on the embedded database. Objects live in memory as frozen data and on disk as the records of `database.ts`.
 *
 * A write is decided at once against the newest state (committed or on its way to the disk), takes the next revision, and joins
 * the commit that is being gathered while the one before is written: one fsync for all that came meanwhile. Only when it is on
 * disk is it answered, seen by readers, and told to watchers. When a commit fails, it and all that was decided on top of it
 * fail, and the state is the one before.
 */
import { isDeepStrictEqual } from 'node:util'
import { kubernetesAdmission, type Admission, type AdmissionContext } from './admission.ts'
import type { KubeObject } from '../resources/object.ts'
import { KINDS, Namespace, type Kind } from '../resources/kinds.ts'
import { openDatabase, type Database } from './database.ts'
import { HISTORY_BYTES_MAX, HISTORY_EVENTS_MAX, HistoryWindow, KindLog, type StoredEvent } from './history.ts'
import { pageOf, rewound } from './listing.ts'
import { afterApply, afterUpdate, type Writer } from './fields/managers.ts'
import { checkedApply, decodeApplied } from './apply.ts'
import { applyPatch } from './patch.ts'
import * as registry from './registry.ts'
import {
  StoreError,
  type DeleteOptions,
  type List,
  type ListOptions,
  type ObjectKey,
  type Patch,
  type Store,
  type WatchEvent,
  type WatchOptions,
  type WriteOptions,
} from './store.ts'
import { openWatch, type WatchCursor } from './watch.ts'

/** All objects and the history together, as JSON. */
export const STORE_BYTES_MAX: number = 1024 * 1024 * 1024
/** A create with `generateName` tries this often to find a free name. */
const GENERATE_TRIES_MAX = 8
/** In every new store. */
const NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system']
/** The revision of a store without a write. Not 0: that means "any" in a request. */
const FIRST_REVISION = 1

export interface EmbeddedStoreOptions {
  /** Made with mode 0700 when it is not there. */
  readonly directory: string
  /** Of all records, objects and history, as JSON; a write that would pass it throws `InsufficientStorage`. Default 1 GiB. */
  readonly bytesMax?: number
  /** How far watches can resume; defaults 10,000 events and 24 MiB. */
  readonly history?: { readonly events: number; readonly bytes: number }
  /** Rules of the kinds, run inside the write; default: those of Kubernetes. */
  readonly admission?: Admission
}

export interface EmbeddedStore extends Store {
  /** A watch without promises: for those who serve many. */
  openWatch(kind: Kind, options: WatchOptions): WatchCursor
  /** The newest revision on disk. */
  readonly revision: number
  readonly bytes: number
  /** Waits for the writes on their way; the store answers nothing afterwards. */
  close(): Promise<void>
}

interface Stored {
  readonly object: KubeObject
  readonly revision: number
}

interface Collection {
  readonly kind: Kind
  readonly objects: Map<string, Stored>
  /** Decided, not yet on disk; undefined: removed. */
  readonly pending: Map<string, Stored | undefined>
  readonly log: KindLog
  /** Sorted keys of `objects`, made anew when one came or went. */
  keys: readonly string[] | undefined
}

interface Write {
  readonly collection: Collection
  readonly key: string
  readonly event: StoredEvent
  readonly text: string
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Opens or makes the store in a directory. Throws when another server uses it or the file is of a newer version. */
export function openEmbeddedStore(options: EmbeddedStoreOptions): EmbeddedStore {
  return new EmbeddedStoreOnDisk(options)
}

class EmbeddedStoreOnDisk implements EmbeddedStore {
  readonly #database: Database
  readonly #collections = new Map<string, Collection>()
  readonly #history: HistoryWindow
  readonly #admission: Admission
  readonly #bytesMax: number
  #compacted: number
  #committed = FIRST_REVISION
  /** The newest revision given out. */
  #head = FIRST_REVISION
  #bytes = 0
  #gathered: Write[] = []
  #committing: Promise<void> | undefined
  #closed = false

  constructor({ directory, bytesMax, history, admission }: EmbeddedStoreOptions) {
    for (const kind of KINDS) {
      this.#collections.set(kindKey(kind), {
        kind,
        objects: new Map(),
        pending: new Map(),
        log: new KindLog(),
        keys: undefined,
      })
    }
    this.#bytesMax = bytesMax ?? STORE_BYTES_MAX
    this.#admission = admission ?? kubernetesAdmission()
    this.#history = new HistoryWindow(history ?? { events: HISTORY_EVENTS_MAX, bytes: HISTORY_BYTES_MAX })
    this.#database = openDatabase(directory, false)
    this.#compacted = Math.max(FIRST_REVISION, this.#database.compacted)
    this.#load()
    if (this.#committed === FIRST_REVISION) this.#bootstrap()
  }

  /** A new store has the namespaces that every cluster has. */
  #bootstrap(): void {
    for (const name of NAMESPACES) {
      const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
      this.create(Namespace, namespace).catch(() => {}) // The disk is full: the first write of anybody else says so.
    }
  }

  get revision(): number {
    return this.#committed
  }

  get bytes(): number {
    return this.#bytes
  }

  get<T extends KubeObject>(kind: Kind, key: ObjectKey): Promise<T | undefined> {
    return this.#answer(() => this.#collection(kind).objects.get(keyOf(kind, key))?.object as T | undefined)
  }

  list<T extends KubeObject>(kind: Kind, options: ListOptions = {}): Promise<List<T>> {
    return this.#answer(() => {
      const collection = this.#collection(kind)
      const now = { revision: this.#committed, compacted: this.#compacted }
      return pageOf<T>(kind, options, now, (revision) => {
        if (revision === this.#committed) return sortedObjects(collection)
        return rewound(sortedObjects(collection), this.#history.backwardsTo(revision), collection.log)
      })
    })
  }

  openWatch(kind: Kind, options: WatchOptions): WatchCursor {
    this.#checkOpen()
    return openWatch({
      kind,
      options,
      log: this.#collection(kind).log,
      now: () => ({ revision: this.#committed, compacted: this.#compacted }),
    })
  }

  async *watch<T extends KubeObject>(kind: Kind, options: WatchOptions): AsyncIterable<WatchEvent<T>> {
    const cursor = this.openWatch(kind, options)
    try {
      while (!isAborted(options.signal) && !this.#closed) {
        for (const event of cursor.read()) {
          yield event as WatchEvent<T>
          if (isAborted(options.signal)) return
        }
        await cursor.ready()
      }
    } finally {
      cursor.close()
    }
  }

  async create<T extends KubeObject>(kind: Kind, object: T, options: WriteOptions = {}): Promise<T> {
    const collection = this.#collection(kind)
    const input = copy(object)
    if (input.metadata.name === undefined || input.metadata.name === '') this.#generateName(collection, input)
    const key = keyOf(kind, input.metadata)
    if (this.#find(collection, key) !== undefined) throw registry.alreadyExists(kind, input.metadata.name)
    return (await this.#createNew(collection, key, input, options)) as T
  }

  async update<T extends KubeObject>(kind: Kind, object: T, options: WriteOptions = {}): Promise<T> {
    const { name } = object.metadata
    return (await this.#replace(kind, { key: keyOf(kind, object.metadata), name }, () => copy(object), options)) as T
  }

  async patch<T extends KubeObject>(kind: Kind, key: ObjectKey, patch: Patch, options: WriteOptions = {}): Promise<T> {
    if (patch.type === 'apply') return (await this.#serverSideApply(kind, key, patch, options)) as T
    const change = (current: KubeObject): KubeObject => copy(applyPatch(kind, current, patch, options))
    return (await this.#replace(kind, { key: keyOf(kind, key), name: key.name, isPatch: true }, change, options)) as T
  }

  async delete<T extends KubeObject>(kind: Kind, key: ObjectKey, options: DeleteOptions = {}): Promise<T> {
    const collection = this.#collection(kind)
    const text = keyOf(kind, key)
    const current = this.#find(collection, text)
    if (current === undefined) throw registry.notFound(kind, key.name)
    const deletion = registry.deleted(kind, current.object, options, new Date())
    if (options.dryRun === true || deletion.action === 'nothing') return current.object as T
    if (deletion.action === 'mark') return (await this.#write(collection, text, deletion.object)) as T
    return (await this.#remove(collection, text, current)) as T
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    while (this.#committing !== undefined) await this.#committing
    for (const { log } of this.#collections.values()) for (const listener of log.listeners) listener()
    await this.#database.close()
  }

  async #createNew(
    collection: Collection,
    key: string,
    input: KubeObject,
    options: WriteOptions,
    managed: (object: KubeObject) => KubeObject = (object) =>
      afterUpdate(collection.kind, undefined, object, writerOf(options)),
  ): Promise<KubeObject> {
    const { kind } = collection
    const context = this.#context(options)
    const drafted = registry.created(kind, input, { now: new Date(), uid: crypto.randomUUID() })
    this.#admission.prepare(kind, drafted, undefined, context)
    const draft = managed(drafted)
    this.#admission.create(kind, draft, context)
    if (options.dryRun === true) return frozen(copy(draft))
    return this.#write(collection, key, draft)
  }

  async #replace(
    kind: Kind,
    { key, name, isPatch = false }: { readonly key: string; readonly name: string; readonly isPatch?: boolean },
    change: (current: KubeObject) => KubeObject,
    options: WriteOptions,
    managed: (object: KubeObject, current: KubeObject) => KubeObject = (object, current) =>
      afterUpdate(kind, current, object, writerOf(options)),
  ): Promise<KubeObject> {
    const collection = this.#collection(kind)
    const context = this.#context(options)
    const current = this.#find(collection, key)
    if (current === undefined) throw registry.notFound(kind, name)
    const input = change(current.object)
    const given = { ...input.metadata }
    this.#admission.prepare(kind, input, current.object, context)
    const { object: merged, remove } = registry.updated(kind, current.object, input, {
      subresource: options.subresource,
      isPatch,
    })
    const object = managed(merged, current.object)
    this.#admission.update(kind, object, current.object, given, context)
    if (options.dryRun === true) return frozen(copy(object))
    if (remove) return this.#remove(collection, key, current, object)
    if (isDeepStrictEqual(copy(object), current.object)) return this.#settled(collection, key, current.object)
    return this.#write(collection, key, object)
  }

  /** Server-side apply: makes the object when it is not there. */
  async #serverSideApply(
    kind: Kind,
    objectKey: ObjectKey,
    patch: Extract<Patch, { type: 'apply' }>,
    options: WriteOptions,
  ): Promise<KubeObject> {
    const collection = this.#collection(kind)
    const key = keyOf(kind, objectKey)
    const applied = checkedApply(kind, objectKey, patch.body)
    const live = this.#find(collection, key)
    const writer = { ...writerOf(options), force: patch.force === true }
    const result = decodeApplied(kind, afterApply(kind, live?.object, applied, writer), options)
    if (live === undefined) return this.#createNew(collection, key, result, options, (object) => object)
    const name = { key, name: objectKey.name, isPatch: true }
    return this.#replace(
      kind,
      name,
      () => copy(result),
      options,
      (object) => object,
    )
  }

  /** A write that changes nothing is answered when what it found is on disk. */
  async #settled(collection: Collection, key: string, object: KubeObject): Promise<KubeObject> {
    while (collection.pending.has(key) && this.#committing !== undefined) await this.#committing
    return object
  }

  #generateName(collection: Collection, object: KubeObject): void {
    const { generateName, namespace } = object.metadata
    if (generateName === undefined || generateName === '') {
      throw new StoreError(
        'Invalid',
        `${collection.kind.kind} "" is invalid: metadata.name: Required value: name or generateName is required`,
        {
          details: {
            kind: collection.kind.kind,
            causes: [
              {
                reason: 'FieldValueRequired',
                message: 'Required value: name or generateName is required',
                field: 'metadata.name',
              },
            ],
          },
        },
      )
    }
    for (let tries = 0; tries < GENERATE_TRIES_MAX; tries += 1) {
      const name = registry.generatedName(generateName)
      object.metadata.name = name
      const key = keyOf(collection.kind, { name, ...(namespace === undefined ? {} : { namespace }) })
      if (this.#find(collection, key) === undefined) return
    }
  }

  #write(collection: Collection, key: string, object: KubeObject): Promise<KubeObject> {
    return this.#enqueue(collection, key, object, false)
  }

  #remove(
    collection: Collection,
    key: string,
    current: Stored,
    last: KubeObject = current.object,
  ): Promise<KubeObject> {
    return this.#enqueue(collection, key, last, true)
  }

  async #enqueue(collection: Collection, key: string, object: KubeObject, gone: boolean): Promise<KubeObject> {
    this.#checkOpen()
    const previous = this.#find(collection, key)
    const revision = this.#head + 1
    const metadata = registry.inOrder({ ...object.metadata, resourceVersion: String(revision) })
    const text = JSON.stringify({ ...object, metadata })
    if (!gone) this.#checkSpace(text.length)
    this.#head = revision
    const stored = frozen(JSON.parse(text) as KubeObject)
    const type = gone ? 'DELETED' : previous === undefined ? 'ADDED' : 'MODIFIED'
    collection.pending.set(key, gone ? undefined : { object: stored, revision })
    await new Promise<void>((resolve, reject) => {
      const event: StoredEvent = { type, revision, object: stored, previous, bytes: text.length }
      this.#gathered.push({ collection, key, event, text, resolve, reject })
      this.#committing ??= this.#commitAll()
    })
    return stored
  }

  #checkSpace(bytes: number): void {
    if (this.#bytes + bytes <= this.#bytesMax) return
    throw new StoreError(
      'InsufficientStorage',
      `the store is full: ${this.#bytes} of ${this.#bytesMax} bytes are used; delete objects, or raise the limit`,
    )
  }

  async #commitAll(): Promise<void> {
    // Writes of one turn of the event loop belong together; the first one does not go alone.
    await Promise.resolve()
    while (this.#gathered.length > 0) {
      const writes = this.#gathered
      this.#gathered = []
      try {
        await this.#commit(writes)
      } catch (error) {
        this.#fail(writes, error)
      }
    }
    this.#committing = undefined
  }

  async #commit(writes: readonly Write[]): Promise<void> {
    const bytes = writes.reduce((sum, { text }) => sum + text.length, 0)
    const excess = this.#history.peekExcess({ events: writes.length, bytes })
    const remove = excess.flatMap(unneeded)
    await this.#database.commit({
      records: writes.map(({ collection, event, text }) => ({
        revision: event.revision,
        record: {
          type: event.type,
          kind: kindKey(collection.kind),
          object: text,
          ...(event.previous === undefined ? {} : { previous: event.previous.revision }),
        },
      })),
      remove: remove.map(({ revision }) => revision),
      compacted: excess.at(-1)?.revision ?? this.#compacted,
    })
    this.#compacted = excess.at(-1)?.revision ?? this.#compacted
    this.#history.drop(excess.length)
    this.#bytes += bytes - remove.reduce((sum, record) => sum + record.bytes, 0)
    this.#publish(writes)
  }

  #publish(writes: readonly Write[]): void {
    const touched = new Set<KindLog>()
    for (const { collection, key, event } of writes) {
      this.#apply(collection, key, event)
      const pending = collection.pending.get(key)
      const newest = event.type === 'DELETED' ? pending === undefined : pending?.revision === event.revision
      if (newest) collection.pending.delete(key)
      touched.add(collection.log)
    }
    for (const write of writes) write.resolve()
    for (const log of touched) for (const listener of log.listeners) listener()
  }

  #apply(collection: Collection, key: string, event: StoredEvent): void {
    this.#committed = event.revision
    this.#history.push(collection.log, event)
    if (event.type === 'DELETED') collection.objects.delete(key)
    else collection.objects.set(key, { object: event.object, revision: event.revision })
    if (event.type !== 'MODIFIED') collection.keys = undefined
  }

  #fail(writes: readonly Write[], error: unknown): void {
    const all = [...writes, ...this.#gathered]
    this.#gathered = []
    this.#head = this.#committed
    for (const { collection, reject } of all) {
      collection.pending.clear()
      reject(error)
    }
  }

  /** Replays the records: they are the objects and the history in one. */
  #load(): void {
    const byRevision = new Map<number, Stored>()
    for (const { revision, record, bytes } of this.#database.records()) {
      const collection = this.#collections.get(record.kind)
      if (collection === undefined) continue // A kind that this version no longer knows: kept on disk, not served.
      const object = frozen(JSON.parse(record.object) as KubeObject)
      const key = keyOf(collection.kind, object.metadata)
      const previous = record.previous === undefined ? undefined : byRevision.get(record.previous)
      byRevision.set(revision, { object, revision })
      this.#bytes += bytes
      this.#committed = revision
      if (record.type === 'DELETED') collection.objects.delete(key)
      else collection.objects.set(key, { object, revision })
      if (revision > this.#compacted) {
        this.#history.push(collection.log, { type: record.type, revision, object, previous, bytes })
      }
    }
    this.#head = this.#committed
  }

  #collection(kind: Kind): Collection {
    this.#checkOpen()
    const collection = this.#collections.get(kindKey(kind))
    if (collection === undefined) throw new StoreError('NotFound', 'the server could not find the requested resource')
    return collection
  }

  #find(collection: Collection, key: string): Stored | undefined {
    return collection.pending.has(key) ? collection.pending.get(key) : collection.objects.get(key)
  }

  #context(options: WriteOptions): AdmissionContext {
    return {
      options,
      find: (kind, key) => this.#find(this.#collection(kind), keyOf(kind, key))?.object,
      all: (kind) => this.#newest(this.#collection(kind)),
    }
  }

  *#newest({ objects, pending }: Collection): Generator<KubeObject> {
    for (const [key, { object }] of objects) if (!pending.has(key)) yield object
    for (const stored of pending.values()) if (stored !== undefined) yield stored.object
  }

  #answer<T>(read: () => T): Promise<T> {
    try {
      return Promise.resolve(read())
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreError('ServiceUnavailable', 'the store is closed')
  }
}

/** Who writes when nobody says: the control process itself. */
const OWN_MANAGER = 'serin'

function writerOf({ fieldManager, subresource }: WriteOptions): Writer {
  return { manager: fieldManager ?? OWN_MANAGER, subresource, now: registry.timestamp(new Date()) }
}

/** What nobody needs once an event has left the window: what it replaced, and itself when it says that the object is gone. */
function unneeded({ type, revision, previous, bytes }: StoredEvent): { revision: number; bytes: number }[] {
  const records: { revision: number; bytes: number }[] = []
  if (previous !== undefined)
    records.push({ revision: previous.revision, bytes: JSON.stringify(previous.object).length })
  if (type === 'DELETED') records.push({ revision, bytes })
  return records
}

function sortedObjects(collection: Collection): readonly [string, KubeObject][] {
  collection.keys ??= [...collection.objects.keys()].sort()
  return collection.keys.flatMap((key): [string, KubeObject][] => {
    const stored = collection.objects.get(key)
    return stored === undefined ? [] : [[key, stored.object]]
  })
}

function kindKey(kind: Kind): string {
  return `${kind.group}/${kind.plural}`
}

function keyOf(kind: Kind, { namespace, name }: ObjectKey): string {
  return kind.namespaced ? `${namespace ?? ''}/${name}` : name
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

/** A deep copy as JSON has it: no undefined, nothing shared with the caller. */
function copy<T>(object: T): T {
  return JSON.parse(JSON.stringify(object)) as T
}

/** What the store returned is shared by all who asked; a change by one of them throws at once instead of corrupting the rest. */
function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const part of Object.values(value)) frozen(part)
  }
  return value
}
