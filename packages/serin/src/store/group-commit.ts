/**
 * The way of a decided write to the disk and into the state. While one commit is written, the next one gathers; when it is on disk,
 * readers see it, writers are answered and watches are woken, in that order and in one turn of the event loop.
 */
import type { KubeObject } from '../resources/object.ts'
import { frozen, keyOf, kindKey, newest, settle, type Collection, type Stored } from './collection.ts'
import type { Database } from './database.ts'
import { HistoryWindow, type KindLog, type StoredEvent } from './history.ts'
import { inOrder } from './registry.ts'
import { StoreError } from './store.ts'

interface Write {
  readonly collection: Collection
  readonly key: string
  readonly event: StoredEvent
  readonly text: string
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export interface GroupCommitOptions {
  readonly database: Database
  readonly bytesMax: number
  readonly history: { readonly events: number; readonly bytes: number }
  /** The revision of a store without a write. */
  readonly firstRevision: number
}

export class GroupCommit {
  readonly history: HistoryWindow
  readonly #database: Database
  readonly #bytesMax: number
  /** The newest revision given out. */
  #head: number
  #committed: number
  #compacted: number
  #bytes = 0
  #gathered: Write[] = []
  #committing: Promise<void> | undefined

  constructor({ database, bytesMax, history, firstRevision }: GroupCommitOptions) {
    this.#database = database
    this.#bytesMax = bytesMax
    this.history = new HistoryWindow(history)
    this.#committed = firstRevision
    this.#head = firstRevision
    this.#compacted = Math.max(firstRevision, database.compacted)
  }

  /** The newest revision on disk, and up to which the history is gone. */
  get position(): { readonly revision: number; readonly compacted: number } {
    return { revision: this.#committed, compacted: this.#compacted }
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The commit that is being written, if any. */
  get inFlight(): Promise<void> | undefined {
    return this.#committing
  }

  /** Replays the records: they are the objects and the history in one. */
  load(collectionOf: (kind: string) => Collection | undefined): void {
    const byRevision = new Map<number, Stored>()
    for (const { revision, record, bytes } of this.#database.records()) {
      const collection = collectionOf(record.kind)
      if (collection === undefined) continue // A kind that this version no longer knows: kept on disk, not served.
      const object = frozen(JSON.parse(record.object) as KubeObject)
      const previous = record.previous === undefined ? undefined : byRevision.get(record.previous)
      byRevision.set(revision, { object, revision, bytes })
      this.#bytes += bytes
      this.#committed = revision
      const event: StoredEvent = { type: record.type, revision, object, previous, bytes }
      settle(collection, keyOf(collection.kind, object.metadata), event)
      if (revision > this.#compacted) this.history.push(collection.log, event)
    }
    this.#head = this.#committed
  }

  /** Resolves with the object as it is stored (`gone`: as it last was), once it is on disk. Throws StoreError `InsufficientStorage`. */
  async write(collection: Collection, key: string, object: KubeObject, gone: boolean): Promise<KubeObject> {
    const previous = newest(collection, key)
    const revision = this.#head + 1
    const metadata = inOrder({ ...object.metadata, resourceVersion: String(revision) })
    const text = JSON.stringify({ ...object, metadata })
    if (!gone) this.#checkSpace(text.length)
    this.#head = revision
    const stored = frozen(JSON.parse(text) as KubeObject)
    const bytes = text.length
    const type = gone ? 'DELETED' : previous === undefined ? 'ADDED' : 'MODIFIED'
    collection.pending.set(key, { revision, stored: gone ? undefined : { object: stored, revision, bytes } })
    await new Promise<void>((resolve, reject) => {
      const event: StoredEvent = { type, revision, object: stored, previous, bytes }
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
    const excess = this.history.peekExcess({ events: writes.length, bytes })
    const remove = excess.flatMap(unneeded)
    const compacted = excess.at(-1)?.revision ?? this.#compacted
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
      compacted,
    })
    this.#compacted = compacted
    this.history.drop(excess.length)
    this.#bytes += bytes - remove.reduce((sum, record) => sum + record.bytes, 0)
    this.#publish(writes)
  }

  #publish(writes: readonly Write[]): void {
    const touched = new Set<KindLog>()
    for (const { collection, key, event } of writes) {
      this.#committed = event.revision
      this.history.push(collection.log, event)
      settle(collection, key, event)
      touched.add(collection.log)
    }
    for (const write of writes) write.resolve()
    for (const log of touched) for (const listener of log.listeners) listener()
  }

  /** All that was decided on top of what failed fails with it. */
  #fail(writes: readonly Write[], error: unknown): void {
    const all = [...writes, ...this.#gathered]
    this.#gathered = []
    this.#head = this.#committed
    for (const { collection, reject } of all) {
      collection.pending.clear()
      reject(error)
    }
  }
}

/** What nobody needs once an event has left the window: what it replaced, and itself when it says that the object is gone. */
function unneeded({ type, revision, previous, bytes }: StoredEvent): { revision: number; bytes: number }[] {
  const records: { revision: number; bytes: number }[] = []
  if (previous !== undefined) records.push({ revision: previous.revision, bytes: previous.bytes })
  if (type === 'DELETED') records.push({ revision, bytes })
  return records
}
