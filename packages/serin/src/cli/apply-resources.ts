/**
 * Writes resources through the API and says what that changed: a three-way merge of what was applied last, what is there, and what the
 * file says now. What was applied stands in the annotation that kubectl uses, so `serin apply` and `kubectl apply` can take turns.
 */
import type { Kind } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { pathOf } from '../store/remote.ts'
import { type Client } from './client.ts'

const FIELD_MANAGER = 'serin'
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

export interface Resource {
  readonly kind: Kind
  readonly object: KubeObject
}

export interface Applied {
  readonly outcome: 'created' | 'configured' | 'unchanged'
  readonly object: KubeObject
}

export async function applyResource(
  client: Client,
  { kind, object }: Resource,
  options: { readonly namespace: string; readonly dryRun?: boolean },
): Promise<Applied> {
  const namespace = object.metadata.namespace ?? options.namespace
  const path = pathOf(kind, { namespace, name: object.metadata.name })
  const query = { fieldManager: FIELD_MANAGER, dryRun: options.dryRun === true ? 'All' : undefined }
  const wanted = withLastApplied(object, { namespace, kind })
  const before = await client.find<KubeObject>(path)
  if (before === undefined) {
    const collection = pathOf(kind, { namespace })
    return { outcome: 'created', object: await client.json(collection, { method: 'POST', body: wanted, query }) }
  }
  const after = await client.json<KubeObject>(path, {
    method: 'PATCH',
    contentType: 'application/merge-patch+json',
    body: threeWayMerge(lastAppliedOf(before), wanted),
    query,
  })
  const changed = before.metadata.resourceVersion !== after.metadata.resourceVersion
  return { outcome: changed ? 'configured' : 'unchanged', object: after }
}

function withLastApplied(
  object: KubeObject,
  { namespace, kind }: { readonly namespace: string; readonly kind: Kind },
): KubeObject {
  const { status: _, ...rest } = object
  const placed = kind.namespaced ? { ...object.metadata, namespace } : object.metadata
  const plain = { ...rest, metadata: { annotations: {}, ...placed } }
  const annotations = { ...object.metadata.annotations, [LAST_APPLIED]: `${JSON.stringify(sorted(plain))}\n` }
  return { ...rest, metadata: { ...placed, annotations } }
}

/** Keys in order, as kubectl writes them: the same text means nothing to change. Pure. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isMap(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  )
}

function lastAppliedOf(object: KubeObject): unknown {
  const text = object.metadata.annotations?.[LAST_APPLIED]
  if (text === undefined) return {}
  try {
    return JSON.parse(text)
  } catch {
    // Somebody else's: then nothing is known to have been removed.
    return {}
  }
}

/** A merge patch (RFC 7396): what is wanted, and null for what was applied before and is wanted no more. Pure. */
export function threeWayMerge(lastApplied: unknown, wanted: unknown): unknown {
  if (!isMap(wanted)) return wanted
  const before = isMap(lastApplied) ? lastApplied : {}
  const removed = Object.keys(before).filter((key) => !(key in wanted))
  return Object.fromEntries([
    ...Object.entries(wanted).map(([key, value]) => [key, threeWayMerge(before[key], value)]),
    ...removed.filter((key) => key !== 'status').map((key) => [key, null]),
  ])
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
