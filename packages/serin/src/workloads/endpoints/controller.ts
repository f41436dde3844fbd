import { keyOf, parseKey } from '../cache.ts'
import { WorkQueue } from '../queue.ts'
import { isOrdinary, messageOf, SERVICE_NAME_LABEL, type Controller, type Room } from '../room.ts'
import { labelsMatch } from '../selector.ts'
import type { PodObject, ServiceObject } from '../../resources/kubernetes/types.ts'
import { decide, MANAGED_BY_LABEL, MANAGER } from './decide.ts'

/** The EndpointSlice controller: keeps the slices of every Service that has a selector. */
export function startEndpointController(room: Room): Controller {
  const queue = new WorkQueue({
    sync: (key) => syncService(room, key),
    onError: (key, error) => {
      if (!isOrdinary(error)) room.log('warn', `endpoints of ${key}: ${messageOf(error)}`)
    },
  })
  room.services.onChange(({ object }) => queue.add(keyOf(object)))
  room.slices.onChange(({ object }) => {
    const service = object.metadata.labels?.[SERVICE_NAME_LABEL]
    if (service !== undefined) queue.add(`${object.metadata.namespace ?? ''}/${service}`)
  })
  room.pods.onChange(({ object, previous }) => {
    for (const pod of previous === undefined ? [object] : [object, previous]) {
      for (const service of servicesOf(room, pod)) queue.add(keyOf(service))
    }
  })
  return { stop: () => queue.stop(), isIdleIn: (namespace) => queue.isIdleIn(namespace) }
}

/** The Services whose selector matches a pod. */
export function servicesOf(room: Room, pod: PodObject): readonly ServiceObject[] {
  return room
    .servicesIn(pod.metadata.namespace ?? '')
    .filter((service) => isSelecting(service) && labelsMatch(service.spec.selector, pod.metadata.labels))
}

/** A Service without a selector, and one that is only a name, takes slices that others write. */
function isSelecting(service: ServiceObject): boolean {
  return service.spec.selector !== undefined && service.spec.type !== 'ExternalName'
}

async function syncService(room: Room, key: string): Promise<undefined> {
  await room.slices.caughtUp()
  const service = room.services.get(parseKey(key))
  if (service === undefined || !isSelecting(service) || service.metadata.deletionTimestamp !== undefined) return
  const pods = room
    .podsIn(service.metadata.namespace ?? '')
    .filter((pod) => labelsMatch(service.spec.selector, pod.metadata.labels))
  const slices = room.slicesOf(key).filter((slice) => slice.metadata.labels?.[MANAGED_BY_LABEL] === MANAGER)
  const decision = decide({ service, pods, slices })
  await Promise.all([
    ...decision.create.map((slice) => room.slices.create(slice)),
    ...decision.update.map((slice) => room.slices.update(slice)),
    ...decision.remove.map((slice) => room.slices.delete(slice)),
  ])
}
