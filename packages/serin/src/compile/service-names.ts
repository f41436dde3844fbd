/** The Services there are, for a Mapping that names another one: which one was meant. Bounded, for all of them may be gone at once. */
import { suggest } from '../resources/suggest.ts'

/** With more names in a namespace, or after so many suggestions, there are none: each compares all names. */
const NAMES_MAX = 2000
const SUGGESTIONS_MAX = 50

export class ServiceNames {
  /** Names by namespace. */
  #names = new Map<string, string[]>()
  #keys: readonly string[] = []
  #suggestions = new Map<string, string | undefined>()

  /** `keys`: `namespace/name` of each Service. What was suggested stays while they are the same. */
  refresh(keys: readonly string[]): void {
    if (keys.length === this.#keys.length && keys.every((key, index) => key === this.#keys[index])) return
    this.#keys = keys
    this.#names = new Map()
    this.#suggestions = new Map()
    for (const key of keys) {
      const [namespace, name] = key.split('/') as [string, string]
      const names = this.#names.get(namespace)
      if (names === undefined) this.#names.set(namespace, [name])
      else names.push(name)
    }
  }

  hasNamespace(namespace: string): boolean {
    return this.#names.has(namespace)
  }

  /** The Service nearest to the wanted `namespace/name`, in its namespace. */
  nearest(key: string): string | undefined {
    if (this.#suggestions.has(key)) return this.#suggestions.get(key)
    const [namespace, name] = key.split('/') as [string, string]
    const names = this.#names.get(namespace) ?? []
    if (names.length > NAMES_MAX || this.#suggestions.size >= SUGGESTIONS_MAX) return undefined
    const nearest = suggest(name, names)
    this.#suggestions.set(key, nearest)
    return nearest
  }
}
