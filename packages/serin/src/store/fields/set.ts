/**
 * Sets of paths in an object, as `metadata.managedFields` keeps them (`FieldsV1`). A path element is `f:NAME` (a field),
 * `k:{"name":"c"}` (the entry of a list with these keys), `v:"x"` (a value of a set) or `i:0` (a place).
 */

export interface FieldSet {
  /** The path that leads here is in the set. */
  isMember: boolean
  readonly children: Map<string, FieldSet>
}

export type FieldPath = readonly string[]

/** Deeper sets are cut: no kind has them. */
const DEPTH_MAX = 60

export function emptySet(): FieldSet {
  return { isMember: false, children: new Map() }
}

export function isEmpty({ isMember, children }: FieldSet): boolean {
  return !isMember && children.size === 0
}

export function insert(set: FieldSet, path: FieldPath): void {
  let node = set
  for (const element of path) {
    let child = node.children.get(element)
    if (child === undefined) node.children.set(element, (child = emptySet()))
    node = child
  }
  node.isMember = true
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  const result: FieldSet = { isMember: a.isMember || b.isMember, children: new Map() }
  for (const element of new Set([...a.children.keys(), ...b.children.keys()])) {
    const left = a.children.get(element)
    const right = b.children.get(element)
    const child = left === undefined ? right : right === undefined ? left : union(left, right)
    if (child !== undefined) result.children.set(element, child)
  }
  return result
}

export function difference(a: FieldSet, b: FieldSet): FieldSet {
  const result: FieldSet = { isMember: a.isMember && !b.isMember, children: new Map() }
  for (const [element, left] of a.children) {
    const right = b.children.get(element)
    const child = right === undefined ? left : difference(left, right)
    if (!isEmpty(child)) result.children.set(element, child)
  }
  return result
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const result: FieldSet = { isMember: a.isMember && b.isMember, children: new Map() }
  for (const [element, left] of a.children) {
    const right = b.children.get(element)
    if (right === undefined) continue
    const child = intersection(left, right)
    if (!isEmpty(child)) result.children.set(element, child)
  }
  return result
}

/** All members, parents before children, siblings in order. */
export function* paths(set: FieldSet, prefix: FieldPath = []): Generator<FieldPath> {
  if (set.isMember) yield prefix
  for (const element of [...set.children.keys()].sort()) {
    const child = set.children.get(element)
    if (child !== undefined) yield* paths(child, [...prefix, element])
  }
}

/** `FieldsV1`. A member without children is `{}`, one with children has `.` among them. */
export function toFieldsV1(set: FieldSet): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  if (set.isMember && set.children.size > 0) result['.'] = {}
  for (const element of [...set.children.keys()].sort()) {
    const child = set.children.get(element)
    if (child !== undefined) result[element] = toFieldsV1(child)
  }
  return result
}

export function fromFieldsV1(fields: unknown, depth = 0): FieldSet {
  const set = emptySet()
  if (typeof fields !== 'object' || fields === null || depth > DEPTH_MAX) return set
  const entries = Object.entries(fields)
  set.isMember = depth > 0 && entries.length === 0
  for (const [element, child] of entries) {
    if (element === '.') set.isMember = true
    else set.children.set(element, fromFieldsV1(child, depth + 1))
  }
  return set
}

/** As messages show a path: `.spec.containers[name="c"].image`. */
export function pathText(path: FieldPath): string {
  return path
    .map((element) => {
      const rest = element.slice(2)
      if (element.startsWith('f:')) return `.${rest}`
      if (element.startsWith('k:')) return keysText(JSON.parse(rest) as Record<string, unknown>)
      return element.startsWith('v:') ? `[=${rest}]` : `[${rest}]`
    })
    .join('')
}

export function keysText(keys: Readonly<Record<string, unknown>>): string {
  return `[${Object.entries(keys)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join(',')}]`
}
