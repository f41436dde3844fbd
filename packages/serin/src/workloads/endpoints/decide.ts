import { canonicalText } from '../canonical.ts'
import { ENDPOINTS_PER_SLICE_MAX } from '../limits.ts'
import { controllerReference } from '../owners.ts'
import { isFinished, isReady, isTerminating } from '../pods/facts.ts'
import { SERVICE_NAME_LABEL } from '../room.ts'
import type {
  EndpointSliceObject,
  PodObject,
  ServiceObject,
  SliceEndpoint,
  SlicePort,
} from '../../resources/kubernetes/types.ts'
import { containerPort, realPort } from './addresses.ts'

/**
 * The EndpointSlices of one Service: which pods answer for it, where, and whether they want new requests. Pure.
 * Source: Kubernetes' EndpointSlice controller. Pods with different real ports lie in different slices.
 */

export const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by'
export const MANAGER = 'endpointslice-controller.k8s.io'
const HEADLESS_LABEL = 'service.kubernetes.io/headless'

export interface Decision {
  readonly create: readonly EndpointSliceObject[]
  readonly update: readonly EndpointSliceObject[]
  readonly remove: readonly EndpointSliceObject[]
}

export interface Observed {
  readonly service: ServiceObject
  /** Those the selector matches. */
  readonly pods: readonly PodObject[]
  /** The Service's slices that this controller manages. */
  readonly slices: readonly EndpointSliceObject[]
}

/** Endpoints that are reached at the same ports. */
interface Group {
  readonly ports: SlicePort[] | null
  readonly endpoints: SliceEndpoint[]
}

export function decide({ service, pods, slices }: Observed): Decision {
  const wanted = fill(groups(service, pods), slices)
  const used = new Set(wanted.map(({ slice }) => slice))
  const free = slices.filter((slice) => !used.has(slice))
  const labels = labelsOf(service)
  const labelText = canonicalText(labels)
  const create: EndpointSliceObject[] = []
  const update: EndpointSliceObject[] = []
  for (const { slice, ports, endpoints } of wanted) {
    // A slice that would be deleted takes what a new one would hold: its name goes on, and one write is saved.
    const reused = slice ?? free.shift()
    if (reused === undefined) create.push(newSlice(service, labels, ports, endpoints))
    else if (!isSame(reused, { labelText, ports, endpoints })) update.push(changed(reused, labels, ports, endpoints))
  }
  return { create, update, remove: free }
}

function groups(service: ServiceObject, pods: readonly PodObject[]): readonly Group[] {
  const byPorts = new Map<string, Group>()
  for (const pod of pods.toSorted((left, right) => left.metadata.name.localeCompare(right.metadata.name))) {
    if ((pod.status?.podIP ?? '') === '' || isFinished(pod)) continue
    const ports = portsOf(service, pod)
    const key = portText(ports)
    const group = byPorts.get(key) ?? { ports, endpoints: [] }
    group.endpoints.push(endpointOf(service, pod))
    byPorts.set(key, group)
  }
  // A Service without pods has one slice that says so.
  return byPorts.size === 0 ? [{ ports: null, endpoints: [] }] : [...byPorts.values()]
}

function portsOf(service: ServiceObject, pod: PodObject): SlicePort[] {
  return (service.spec.ports ?? []).flatMap((port): SlicePort[] => {
    const protocol = port.protocol ?? 'TCP'
    const target = containerPort(pod, port.targetPort ?? port.port, protocol)
    if (target === undefined) return []
    const appProtocol = port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }
    return [{ name: port.name ?? '', protocol, port: realPort(pod, target), ...appProtocol }]
  })
}

function endpointOf(service: ServiceObject, pod: PodObject): SliceEndpoint {
  const serving = isReady(pod)
  const terminating = isTerminating(pod)
  const { name, namespace = '', uid = '' } = pod.metadata
  const named = pod.spec.subdomain === service.metadata.name && pod.spec.hostname !== undefined
  return {
    addresses: [pod.status?.podIP ?? ''],
    conditions: {
      ready: service.spec.publishNotReadyAddresses === true || (serving && !terminating),
      serving,
      terminating,
    },
    ...(named && pod.spec.hostname !== undefined ? { hostname: pod.spec.hostname } : {}),
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  }
}

interface Wanted {
  readonly slice: EndpointSliceObject | undefined
  readonly ports: SlicePort[] | null
  readonly endpoints: SliceEndpoint[]
}

