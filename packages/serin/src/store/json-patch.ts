/** JSON Patch (RFC 6902) with the messages of Kubernetes' API server. Pure. */
import { isDeepStrictEqual } from 'node:util'
import { StoreError } from './store.ts'

/** As in Kubernetes. */
const OPERATIONS_MAX = 10_000

interface Operation {
  readonly op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test'
  readonly path: string
  readonly from?: string
  readonly value?: unknown
}

/** Throws StoreError `BadRequest` (not a patch), `Invalid` (does not apply). */
export function applyJsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch))
    throw new StoreError(
      'BadRequest',
      'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    )
  if (patch.length > OPERATIONS_MAX) {
    throw new StoreError(
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${OPERATIONS_MAX}, got ${patch.length}`,
    )
  }
  const root = { document: structuredClone(target) }
  for (const operation of patch as readonly Operation[]) apply(root, operation)
  return root.document
}

function apply(root: { document: unknown }, operation: Operation): void {
  const { op, path, from, value } = operation
  switch (op) {
    case 'add':
      return put(root, path, value, 'add')
    case 'replace':
      read(root, path, 'replace')
      return put(root, path, value, 'replace')
    case 'remove':
      return remove(root, path)
    case 'move': {
      const moved = read(root, from ?? '', 'move')
      remove(root, from ?? '')
      return put(root, path, moved, 'move')
    }
    case 'copy':
      return put(root, path, structuredClone(read(root, from ?? '', 'copy')), 'copy')
    case 'test':
      if (!isDeepStrictEqual(read(root, path, 'test', true), value ?? null)) {
        throw invalid(`testing value ${path} failed`)
      }
      return undefined
    default:
      throw invalid(`Unexpected kind: ${String(op)}`)
  }
}

function pointer(path: string): string[] {
  return path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

type Container = Record<string, unknown> | unknown[]

/** The container that the last part of a path names something in. */
function parent(root: { document: unknown }, path: string, op: string): Container {
  let value = root.document
  for (const part of pointer(path).slice(0, -1)) value = child(value, part)
  if (typeof value !== 'object' || value === null) {
    throw invalid(`${op} operation does not apply: doc is missing path: ${JSON.stringify(path)}: missing value`)
  }
  return value as Container
}

function child(value: unknown, part: string): unknown {
  if (Array.isArray(value)) return value[Number(part)] as unknown
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, part)) {
    return (value as Readonly<Record<string, unknown>>)[part]
  }
  return undefined
}

function read(root: { document: unknown }, path: string, op: string, missingIsNull = false): unknown {
  if (path === '') return root.document
  const container = parent(root, path, op)
  const found = child(container, pointer(path).at(-1) ?? '')
  if (found !== undefined) return found
  if (missingIsNull) return null
  throw invalid(`${op} operation does not apply: doc is missing key: ${path}: missing value`)
}

function put(root: { document: unknown }, path: string, value: unknown, op: string): void {
  const given = value === undefined ? null : value
  if (path === '') {
    root.document = given
    return
  }
  const container = parent(root, path, op)
  const last = pointer(path).at(-1) ?? ''
  if (!Array.isArray(container)) {
    // Not an assignment: `__proto__` is a key like any other.
    Object.defineProperty(container, last, { value: given, enumerable: true, configurable: true, writable: true })
    return
  }
  if (op === 'replace') container[index(container, last, container.length - 1)] = given
  else container.splice(last === '-' ? container.length : index(container, last, container.length), 0, given)
}

function remove(root: { document: unknown }, path: string): void {
  const container = parent(root, path, 'remove')
  const last = pointer(path).at(-1) ?? ''
  if (Array.isArray(container)) container.splice(index(container, last, container.length - 1), 1)
  else if (Object.hasOwn(container, last)) delete container[last]
  else throw invalid(`remove operation does not apply: doc is missing key: ${path}: missing value`)
}

function index(list: readonly unknown[], text: string, max: number): number {
  const found = /^-?\d+$/.test(text) ? Number(text) : NaN
  const at = found < 0 ? found + list.length : found
  if (Number.isNaN(at) || at < 0 || at > max) {
    throw invalid(`index out of range: Unable to access invalid index: ${text}: invalid index referenced`)
  }
  return at
}

/** Kubernetes keeps the reason to itself; it stands in the cause. */
function invalid(message: string): StoreError {
  return new StoreError('Invalid', 'the server rejected our request due to an error in our request', {
    details: {},
    cause: new Error(message),
  })
}
