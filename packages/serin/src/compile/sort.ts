/** All objects by kind: those that are ours, each name once. */
import type { Diagnostic } from '../resources/diagnostic.ts'
import { findKind, type Kind } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { keyOf, originOf, Report } from './report.ts'

export interface SortedObjects {
  readonly objects: ReadonlyMap<Kind, readonly KubeObject[]>
  readonly diagnostics: readonly Diagnostic[]
}

/** Of two objects of one kind, namespace and name the first counts, as in Emissary; from a store there are never two. Pure. */
export function sortObjects(all: readonly KubeObject[], ambassadorId: string): SortedObjects {
  const objects = new Map<Kind, KubeObject[]>()
  const seen = new Map<Kind, Set<string>>()
  const diagnostics: Diagnostic[] = []
  for (const object of all) {
    const kind = findKind(object.apiVersion, object.kind)
    // A store names everything; a file may not.
    const named = typeof object.metadata?.name === 'string'
    if (kind === undefined || !named || !isOurs(kind, object, ambassadorId)) continue
    let names = seen.get(kind)
    if (names === undefined) seen.set(kind, (names = new Set()))
    const key = keyOf(object)
    if (names.has(key)) {
      const report = new Report(originOf(object))
      report.error('duplicate', `a second ${kind.kind} "${object.metadata.name}"; the first one counts`, {
        path: ['metadata', 'name'],
      })
      diagnostics.push(...report.diagnostics)
      continue
    }
    names.add(key)
    const list = objects.get(kind)
    if (list === undefined) objects.set(kind, [object])
    else list.push(object)
  }
  return { objects, diagnostics }
}

/** `ambassador_id` names it, or `_automatic_`; without one it is for `default`; an empty list is for nobody. */
function isOurs(kind: Kind, object: KubeObject, ambassadorId: string): boolean {
  if (kind.group !== 'getambassador.io') return true
  const ids = (object.spec as { ambassador_id?: unknown } | undefined)?.ambassador_id ?? 'default'
  const list: unknown[] = Array.isArray(ids) ? ids : [ids]
  return list.includes(ambassadorId) || list.includes('_automatic_')
}
