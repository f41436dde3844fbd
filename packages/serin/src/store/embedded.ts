/**
 * The store on the embedded database. Objects live in memory as frozen data and on disk as the records of `database.ts`.
 *
 * A write is decided at once against the newest state (committed or on its way to the disk), takes the next revision and joins a
 * commit (`group-commit.ts`). When a commit fails, it and all that was decided on top of it fail, and the state is the one before.
 */
import { isDeepStrictEqual } from 'node:util'
import { kubernetesAdmission, type Admission, type AdmissionContext } from './admission.ts'
import type { KubeObject } from '../resources/object.ts'
import { KINDS, Namespace, type Kind } from '../resources/kinds.ts'
import {
  allNewest,
  copy,
  frozen,
  keyOf,
  kindKey,
  newCollection,
  newest,
  sortedObjects,
  type Collection,
  type Stored,
} from './collection.ts'
import { openDatabase, type Database } from './database.ts'
import { GroupCommit } from './group-commit.ts'
import { HISTORY_BYTES_MAX, HISTORY_EVENTS_MAX } from './history.ts'
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

/** Opens or makes the store in a directory. Throws when another server uses it or the file is of a newer version. */
export function openEmbeddedStore(options: EmbeddedStoreOptions): EmbeddedStore {
  return new EmbeddedStoreOnDisk(options)
}

class EmbeddedStoreOnDisk implements EmbeddedStore {
  readonly #database: Database
  readonly #collections: ReadonlyMap<string, Collection>
  readonly #commits: GroupCommit
  readonly #admission: Admission
  #closed = false

  constructor({ directory, bytesMax, history, admission }: EmbeddedStoreOptions) {
    this.#collections = new Map(KINDS.map((kind) => [kindKey(kind), newCollection(kind)]))
    this.#admission = admission ?? kubernetesAdmission()
    this.#database = openDatabase(directory, false)
    this.#commits = new GroupCommit({
      database: this.#database,
      bytesMax: bytesMax ?? STORE_BYTES_MAX,
      history: history ?? { events: HISTORY_EVENTS_MAX, bytes: HISTORY_BYTES_MAX },
      firstRevision: FIRST_REVISION,
    })
    this.#commits.load((kind) => this.#collections.get(kind))
    if (this.revision === FIRST_REVISION) this.#bootstrap()
  }

  /** A new store has the namespaces that every cluster has. */
  #bootstrap(): void {
    for (const name of NAMESPACES) {
      const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
      this.create(Namespace, namespace).catch(() => {}) // The disk is full: the first write of anybody else says so.
    }
  }

  get revision(): number {
    return this.#commits.position.revision
  }

  get bytes(): number {
    return this.#commits.bytes
  }

  get<T extends KubeObject>(kind: Kind, key: ObjectKey): Promise<T | undefined> {
    return this.#answer(() => this.#collection(kind).objects.get(keyOf(kind, key))?.object as T | undefined)
  }

  list<T extends KubeObject>(kind: Kind, options: ListOptions = {}): Promise<List<T>> {
    return this.#answer(() => {
      const collection = this.#collection(kind)
      const now = this.#commits.position
      return pageOf<T>(kind, options, now, (revision) => {
        if (revision === now.revision) return sortedObjects(collection)
        return rewound(sortedObjects(collection), this.#commits.history.backwardsTo(revision), collection.log)
      })
    })
  }

  openWatch(kind: Kind, options: WatchOptions): WatchCursor {
    this.#checkOpen()
    return openWatch({
      kind,
      options,
      log: this.#collection(kind).log,
      now: () => this.#commits.position,
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
    if (newest(collection, key) !== undefined) throw registry.alreadyExists(kind, input.metadata.name)
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
    const current = newest(collection, text)
    if (current === undefined) throw registry.notFound(kind, key.name)
    const deletion = registry.deleted(kind, current.object, options, new Date())
    if (options.dryRun === true || deletion.action === 'nothing') return current.object as T
    if (deletion.action === 'mark') return (await this.#write(collection, text, deletion.object)) as T
    return (await this.#remove(collection, text, current)) as T
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    while (this.#commits.inFlight !== undefined) await this.#commits.inFlight
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
    const current = newest(collection, key)
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
    const live = newest(collection, key)
    if (live !== undefined) registry.checkVersion(kind, live.object, applied.metadata, true)
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
    while (collection.pending.has(key) && this.#commits.inFlight !== undefined) await this.#commits.inFlight
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
      if (newest(collection, key) === undefined) return
    }
  }

  #write(collection: Collection, key: string, object: KubeObject): Promise<KubeObject> {
    this.#checkOpen()
    return this.#commits.write(collection, key, object, false)
  }

  #remove(
    collection: Collection,
    key: string,
    current: Stored,
    last: KubeObject = current.object,
  ): Promise<KubeObject> {
    this.#checkOpen()
    return this.#commits.write(collection, key, last, true)
  }

  #collection(kind: Kind): Collection {
    this.#checkOpen()
    const collection = this.#collections.get(kindKey(kind))
    if (collection === undefined) throw new StoreError('NotFound', 'the server could not find the requested resource')
    return collection
  }

  #context(options: WriteOptions): AdmissionContext {
    return {
      options,
      find: (kind, key) => newest(this.#collection(kind), keyOf(kind, key))?.object,
      all: (kind) => allNewest(this.#collection(kind)),
    }
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

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}
