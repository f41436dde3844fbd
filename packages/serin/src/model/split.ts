import type { Destination } from './destination.ts'

/** Shares are whole numbers of this many parts, so 0.01 % is the smallest share there is. */
export const SHARE_WHOLE = 10_000

/** Where a client's key for a sticky split comes from. */
export type SplitKey =
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string }
  | { readonly kind: 'client-address' }

/** How a version is picked. `random` is low-discrepancy: 10 % of 1,000 requests is 100, not 100 ± 30. */
export type SplitBy =
  | { readonly kind: 'random' }
  /** hash(salt, key) in 10,000 buckets; a client is on a canary when its bucket < the cumulative share. A request without the key is split at random. */
  | { readonly kind: 'sticky'; readonly key: SplitKey; readonly salt: string }

/**
 * The versions of one Route and their shares. Weighted destinations come first, in the order of their cumulative shares,
 * the weightless ones after them: so a canary always owns the buckets from 0 on and its set of clients only grows with its weight.
 */
export interface Split {
  readonly by: SplitBy
  /** Shares add up to at most SHARE_WHOLE; what is missing falls through to the next Route that matches (as Emissary, see reference/emissary §2.3). */
  readonly destinations: readonly Destination[]
  /** A request header whose value names a version or mapping and reaches it even at share 0. Absent: off. */
  readonly overrideHeader?: string
  /** Adds `serin-version` and `serin-mapping` to responses. */
  readonly tellVersion?: boolean
  /** Adds `Cache-Control: private` to responses, where the split could poison a shared cache. */
  readonly privateCache?: boolean
}
