import type { EndpointSliceObject, ServiceObject, ServicePort } from '../../resources/kubernetes/types.ts'

/** Where a Service listens, and which programs answer for it. Pure. */

export interface Listening {
  readonly address: string
  readonly port: number
  /** `namespace/name` of the Service, and which of its ports. */
  readonly service: string
  readonly portName: string
  /** A client stays with its endpoint for this long after its last connection; undefined: no affinity. */
  readonly affinityMs: number | undefined
}

export interface Target {
  readonly address: string
  readonly port: number
}

const AFFINITY_SECONDS_DEFAULT = 10_800

/** Every address and TCP port of a Service: cluster IP, load balancer's address, node port. */
export function listeningsOf(service: ServiceObject, nodeAddress: string): readonly Listening[] {
  const { spec, metadata, status } = service
  if (spec.type === 'ExternalName' || metadata.deletionTimestamp !== undefined) return []
  const clusterIP = spec.clusterIP === undefined || spec.clusterIP === 'None' ? [] : [spec.clusterIP]
  const balancers = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? [])
  const ports = (spec.ports ?? []).filter((port) => (port.protocol ?? 'TCP') === 'TCP')
  return ports.flatMap((port) => {
    const at = (address: string, number: number): Listening => ({
      address,
      port: number,
      service: `${metadata.namespace ?? ''}/${metadata.name}`,
      portName: port.name ?? '',
      affinityMs: affinityMs(service),
    })
    const addresses = [...new Set([...clusterIP, ...balancers])].filter((address) => address !== '')
    return [
      ...addresses.map((address) => at(address, port.port)),
      ...nodePort(port).map((number) => at(nodeAddress, number)),
    ]
  })
}

function nodePort({ nodePort: number }: ServicePort): readonly number[] {
  return number === undefined || number === 0 ? [] : [number]
}

function affinityMs({ spec }: ServiceObject): number | undefined {
  if (spec.sessionAffinity !== 'ClientIP') return undefined
  return (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS_DEFAULT) * 1000
}

/** The ready endpoints of a port; when none is ready, those that still serve while they stop. */
export function targetsOf(slices: readonly EndpointSliceObject[], portName: string): readonly Target[] {
  const found = slices.flatMap((slice) => {
    const port = slice.ports?.find((entry) => (entry.name ?? '') === portName)?.port
    if (port === undefined) return []
    return (slice.endpoints ?? []).map(({ addresses, conditions }) => ({
      address: addresses[0] ?? '',
      port,
      conditions,
    }))
  })
  const ready = found.filter(({ conditions }) => conditions?.ready !== false)
  const chosen = ready.length > 0 ? ready : found.filter(({ conditions }) => conditions?.serving === true)
  return chosen.map(({ address, port }) => ({ address, port }))
}
