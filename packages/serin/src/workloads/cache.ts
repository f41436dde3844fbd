import { createInformer, type Informer, type InformerChange } from '../store/informer.ts'
import type { Kind } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { StoreError, type DeleteOptions, type ObjectKey, type Store, type WriteOptions } from '../store/store.ts'
import { CATCH_UP_MS_MAX } from './limits.ts'

/**
 * The objects of one kind as a controller sees them: an informer's copy, and writes after which `caughtUp` waits until
 * the copy shows them. So no controller acts twice because it has not yet seen what it did.
 */
export class Cache<T extends KubeObject> {
  readonly synced: Promise<void>
  private readonly store: Store
  private readonly kind: Kind
  private readonly fieldManager: string
  private readonly informer: Informer<T>
  /** The version of the newest write of ours. */
  private written = 0
  private readonly vanishing = new Map<string, string>()
  private readonly waiters = new Set<() => void>()
  private readonly indexes: Index<T>[] = []

  constructor(options: {
    readonly store: Store
    readonly kind: Kind
    readonly fieldManager: string
    readonly onError: (error: unknown) => void
  }) {
    this.store = options.store
    this.kind = options.kind
    this.fieldManager = options.fieldManager
    this.informer = createInformer<T>(options.store, options.kind, { onError: options.onError })
    this.synced = this.informer.synced
    this.informer.onChange((change) => this.saw(change))
  }

  get(key: ObjectKey): T | undefined {
    return this.informer.get(key)
  }

  list(namespace?: string): readonly T[] {
    return this.informer.list(namespace)
  }

  /** Returns what takes it away. */
  onChange(callback: (change: InformerChange<T>) => void): () => void {
    return this.informer.onChange(callback)
  }

  /** Objects by a value that is worked out once for each: `index(valuesOf)(value)`. To be made before the first list. */
  index(valuesOf: (object: T) => readonly string[]): (value: string) => readonly T[] {
    const index = new Index(valuesOf)
    this.indexes.push(index)
    return (value) => index.get(value)
  }

  async create(object: T): Promise<T> {
    return this.wrote(await this.store.create(this.kind, object, { fieldManager: this.fieldManager }))
  }

  async update(object: T, options: WriteOptions = {}): Promise<T> {
    return this.wrote(await this.store.update(this.kind, object, { fieldManager: this.fieldManager, ...options }))
  }

  async updateStatus(object: T): Promise<T> {
    return this.update(object, { subresource: 'status' })
  }

  async merge(key: ObjectKey, body: unknown, options: WriteOptions = {}): Promise<T> {
    const patch = { type: 'merge', body } as const
    return this.wrote(await this.store.patch(this.kind, key, patch, { fieldManager: this.fieldManager, ...options }))
  }

  /** Deletes this very object; one that is gone already is fine. */
  async delete(object: T, options: DeleteOptions = {}): Promise<void> {
    const { namespace, name, uid } = object.metadata
    const key = namespace === undefined ? { name } : { namespace, name }
    try {
      await this.store.delete(this.kind, key, {
        ...options,
        preconditions: { ...(uid === undefined ? {} : { uid }), ...options.preconditions },
      })
    } catch (error) {
      if (!isGone(error)) throw error
    }
    const seen = this.informer.get(key)
    if (seen?.metadata.uid === uid && seen?.metadata.deletionTimestamp === undefined && uid !== undefined) {
      this.vanishing.set(uid, uid)
    }
  }

  /** Resolves when the copy shows every write of ours; after a bound in any case. */
  async caughtUp(): Promise<void> {
    if (this.isCaughtUp()) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, CATCH_UP_MS_MAX)
      this.waiters.add(done)
      const { waiters } = this
      function done(): void {
        clearTimeout(timer)
        waiters.delete(done)
        resolve()
      }
    })
    this.vanishing.clear()
  }

  stop(): void {
    this.informer.stop()
    for (const waiter of this.waiters) waiter()
  }

  private isCaughtUp(): boolean {
    return Number(this.informer.resourceVersion) >= this.written && this.vanishing.size === 0
  }

  private wrote(object: T): T {
    this.written = Math.max(this.written, Number(object.metadata.resourceVersion ?? 0))
    return object
  }

  private saw(change: InformerChange<T>): void {
    for (const index of this.indexes) index.saw(change)
    const { uid, deletionTimestamp } = change.object.metadata
    if (change.type === 'DELETED' || deletionTimestamp !== undefined) this.vanishing.delete(uid ?? '')
    if (this.waiters.size > 0 && this.isCaughtUp()) for (const waiter of this.waiters) waiter()
  }
}

class Index<T extends KubeObject> {
  private readonly valuesOf: (object: T) => readonly string[]
  private readonly byValue = new Map<string, Map<string, T>>()

  constructor(valuesOf: (object: T) => readonly string[]) {
    this.valuesOf = valuesOf
  }

  get(value: string): readonly T[] {
    return [...(this.byValue.get(value)?.values() ?? [])]
  }

  saw(change: InformerChange<T>): void {
    if (change.previous !== undefined) this.remove(change.previous)
    if (change.type === 'DELETED') return
    const key = keyOf(change.object)
    for (const value of this.valuesOf(change.object)) {
      const group = this.byValue.get(value) ?? new Map<string, T>()
      group.set(key, change.object)
      this.byValue.set(value, group)
    }
  }

  private remove(object: T): void {
    for (const value of this.valuesOf(object)) {
      const group = this.byValue.get(value)
      group?.delete(keyOf(object))
      if (group?.size === 0) this.byValue.delete(value)
    }
  }
}

/** `namespace/name`: the key of the queues. */
export function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`
}

/** The reverse of `keyOf`. */
export function parseKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/** Somebody else deleted it, or put another in its place. */
export function isGone(error: unknown): boolean {
  return error instanceof StoreError && (error.reason === 'NotFound' || isUidConflict(error))
}

function isUidConflict(error: StoreError): boolean {
  return error.reason === 'Conflict' && /UID in the precondition|Precondition failed: UID/.test(error.message)
}

/** Somebody else wrote meanwhile: look again. */
export function isConflict(error: unknown): boolean {
  return error instanceof StoreError && error.reason === 'Conflict'
}
