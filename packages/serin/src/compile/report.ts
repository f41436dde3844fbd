/** Collects diagnostics about one resource. */
import type { Origin } from '../model/origin.ts'
import type { Diagnostic, Severity } from '../resources/diagnostic.ts'
import type { KubeObject } from '../resources/object.ts'
import type { Path } from '../resources/schema.ts'

export interface Details {
  readonly path?: Path
  readonly expected?: string | undefined
  readonly suggestion?: string | undefined
  readonly notes?: readonly string[]
}

export class Report {
  readonly diagnostics: Diagnostic[] = []
  readonly origin: Origin

  constructor(origin: Origin) {
    this.origin = origin
  }

  error(code: string, message: string, details: Details = {}): void {
    this.#add('error', code, message, details)
  }

  warning(code: string, message: string, details: Details = {}): void {
    this.#add('warning', code, message, details)
  }

  note(code: string, message: string, details: Details = {}): void {
    this.#add('note', code, message, details)
  }

  get failed(): boolean {
    return this.diagnostics.some((diagnostic) => diagnostic.severity === 'error')
  }

  #add(severity: Severity, code: string, message: string, details: Details): void {
    const { path, expected, suggestion, notes } = details
    this.diagnostics.push({
      code,
      severity,
      message,
      origin: this.origin,
      ...(path !== undefined && { path }),
      ...(expected !== undefined && { expected }),
      ...(suggestion !== undefined && { suggestion }),
      ...(notes !== undefined && { notes }),
    })
  }
}

const DEFAULT_NAMESPACE = 'default'

/** Where a resource came from, as far as the resource itself says it. Pure. */
export function originOf(object: KubeObject): Origin {
  return { kind: object.kind, namespace: namespaceOf(object), name: object.metadata.name }
}

export function namespaceOf(object: KubeObject): string {
  return object.metadata.namespace ?? DEFAULT_NAMESPACE
}

const keys = new WeakMap<KubeObject, string>()

/** `namespace/name`. Objects are frozen, so that the key can be remembered. */
export function keyOf(object: KubeObject): string {
  let key = keys.get(object)
  if (key === undefined) keys.set(object, (key = `${namespaceOf(object)}/${object.metadata.name}`))
  return key
}

/** Emissary goes through resources in the order of this key. */
export function sortKeyOf(object: KubeObject): string {
  return `${object.metadata.name}.${namespaceOf(object)}`
}

/** Sorts by `sortKeyOf`, code unit by code unit; a new array. */
export function byName<T extends KubeObject>(objects: readonly T[]): T[] {
  return objects.toSorted((left, right) => compareText(sortKeyOf(left), sortKeyOf(right)))
}

/** `toSorted`'s comparator for texts, without regard to the locale. */
export function compareText(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}
