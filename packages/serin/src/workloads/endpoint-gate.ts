import type { LeaseObject, PodObject } from '../resources/kubernetes/types.ts'
import { servicesOf } from './endpoints/controller.ts'
import { ENDPOINT_ACKNOWLEDGED_MS_MAX, GATEWAY_LEASE_MS_MAX } from './limits.ts'
import type { Room } from './room.ts'

/**
 * Waits until nobody sends a stopping pod new requests: its endpoints are not ready any more in every EndpointSlice, and the gateway has
 * said (in its Lease) that all of its workers have taken those slices. See ARCHITECTURE.md, "An endpoint leaves before its pod stops".
 */
export interface EndpointGate {
  /** Resolves when the pod is out, when no gateway is alive, or after a bound. Never rejects. */
  left(pod: PodObject): Promise<Departure>
}

type Departure = 'acknowledged' | 'no-endpoint' | 'no-gateway' | 'timed-out'

const LEASE = { namespace: 'kube-system', name: 'serin-gateway' }
const APPLIED = 'serin.dev/applied-endpointslices'

export function createEndpointGate(room: Room): EndpointGate {
  const waiters = new Set<() => void>()
  const look = (): void => {
    for (const waiter of waiters) waiter()
  }
  room.leases.onChange(look)
  room.slices.onChange(look)
  return {
    left: (pod) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => done('timed-out'), ENDPOINT_ACKNOWLEDGED_MS_MAX)
        const check = (): void => {
          const departure = departureOf(room, pod, Date.now())
          if (departure !== undefined) done(departure)
        }
        waiters.add(check)
        check()
        function done(departure: Departure): void {
          clearTimeout(timer)
          waiters.delete(check)
          resolve(departure)
        }
      }),
  }
}

/** Undefined while there is something to wait for. */
function departureOf(room: Room, pod: PodObject, now: number): Departure | undefined {
  const slices = room.slicesWith(pod.metadata.uid ?? '')
  const uid = pod.metadata.uid
  const asked = slices.some((slice) =>
    (slice.endpoints ?? []).some((endpoint) => endpoint.targetRef?.uid === uid && endpoint.conditions?.ready !== false),
  )
  if (asked) return undefined
  if (slices.length === 0)
    return servicesOf(room, pod).length === 0 || (pod.status?.podIP ?? '') === '' ? 'no-endpoint' : undefined
  const lease = room.leases.get(LEASE)
  if (lease === undefined || !isAlive(lease, now)) return 'no-gateway'
  const version = Math.max(...slices.map((slice) => Number(slice.metadata.resourceVersion ?? 0)))
  return Number(lease.metadata.annotations?.[APPLIED] ?? 0) >= version ? 'acknowledged' : undefined
}

function isAlive(lease: LeaseObject, now: number): boolean {
  const seconds = lease.spec?.leaseDurationSeconds
  const span = seconds === undefined ? GATEWAY_LEASE_MS_MAX : seconds * 1000
  return now - Date.parse(lease.spec?.renewTime ?? '') < span
}
