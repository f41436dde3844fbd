/**
 * Consistent hashing: the same key finds the same endpoint while that one is there, and few keys move when another comes or goes.
 * `ring-hash` is a circle of points, `maglev` a table that each endpoint fills in its own order (Eisenbud et al., NSDI 2016).
 */
import type { EndpointState } from './endpoint.ts'
import { hash32 } from './hash.ts'

/** Points of one endpoint: the same for any number of endpoints, so that only the keys of one that goes are moved. */
const POINTS_EACH = 256
/** A prime; Envoy's default size. */
const MAGLEV_SIZE = 65_537

export class HashBalancer {
  private readonly kind: 'ring-hash' | 'maglev'
  private of: readonly EndpointState[] | null = null
  private find: (hash: number) => number = () => 0

  constructor(kind: 'ring-hash' | 'maglev') {
    this.kind = kind
  }

  pick(endpoints: readonly EndpointState[], hash: number): EndpointState {
    if (hash < 0) return randomOne(endpoints)
    if (this.of !== endpoints) {
      this.of = endpoints
      const ids = endpoints.map(({ endpoint }) => endpoint.id)
      this.find = this.kind === 'maglev' ? maglevTable(ids) : hashRing(ids)
    }
    return endpoints[this.find(hash)]!
  }
}

export function randomOne(endpoints: readonly EndpointState[]): EndpointState {
  return endpoints[Math.floor(Math.random() * endpoints.length)]!
}

/** From a hash to the index of an id. Pure. */
export function hashRing(ids: readonly string[]): (hash: number) => number {
  const points: { readonly at: number; readonly index: number }[] = []
  for (const [index, id] of ids.entries()) {
    for (let point = 0; point < POINTS_EACH; point++) points.push({ at: hash32(`${id}_${point}`), index })
  }
  points.sort((left, right) => left.at - right.at || left.index - right.index)
  const at = Uint32Array.from(points, (point) => point.at)
  const owner = Uint32Array.from(points, (point) => point.index)
  return (hash) => {
    let low = 0
    let high = at.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (at[middle]! < hash) low = middle + 1
      else high = middle
    }
    return owner[low === at.length ? 0 : low]!
  }
}

/** From a hash to the index of an id. Pure. */
export function maglevTable(ids: readonly string[]): (hash: number) => number {
  const table = new Int32Array(MAGLEV_SIZE).fill(-1)
  // By id, so that the table does not depend on the order in which endpoints were told.
  const order = [...ids.keys()].sort((left, right) => (ids[left]! < ids[right]! ? -1 : 1))
  const offsets = order.map((index) => hash32(`${ids[index]!} offset`) % MAGLEV_SIZE)
  const skips = order.map((index) => (hash32(`${ids[index]!} skip`) % (MAGLEV_SIZE - 1)) + 1)
  for (let filled = 0, turn = 0; filled < MAGLEV_SIZE; filled++, turn = (turn + 1) % order.length) {
    let slot = offsets[turn]!
    while (table[slot]! >= 0) slot = (slot + skips[turn]!) % MAGLEV_SIZE
    table[slot] = order[turn]!
    offsets[turn] = (slot + skips[turn]!) % MAGLEV_SIZE
  }
  return (hash) => table[hash % MAGLEV_SIZE]!
}
