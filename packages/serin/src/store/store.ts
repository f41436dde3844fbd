import type { KubeObject } from '../resources/object.ts'
import type { Kind } from '../resources/kinds.ts'

/**
 * The narrow waist: resources that are listed, watched and written. Two makers, one contract suite:
 * `embedded.ts` (the database of this process) and `remote.ts` (any Kubernetes API over HTTPS).
 * The registry's rules hold in both: uid, creationTimestamp, generation, deletionTimestamp with finalizers and grace,
 * `status` written only through its subresource, conflicts by resourceVersion.
 */
export interface Store {
  get<T extends KubeObject>(kind: Kind, key: ObjectKey): Promise<T | undefined>
  list<T extends KubeObject>(kind: Kind, options?: ListOptions): Promise<List<T>>
  watch<T extends KubeObject>(kind: Kind, options: WatchOptions): AsyncIterable<WatchEvent<T>>
  /** Throws StoreError `AlreadyExists`. */
  create<T extends KubeObject>(kind: Kind, object: T, options?: WriteOptions): Promise<T>
  /** With `metadata.resourceVersion` set: throws StoreError `Conflict` unless it is the stored one. Throws `NotFound`. */
  update<T extends KubeObject>(kind: Kind, object: T, options?: WriteOptions): Promise<T>
  patch<T extends KubeObject>(kind: Kind, key: ObjectKey, patch: Patch, options?: WriteOptions): Promise<T>
  /** Returns the object as it was when deleted, or with its deletionTimestamp when something holds it. Throws `NotFound`. */
  delete<T extends KubeObject>(kind: Kind, key: ObjectKey, options?: DeleteOptions): Promise<T>
}

/** `namespace` is absent for kinds without one. */
export interface ObjectKey {
  readonly namespace?: string
  readonly name: string
}

export interface ListOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly limit?: number
  readonly continue?: string
  /** Not older than this, or with `resourceVersionMatch` `Exact`, the state at this one. Absent or `0`: the newest. */
  readonly resourceVersion?: string
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan'
}

export interface List<T> {
  readonly items: readonly T[]
  /** Where a watch has to start to miss nothing. */
  readonly resourceVersion: string
  readonly continue?: string
  readonly remainingItemCount?: number
}

export interface WatchOptions {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Events after this version. Throws StoreError `Expired` (410) when the history no longer reaches back to it. */
  readonly resourceVersion: string
  /** Ends the watch. */
  readonly signal?: AbortSignal
  /** Asks for BOOKMARK events. */
  readonly bookmarks?: boolean
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string }

export interface WriteOptions {
  readonly subresource?: 'status' | 'scale'
  /** Who writes, for `metadata.managedFields`. */
  readonly fieldManager?: string
  readonly dryRun?: boolean
  /** What to do about fields that the kind does not have: drop them (`Ignore`, the default), tell (`Warn`), refuse (`Strict`). */
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict'
  /** Is told of warnings, as a Kubernetes API sends them in `Warning` headers. */
  readonly onWarning?: (text: string) => void
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number
  readonly propagation?: 'Foreground' | 'Background' | 'Orphan'
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
  readonly dryRun?: boolean
}

export type Patch =
  /** `duplicates`: paths that the text of the body named twice, for `fieldValidation`. */
  | { readonly type: 'merge'; readonly body: unknown; readonly duplicates?: readonly string[] }
  | { readonly type: 'json'; readonly body: unknown }
  | { readonly type: 'strategic'; readonly body: unknown }
  | { readonly type: 'apply'; readonly body: unknown; readonly force?: boolean }

/** The `reason`s of a Kubernetes Status that a store can answer with. */
export type StoreErrorReason =
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Expired'
  | 'Invalid'
  | 'BadRequest'
  | 'Forbidden'
  | 'Unauthorized'
  | 'InsufficientStorage'
  | 'MethodNotAllowed'
  | 'UnsupportedMediaType'
  | 'RequestEntityTooLarge'
  | 'TooManyRequests'
  | 'Timeout'
  | 'ServiceUnavailable'
  | 'NotAcceptable'
  | 'InternalError'
  /** An error of code 500 without a reason, as Kubernetes sends them for what it did not foresee. */
  | 'Unknown'

/** An error of a store, ready to be sent as a Kubernetes Status. */
export class StoreError extends Error {
  readonly reason: StoreErrorReason
  /** `details` of the Status: name, group, kind, causes. */
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(
    reason: StoreErrorReason,
    message: string,
    options: { details?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'StoreError'
    this.reason = reason
    this.details = options.details
  }
}
