import type { IntOrString, PodObject } from '../../resources/kubernetes/types.ts'

/**
 * Where a pod's ports really are. Every process has an address of its own in a cluster; here all pods share 127.0.0.1, so
 * each gets a port of its own for every `containerPort`, written in an annotation when the pod starts. Pure.
 */

/** JSON: the containerPort → the port on this machine. `"0"` is the pod's `PORT` when it declares none. */
export const PORTS_ANNOTATION = 'serin.dev/ports'
/** The key of the only port of a pod that declares none. */
export const UNDECLARED = '0'

export type PortMap = Readonly<Record<string, number>>

export function portMapOf(pod: PodObject): PortMap {
  const text = pod.metadata.annotations?.[PORTS_ANNOTATION]
  if (text === undefined) return {}
  try {
    const parsed: unknown = JSON.parse(text)
    const entries = typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : []
    return Object.fromEntries(entries.filter((entry): entry is [string, number] => Number.isInteger(entry[1])))
  } catch {
    // Somebody wrote the annotation by hand: the pod's ports are taken as they stand.
    return {}
  }
}

/** The port on this machine for a container's port; one that is not mapped is itself. */
export function realPort(pod: PodObject, containerPort: number): number {
  const map = portMapOf(pod)
  return map[String(containerPort)] ?? map[UNDECLARED] ?? containerPort
}

/** The container port that a Service's targetPort or a probe's port means; undefined if no container has that name. */
export function containerPort(pod: PodObject, port: IntOrString, protocol = 'TCP'): number | undefined {
  if (typeof port === 'number') return port
  const found = pod.spec.containers
    .flatMap((container) => container.ports ?? [])
    .find((entry) => entry.name === port && (entry.protocol ?? 'TCP') === protocol)
  return found?.containerPort
}
