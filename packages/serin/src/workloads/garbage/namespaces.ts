import { Event, KINDS } from '../../resources/kinds.ts'
import type { EventObject } from '../../resources/kubernetes/types.ts'
import { EVENT_AGE_MS_MAX, EVENT_SWEEP_MS, NAMESPACE_RECHECK_MS } from '../limits.ts'
import { WorkQueue } from '../queue.ts'
import { isOrdinary, messageOf, type Controller, type Room } from '../room.ts'

/** Empties namespaces that are being deleted, then lets them go; and takes away Events that are old. */
export function startNamespaceController(room: Room): Controller {
  const queue = new WorkQueue({
    sync: (name) => syncNamespace(room, name),
    onError: (name, error) => {
      if (!isOrdinary(error)) room.log('warn', `namespace ${name}: ${messageOf(error)}`)
    },
  })
  room.namespaces.onChange(({ object }) => {
    if (object.metadata.deletionTimestamp !== undefined) queue.add(object.metadata.name)
  })
  const sweep = setInterval(() => void sweepEvents(room), EVENT_SWEEP_MS)
  sweep.unref()
  return {
    isIdleIn: () => queue.isIdle,
    stop: () => {
      clearInterval(sweep)
      return queue.stop()
    },
  }
}

async function syncNamespace(room: Room, name: string): Promise<number | undefined> {
  const namespace = room.namespaces.get({ name })
  if (namespace?.metadata.deletionTimestamp === undefined) return undefined
  if (await empty(room, name)) return NAMESPACE_RECHECK_MS
  const finalizers = (namespace.spec?.finalizers ?? []).filter((finalizer) => finalizer !== 'kubernetes')
  await room.namespaces.update({ ...namespace, spec: { ...namespace.spec, finalizers } })
  return undefined
}

/** Deletes what is there; true when something was. */
async function empty(room: Room, namespace: string): Promise<boolean> {
  let found = false
  for (const kind of KINDS.filter((entry) => entry.namespaced)) {
    const { items } = await room.store.list(kind, { namespace })
    found ||= items.length > 0
    const present = items.filter((object) => object.metadata.deletionTimestamp === undefined)
    await Promise.all(
      present.map(async ({ metadata }) => {
        try {
          await room.store.delete(kind, { namespace, name: metadata.name }, { propagation: 'Background' })
        } catch (error) {
          if (!isOrdinary(error)) throw error
        }
      }),
    )
  }
  return found
}

async function sweepEvents(room: Room): Promise<void> {
  try {
    const { items } = await room.store.list<EventObject>(Event)
    const oldest = Date.now() - EVENT_AGE_MS_MAX
    for (const event of items) {
      const last = Date.parse(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '')
      const { namespace = '', name } = event.metadata
      if (last < oldest) await room.store.delete(Event, { namespace, name })
    }
  } catch (error) {
    if (!isOrdinary(error)) room.log('warn', `sweeping events: ${messageOf(error)}`)
  }
}
