/** The cells of Services, EndpointSlices, Endpoints and Nodes. Pure. */
import { list, number, orNone, shortened, text, type Cell, type Loose } from './loose.ts'

const LOAD_BALANCER_CHARS_MAX = 16

export function servicePorts({ spec }: Loose): string {
  return list(spec?.['ports'])
    .map((port) => {
      const nodePort = number(port['nodePort'])
      return `${number(port['port'])}${nodePort > 0 ? `:${nodePort}` : ''}/${text(port['protocol'])}`
    })
    .join(',')
}

export function serviceExternalAddress({ spec, status }: Loose): string {
  const external = list(spec?.['externalIPs']).map((address) => text(address))
  switch (text(spec?.['type'])) {
    case 'ExternalName':
      return text(spec?.['externalName'])
    case 'LoadBalancer': {
      const ingress = list(status?.['loadBalancer']?.['ingress']).map(
        (entry) => text(entry['ip']) || text(entry['hostname']),
      )
      const all = [...ingress, ...external].join(',')
      if (all === '') return '<pending>'
      return external.length === 0 && all.length > LOAD_BALANCER_CHARS_MAX && ingress.length > 1
        ? `${all.slice(0, LOAD_BALANCER_CHARS_MAX - 3)}...`
        : all
    }
    default:
      return orNone(external.join(','))
  }
}

/** How many ports of an EndpointSlice are listed. */
const PORTS_MAX = 3

export function endpointSliceCells(slice: Loose): readonly Cell[] {
  const found = list(slice['ports'])
  const shown = found.slice(0, PORTS_MAX).map((port) => {
    const value = number(port['port'])
    if (value !== 0) return String(value)
    return text(port['name']) === '' ? '*' : text(port['name'])
  })
  const ports = found.length > PORTS_MAX ? `${shown.join(',')} + ${found.length - PORTS_MAX} more...` : shown.join(',')
  const addresses = list(slice['endpoints']).flatMap((endpoint) =>
    list(endpoint['addresses']).map((address) => text(address)),
  )
  return [
    text(slice['addressType']),
    found.length === 0 ? '<unset>' : ports,
    addresses.length === 0 ? '<unset>' : shortened(addresses),
  ]
}

export function endpointsCells(endpoints: Loose): string {
  const all = list(endpoints['subsets']).flatMap((subset) => {
    const addresses = list(subset['addresses']).map((address) => text(address['ip']))
    const ports = list(subset['ports'])
    if (ports.length === 0) return addresses
    return ports.flatMap((port) => addresses.map((address) => `${address}:${number(port['port'])}`))
  })
  return all.length === 0 ? '<none>' : shortened(all)
}

export function nodeCells({ metadata, spec, status }: Loose, _now: number, created: string): readonly Cell[] {
  const ready = list(status?.['conditions']).find((condition) => text(condition['type']) === 'Ready')
  const state = ready === undefined ? 'Unknown' : text(ready['status']) === 'True' ? 'Ready' : 'NotReady'
  const roles = Object.keys(metadata?.['labels'] ?? {})
    .filter((label) => label.startsWith('node-role.kubernetes.io/'))
    .map((label) => label.slice('node-role.kubernetes.io/'.length))
    .sort()
  const info = status?.['nodeInfo']
  const address = (type: string): string =>
    orNone(text(list(status?.['addresses']).find((entry) => text(entry['type']) === type)?.['address']))
  return [
    text(spec?.['unschedulable']) === 'true' ? `${state},SchedulingDisabled` : state,
    orNone(roles.join(',')),
    created,
    text(info?.['kubeletVersion']),
    address('InternalIP'),
    address('ExternalIP'),
    text(info?.['osImage']) || '<unknown>',
    text(info?.['kernelVersion']) || '<unknown>',
    text(info?.['containerRuntimeVersion']) || '<unknown>',
  ]
}
