/** Sorting that costs little when little changed. */

/** Remembers the last order: items that were there with the same sort key stay in place, the others are sorted and merged in. */
export class OrderKeeper<T> {
  readonly #idOf: (item: T) => string
  readonly #sortKeyOf: (item: T) => unknown
  readonly #compare: (left: T, right: T) => number
  #ids: readonly string[] = []
  #sortKeys = new Map<string, unknown>()

  /** `sortKeyOf` gives the same value, by identity, as long as an item belongs in the same place. */
  constructor(idOf: (item: T) => string, sortKeyOf: (item: T) => unknown, compare: (left: T, right: T) => number) {
    this.#idOf = idOf
    this.#sortKeyOf = sortKeyOf
    this.#compare = compare
  }

  /** A new array in the order of `compare`. Ids are unique. */
  sort(items: readonly T[]): T[] {
    const byId = new Map<string, T>()
    const moved: T[] = []
    for (const item of items) {
      const id = this.#idOf(item)
      if (this.#sortKeys.get(id) === this.#sortKeyOf(item)) byId.set(id, item)
      else moved.push(item)
    }
    const kept: T[] = []
    for (const id of this.#ids) {
      const item = byId.get(id)
      if (item !== undefined) kept.push(item)
    }
    const sorted = merge(kept, moved.toSorted(this.#compare), this.#compare)
    if (moved.length > 0 || kept.length !== this.#ids.length) {
      this.#ids = sorted.map(this.#idOf)
      this.#sortKeys = new Map(sorted.map((item) => [this.#idOf(item), this.#sortKeyOf(item)]))
    }
    return sorted
  }
}

function merge<T>(left: readonly T[], right: readonly T[], compare: (left: T, right: T) => number): T[] {
  if (right.length === 0) return [...left]
  const result: T[] = []
  let index = 0
  for (const item of left) {
    while (index < right.length && compare(right[index]!, item) < 0) result.push(right[index++]!)
    result.push(item)
  }
  return [...result, ...right.slice(index)]
}
