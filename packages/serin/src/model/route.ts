import type { RouteMatch } from './match.ts'
import type { Origin } from './origin.ts'
import type { Split } from './split.ts'

/** A group of Mappings with one match: what it takes and how it is split. */
export interface Route {
  /** Stable over compiles: the same group has the same id. */
  readonly id: string
  /** Names of the VirtualHosts that hold it. */
  readonly virtualHosts: readonly string[]
  /** Order of evaluation within a VirtualHost: Ambassador's key, compared by `compareRank`, largest first. */
  readonly rank: Rank
  readonly match: RouteMatch
  readonly split: Split
  readonly origin: Origin
}

export type Rank = readonly (number | string)[]

/** Compares as Python compares lists: by the first difference; a list that is a prefix of the other is smaller. Pure. */
export function compareRank(left: Rank, right: Rank): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const a = left[index]!
    const b = right[index]!
    if (a === b) continue
    return a < b ? -1 : 1
  }
  return left.length - right.length
}

/** Connections of one port (and SNI) and the clusters that share them. */
export interface TcpRoute {
  readonly id: string
  readonly port: number
  readonly address?: string
  /** Absent: any connection of the port. */
  readonly sni?: string
  readonly destinations: readonly TcpDestination[]
  readonly idleTimeoutMs?: number
  readonly origin: Origin
}

export interface TcpDestination {
  readonly mapping: string
  readonly version: string
  readonly share: number
  readonly cluster: string
}
