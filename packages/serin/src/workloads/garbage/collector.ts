import type { Kind } from '../../resources/kinds.ts'
import { findKind } from '../../resources/kinds.ts'
import type { KubeObject, OwnerReference } from '../../resources/object.ts'
import { parseKey, type Cache } from '../cache.ts'
import { WorkQueue } from '../queue.ts'
import { isOrdinary, messageOf, type Controller, type Room } from '../room.ts'

/**
 * The garbage collector: what is owned goes when its owners are gone; `--cascade=foreground` keeps the owner until then,
 * `--cascade=orphan` cuts the ties. Source: Kubernetes, "Garbage collection" and "Finalizers".
 */

const FOREGROUND = 'foregroundDeletion'
const ORPHAN = 'orphan'

interface Known {
  readonly kind: Kind
  readonly object: KubeObject
}

/** Who is there, and who owns whom, by uid. */
interface Graph {
  readonly objects: Map<string, Known>
  readonly dependents: Map<string, Set<string>>
}

export function startGarbageCollector(room: Room): Controller {
  const graph: Graph = { objects: new Map(), dependents: new Map() }
  const queue = new WorkQueue({
    sync: (key) => collect(room, graph, parseKey(key).name),
    onError: (key, error) => {
      const uid = parseKey(key).name
      const name = graph.objects.get(uid)?.object.metadata.name ?? uid
      if (!isOrdinary(error)) room.log('warn', `garbage collection of ${name}: ${messageOf(error)}`)
    },
  })
  let ready = false
  for (const [kind, cache] of room.all)
    follow(graph, kind, cache, (uid) => (ready ? queue.add(keyIn(graph, uid)) : undefined))
  void room.synced.then(() => {
    // Before every kind was listed an owner may only seem to be absent.
    ready = true
    for (const uid of graph.objects.keys()) queue.add(keyIn(graph, uid))
  })
  return { stop: () => queue.stop(), isIdleIn: (namespace) => queue.isIdleIn(namespace) }
}

/** `namespace/uid`. */
function keyIn(graph: Graph, uid: string): string {
  return `${graph.objects.get(uid)?.object.metadata.namespace ?? ''}/${uid}`
}

function follow(graph: Graph, kind: Kind, cache: Cache<KubeObject>, look: (uid: string) => void): void {
  cache.onChange(({ type, object, previous }) => {
    const uid = object.metadata.uid ?? ''
    if (previous !== undefined) forget(graph, previous)
    if (type !== 'DELETED') remember(graph, kind, object)
    for (const dependent of type === 'DELETED' ? (graph.dependents.get(uid) ?? []) : []) look(dependent)
    for (const owner of object.metadata.ownerReferences ?? []) if (isWaiting(graph, owner.uid)) look(owner.uid)
    if (type !== 'DELETED' && (object.metadata.ownerReferences !== undefined || isGoing(object))) look(uid)
  })
}

function remember(graph: Graph, kind: Kind, object: KubeObject): void {
  const uid = object.metadata.uid ?? ''
  graph.objects.set(uid, { kind, object })
  for (const owner of object.metadata.ownerReferences ?? []) {
    const group = graph.dependents.get(owner.uid) ?? new Set<string>()
    graph.dependents.set(owner.uid, group.add(uid))
  }
}

function forget(graph: Graph, object: KubeObject): void {
  const uid = object.metadata.uid ?? ''
  graph.objects.delete(uid)
  for (const owner of object.metadata.ownerReferences ?? []) {
    const group = graph.dependents.get(owner.uid)
    group?.delete(uid)
    if (group?.size === 0) graph.dependents.delete(owner.uid)
  }
}

const isGoing = (object: KubeObject): boolean => object.metadata.deletionTimestamp !== undefined

function isWaiting(graph: Graph, uid: string): boolean {
  const object = graph.objects.get(uid)?.object
  return object !== undefined && isGoing(object) && (object.metadata.finalizers?.includes(FOREGROUND) ?? false)
}

async function collect(room: Room, graph: Graph, uid: string): Promise<undefined> {
  const known = graph.objects.get(uid)
  if (known === undefined) return
  if (isGoing(known.object)) await finalize(room, graph, known)
  else await judge(room, graph, known)
}

/** An object that is being deleted and waits for the garbage collector. */
async function finalize(room: Room, graph: Graph, known: Known): Promise<void> {
  const finalizers = known.object.metadata.finalizers ?? []
  const dependents = [...(graph.dependents.get(known.object.metadata.uid ?? '') ?? [])].flatMap(
    (uid) => graph.objects.get(uid) ?? [],
  )
  if (finalizers.includes(ORPHAN)) {
    await Promise.all(dependents.map((dependent) => cutTie(room, dependent, [known.object.metadata.uid ?? ''])))
    return removeFinalizer(room, known, ORPHAN)
  }
  if (!finalizers.includes(FOREGROUND)) return
  const blocking = dependents.filter((dependent) => blocks(dependent.object, known.object))
  if (blocking.length === 0) return removeFinalizer(room, known, FOREGROUND)
  await Promise.all(
    blocking.filter((dependent) => !isGoing(dependent.object)).map((dependent) => judge(room, graph, dependent)),
  )
}

function blocks(dependent: KubeObject, owner: KubeObject): boolean {
  const reference = dependent.metadata.ownerReferences?.find((entry) => entry.uid === owner.metadata.uid)
  return reference?.blockOwnerDeletion === true
}

/** Deletes an object whose owners are all gone or going; one that still has an owner only loses the ties to the gone. */
async function judge(room: Room, graph: Graph, known: Known): Promise<void> {
  const owners = known.object.metadata.ownerReferences ?? []
  if (owners.length === 0) return
  const gone: OwnerReference[] = []
  for (const owner of owners) if (await isAbsent(room, graph, known.object, owner)) gone.push(owner)
  const there = owners.filter((owner) => !gone.includes(owner))
  const waiting = there.filter((owner) => isWaiting(graph, owner.uid))
  if (there.length > waiting.length) {
    const ties = [...gone, ...waiting].map((owner) => owner.uid)
    return ties.length === 0 ? undefined : cutTie(room, known, ties)
  }
  const hasDependents = (graph.dependents.get(known.object.metadata.uid ?? '')?.size ?? 0) > 0
  const propagation = waiting.length > 0 && hasDependents ? 'Foreground' : 'Background'
  await room.all.get(known.kind)?.delete(known.object, { propagation })
}

/** Asks the store when the copies do not know an owner: an owner of a kind unknown to serin counts as there. */
async function isAbsent(room: Room, graph: Graph, object: KubeObject, owner: OwnerReference): Promise<boolean> {
  if (graph.objects.has(owner.uid)) return false
  const kind = findKind(owner.apiVersion, owner.kind)
  if (kind === undefined) return false
  const { namespace } = object.metadata
  const key = kind.namespaced && namespace !== undefined ? { namespace, name: owner.name } : { name: owner.name }
  const found = await room.store.get(kind, key)
  return found?.metadata.uid !== owner.uid
}

async function cutTie(room: Room, { kind, object }: Known, uids: readonly string[]): Promise<void> {
  const ownerReferences = (object.metadata.ownerReferences ?? []).filter((owner) => !uids.includes(owner.uid))
  await room.all.get(kind)?.update({ ...object, metadata: { ...object.metadata, ownerReferences } })
}

async function removeFinalizer(room: Room, { kind, object }: Known, finalizer: string): Promise<void> {
  const finalizers = (object.metadata.finalizers ?? []).filter((entry) => entry !== finalizer)
  await room.all.get(kind)?.update({ ...object, metadata: { ...object.metadata, finalizers } })
}
