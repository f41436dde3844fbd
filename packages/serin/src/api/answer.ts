/** Answers before they are sent: objects, lists and tables as the client wants them. Pure. */
import { apiVersionOf, type Kind } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { tableOf, type Table } from '../resources/kubernetes/tables.ts'
import type { List } from '../store/store.ts'
import { isCustom } from '../resources/kubernetes/custom.ts'
import type { Representation } from './negotiate.ts'

export type IncludeObject = 'None' | 'Metadata' | 'Object'

/** `kind` and `apiVersion` first, as Kubernetes writes them. */
function ordered(object: KubeObject): KubeObject {
  const { apiVersion, kind, metadata, ...rest } = object
  return { kind, apiVersion, metadata, ...rest } as KubeObject
}

/** One object in the representation asked for. */
export function presentObject(kind: Kind, object: KubeObject, wanted: Representation, include: IncludeObject): unknown {
  switch (wanted.as) {
    case 'Table':
      return presentTable(kind, [object], { resourceVersion: object.metadata.resourceVersion ?? '' }, wanted, include)
    case 'PartialObjectMetadata':
      return partial(object, wanted.version)
    case 'PartialObjectMetadataList':
    case 'APIGroupDiscoveryList':
    case undefined:
    default:
      return ordered(object)
  }
}

export function presentList(
  kind: Kind,
  version: string,
  list: List<KubeObject>,
  wanted: Representation,
  include: IncludeObject,
): unknown {
  const metadata = {
    resourceVersion: list.resourceVersion,
    ...(list.continue === undefined ? {} : { continue: list.continue }),
    ...(list.remainingItemCount === undefined ? {} : { remainingItemCount: list.remainingItemCount }),
  }
  if (wanted.as === 'Table') return presentTable(kind, list.items, metadata, wanted, include)
  if (wanted.as === 'PartialObjectMetadataList') {
    return {
      kind: 'PartialObjectMetadataList',
      apiVersion: `meta.k8s.io/${wanted.version}`,
      metadata,
      items: list.items.map((object) => partial(object, wanted.version)),
    }
  }
  return {
    kind: `${kind.kind}List`,
    apiVersion: apiVersionOf({ ...kind, version }),
    metadata,
    items: isCustom(kind) ? list.items : list.items.map(withoutType),
  }
}

/** Items of built-in kinds do not repeat what the list's kind says. */
function withoutType(object: KubeObject): Omit<KubeObject, 'apiVersion' | 'kind'> {
  const rest: Partial<KubeObject> & Pick<KubeObject, 'metadata'> = { ...object }
  delete rest.apiVersion
  delete rest.kind
  return rest
}

function partial(object: KubeObject, version: string | undefined): unknown {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version ?? 'v1'}`, metadata: object.metadata }
}

function presentTable(
  kind: Kind,
  objects: readonly KubeObject[],
  metadata: Readonly<Record<string, unknown>>,
  wanted: Representation,
  include: IncludeObject,
): unknown {
  const table = tableOf(kind)
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${wanted.version}`,
    metadata,
    columnDefinitions: table.columns,
    rows: rowsOf(table, objects, wanted, include),
  }
}

function rowsOf(
  table: Table,
  objects: readonly KubeObject[],
  wanted: Representation,
  include: IncludeObject,
): unknown[] {
  const now = Date.now()
  return objects.map((object) => ({
    cells: table.cells(object, now),
    ...(include === 'None' ? {} : { object: include === 'Object' ? ordered(object) : partial(object, wanted.version) }),
  }))
}

const encoded = new WeakMap<KubeObject, string>()

/** JSON of a stored object, made once for all watchers. */
function encodedObject(object: KubeObject): string {
  let text = encoded.get(object)
  if (text === undefined) {
    text = JSON.stringify(ordered(object))
    encoded.set(object, text)
  }
  return text
}

/** The line of a watch event; a Table carries its columns only the first time. */
export function presentEvent(
  kind: Kind,
  event: { readonly type: string; readonly object: KubeObject },
  wanted: Representation,
  include: IncludeObject,
  isFirst: boolean,
): string {
  if (wanted.as === undefined && wanted.format === 'json') {
    return `{"type":"${event.type}","object":${encodedObject(event.object)}}\n`
  }
  const shown = presentObject(kind, event.object, wanted, include) as Record<string, unknown>
  const object = wanted.as === 'Table' && !isFirst ? { ...shown, columnDefinitions: [] } : shown
  return `${JSON.stringify({ type: event.type, object })}\n`
}