/** Lays endpoints into slices: each stays where it is, new ones fill what has room, then come new slices. */
function fill(all: readonly Group[], slices: readonly EndpointSliceObject[]): readonly Wanted[] {
  const byPorts = new Map<string, EndpointSliceObject[]>()
  for (const slice of slices) {
    const same = byPorts.get(sliceText(slice))
    if (same === undefined) byPorts.set(sliceText(slice), [slice])
    else same.push(slice)
  }
  return all.flatMap((group) => {
    const present = byPorts.get(portText(group.ports)) ?? []
    const left = new Map(group.endpoints.map((endpoint) => [endpoint.targetRef?.uid, endpoint]))
    const kept = present.map((slice) => ({ slice, ports: group.ports, endpoints: keep(slice, left) }))
    const rest = [...left.values()]
    for (const entry of kept) entry.endpoints.push(...rest.splice(0, ENDPOINTS_PER_SLICE_MAX - entry.endpoints.length))
    const filled: Wanted[] = kept.filter((entry) => entry.endpoints.length > 0 || group.endpoints.length === 0)
    while (rest.length > 0) {
      filled.push({ slice: undefined, ports: group.ports, endpoints: rest.splice(0, ENDPOINTS_PER_SLICE_MAX) })
    }
    if (group.endpoints.length > 0) return filled
    return [filled[0] ?? { slice: undefined, ports: group.ports, endpoints: [] }]
  })
}

function keep(slice: EndpointSliceObject, left: Map<string | undefined, SliceEndpoint>): SliceEndpoint[] {
  return (slice.endpoints ?? []).flatMap((endpoint) => {
    const now = left.get(endpoint.targetRef?.uid)
    left.delete(endpoint.targetRef?.uid)
    return now === undefined ? [] : [now]
  })
}

function labelsOf(service: ServiceObject): Record<string, string> {
  return {
    ...service.metadata.labels,
    ...(service.spec.clusterIP === 'None' ? { [HEADLESS_LABEL]: '' } : {}),
    [MANAGED_BY_LABEL]: MANAGER,
    [SERVICE_NAME_LABEL]: service.metadata.name,
  }
}

type Content = readonly [labels: Record<string, string>, ports: SlicePort[] | null, endpoints: SliceEndpoint[]]

function isSame(
  slice: EndpointSliceObject,
  wanted: {
    readonly labelText: string
    readonly ports: SlicePort[] | null
    readonly endpoints: readonly SliceEndpoint[]
  },
): boolean {
  const present = slice.endpoints ?? []
  return (
    canonicalText(slice.metadata.labels) === wanted.labelText &&
    sliceText(slice) === portText(wanted.ports) &&
    present.length === wanted.endpoints.length &&
    present.every((endpoint, index) => isSameEndpoint(endpoint, wanted.endpoints[index]))
  )
}

function isSameEndpoint(left: SliceEndpoint, right: SliceEndpoint | undefined): boolean {
  return (
    left.addresses[0] === right?.addresses[0] &&
    left.conditions?.ready === right?.conditions?.ready &&
    left.conditions?.serving === right?.conditions?.serving &&
    left.conditions?.terminating === right?.conditions?.terminating &&
    left.nodeName === right?.nodeName &&
    left.hostname === right?.hostname &&
    left.targetRef?.uid === right?.targetRef?.uid
  )
}

function portText(ports: readonly SlicePort[] | null): string {
  return (ports ?? [])
    .map(
      ({ name, protocol, port, appProtocol }) => `${name ?? ''} ${protocol ?? ''} ${String(port)} ${appProtocol ?? ''}`,
    )
    .join(',')
}

/** Objects of a store never change: each is looked at once. A Service of 200 pods has 200 slices here. */
const sliceTexts = new WeakMap<EndpointSliceObject, string>()

function sliceText(slice: EndpointSliceObject): string {
  const known = sliceTexts.get(slice) ?? portText(slice.ports)
  sliceTexts.set(slice, known)
  return known
}

function changed(slice: EndpointSliceObject, ...[labels, ports, endpoints]: Content): EndpointSliceObject {
  return { ...slice, metadata: { ...slice.metadata, labels }, ports, endpoints }
}

function newSlice(service: ServiceObject, ...[labels, ports, endpoints]: Content): EndpointSliceObject {
  const { name, namespace } = service.metadata
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: '',
      generateName: `${name}-`,
      ...(namespace === undefined ? {} : { namespace }),
      labels,
      ownerReferences: [controllerReference(service)],
    },
    addressType: 'IPv4',
    endpoints,
    ports,
  }
}
