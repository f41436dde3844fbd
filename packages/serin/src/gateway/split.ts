/**
 * Which version a request gets. `random` is low-discrepancy: every version is given its turn when it is furthest behind its
 * share, so that each count is off by less than one, per Route and worker. Workers begin at staggered points, so
 * their errors cancel: 10 % of 1,000 requests is 100 within ±3, however they spread over the workers.
 */
import { SHARE_WHOLE, type Split, type SplitKey } from '../model/split.ts'
import type { Head } from '../wire/head.ts'
import { nameHash } from '../wire/field-names.ts'
import { octetsOf } from '../wire/octets.ts'
import { hash32 } from './hash.ts'

/** Golden ratio: spreads the numbers within a version's interval (they matter to the Route a request falls through to). */
const GOLDEN = 0.618_033_988_749_895

/** Where this worker stands among all, for the staggered start. */
export interface WorkerPlace {
  readonly index: number
  readonly count: number
}

/** Numbers 0 … SHARE_WHOLE-1 for the requests of one Route, evenly spread over its shares. */
export class Turns {
  /** How far each share is behind, in parts of SHARE_WHOLE per request; the last is what is not assigned. */
  private readonly credits: Float64Array
  private readonly shares: Float64Array
  private sequence: number

  constructor(shares: readonly number[], place: WorkerPlace) {
    const rest = SHARE_WHOLE - shares.reduce((sum, share) => sum + share, 0)
    this.shares = Float64Array.from([...shares, Math.max(rest, 0)])
    this.credits = new Float64Array(this.shares.length)
    this.sequence = (place.index * GOLDEN) % 1
    this.stagger(place)
  }

  /** The next request's number: it lies in the interval of the version whose turn it is. */
  next(): number {
    const { credits, shares } = this
    let turn = 0
    for (let index = 0; index < shares.length; index++) {
      credits[index]! += shares[index]!
      if (credits[index]! > credits[turn]! || shares[turn] === 0) turn = index
    }
    credits[turn]! -= SHARE_WHOLE
    let low = 0
    for (let index = 0; index < turn; index++) low += shares[index]!
    this.sequence += GOLDEN
    if (this.sequence >= 1) this.sequence -= 1
    return low + Math.floor(this.sequence * shares[turn]!)
  }

  /** Worker i of n begins (i + ½)/n of a turn ahead with all but the largest share. */
  private stagger(place: WorkerPlace): void {
    const ahead = ((place.index % place.count) + 0.5) / place.count - 0.5
    const largest = this.shares.indexOf(Math.max(...this.shares))
    for (let index = 0; index < this.shares.length; index++) {
      if (index === largest || this.shares[index] === 0) continue
      this.credits[index]! += ahead * SHARE_WHOLE
      this.credits[largest]! -= ahead * SHARE_WHOLE
    }
  }
}

/** The bucket of a client: FNV-1a of salt and key, mixed so that near keys lie apart. Stable for ever: clients stay where they are. */
export function bucketOf(salt: string, key: string): number {
  return Math.floor((hash32(`${salt}\0${key}`) / 2 ** 32) * SHARE_WHOLE)
}

/** Finds the key of a sticky split in a request; null if it has none. */
export type KeyReader = (head: Head, clientAddress: string) => string | null

export function keyReader(key: SplitKey): KeyReader {
  if (key.kind === 'client-address') return (_head, clientAddress) => clientAddress
  const name = octetsOf(key.kind === 'header' ? key.name.toLowerCase() : 'cookie')
  const hash = nameHash(name)
  if (key.kind === 'header') return (head) => head.joined(name, hash)
  return (head) => cookieValue(head.joined(name, hash), key.name)
}

/** The value of a cookie in a Cookie field, or null. */
export function cookieValue(field: string | null, name: string): string | null {
  if (field === null) return null
  for (const pair of field.split(/[;,]/u)) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return null
}

/** A split with more than one outcome needs turns; one version with all of it does not. */
export function needsTurns(split: Split): boolean {
  return split.destinations.length !== 1 || split.destinations[0]!.share < SHARE_WHOLE
}
