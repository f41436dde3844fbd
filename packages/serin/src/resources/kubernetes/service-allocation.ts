/**
 * Cluster addresses and node ports of Services: given out inside the write that creates or changes a Service, from what the
 * Services there are have. Pure: who has what is an argument.
 */
import { invalid, type FieldProblem } from './problems.ts'
import type { ServiceObject, ServiceSpec } from './types.ts'

/** Loopback: a forwarder may listen on every one of them without asking for anything (Linux). */
export const CLUSTER_IP_RANGE = '127.96.0.0/12'
const NODE_PORTS: { readonly first: number; readonly last: number } = { first: 30_000, last: 32_767 }
/** So many random tries, then one after the other. */
const RANDOM_TRIES_MAX = 32

export interface Taken {
  readonly addresses: ReadonlySet<string>
  readonly nodePorts: ReadonlySet<number>
}

interface FullSpec extends ServiceSpec {
  ipFamilies?: string[]
  ipFamilyPolicy?: string
  externalTrafficPolicy?: string
  allocateLoadBalancerNodePorts?: boolean
}

/** What the Services of a list hold. */
export function takenBy(services: Iterable<ServiceObject>): Taken {
  const addresses = new Set<string>()
  const nodePorts = new Set<number>()
  for (const { spec } of services) {
    for (const address of spec.clusterIPs ?? []) addresses.add(address)
    for (const { nodePort } of spec.ports ?? []) if (nodePort !== undefined && nodePort !== 0) nodePorts.add(nodePort)
  }
  return { addresses, nodePorts }
}

/** Fills in what the Service's type needs and takes away what it does not; the problems, when it cannot. Changes the Service. */
export function allocate(service: ServiceObject, taken: Taken, range: string = CLUSTER_IP_RANGE): FieldProblem[] {
  const spec = service.spec as FullSpec
  if (spec.type === 'ExternalName') {
    for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const) delete spec[field]
    return []
  }
  const problems = allocateAddress(spec, taken, range)
  problems.push(...allocateNodePorts(spec, taken))
  return problems
}

function allocateAddress(spec: FullSpec, taken: Taken, range: string): FieldProblem[] {
  const wanted = spec.clusterIP === undefined || spec.clusterIP === '' ? spec.clusterIPs?.[0] : spec.clusterIP
  const isHeadless = wanted === 'None'
  const isDual = isHeadless && Object.keys(spec.selector ?? {}).length === 0
  spec.ipFamilies ??= isDual ? ['IPv4', 'IPv6'] : ['IPv4']
  spec.ipFamilyPolicy ??= isDual ? 'RequireDualStack' : 'SingleStack'
  if (isHeadless) return setAddress(spec, 'None')
  if (wanted === undefined || wanted === '') {
    const address = freeAddress(range, taken.addresses)
    return address === undefined ? [failed('', 'range is full')] : setAddress(spec, address)
  }
  if (!inRange(wanted, range)) return [failed(wanted, 'the provided network does not match the current range')]
  return taken.addresses.has(wanted) ? [failed(wanted, 'provided IP is already allocated')] : setAddress(spec, wanted)
}

function setAddress(spec: FullSpec, address: string): FieldProblem[] {
  spec.clusterIP = address
  spec.clusterIPs = [address]
  return []
}

function failed(address: string, why: string): FieldProblem {
  return invalid('spec.clusterIPs', [address], `failed to allocate IP ${address}: ${why}`)
}

function allocateNodePorts(spec: FullSpec, taken: Taken): FieldProblem[] {
  const isWanted =
    spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)
  const problems: FieldProblem[] = []
  const used = new Set(taken.nodePorts)
  for (const [index, port] of (spec.ports ?? []).entries()) {
    if (!isWanted && spec.type !== 'LoadBalancer') {
      delete port.nodePort
      continue
    }
    const given = port.nodePort ?? 0
    if (given !== 0) problems.push(...checkNodePort(given, `spec.ports[${index}].nodePort`, used))
    else if (isWanted) {
      const free = freeNodePort(used)
      if (free === undefined)
        problems.push(invalid(`spec.ports[${index}].nodePort`, given, 'failed to allocate a nodePort: range is full'))
      else port.nodePort = free
    }
    if (port.nodePort !== undefined) used.add(port.nodePort)
  }
  return problems
}

function checkNodePort(port: number, field: string, used: ReadonlySet<number>): FieldProblem[] {
  const { first, last } = NODE_PORTS
  if (port < first || port > last) {
    return [
      invalid(field, port, `provided port is not in the valid range. The range of valid ports is ${first}-${last}`),
    ]
  }
  return used.has(port) ? [invalid(field, port, 'provided port is already allocated')] : []
}

function freeNodePort(used: ReadonlySet<number>): number | undefined {
  const { first, last } = NODE_PORTS
  const count = last - first + 1
  const start = Math.floor(Math.random() * count)
  for (let step = 0; step < count; step += 1) {
    const port = first + ((start + step) % count)
    if (!used.has(port)) return port
  }
  return undefined
}

interface Range {
  readonly first: number
  readonly count: number
}

/** Throws a plain Error for what is no IPv4 range. */
export function parseRange(text: string): Range {
  const match = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(text)
  const bits = Number(match?.[2])
  if (match === null || !(bits >= 1 && bits <= 30))
    throw new Error(`${text} is no range of IPv4 addresses like ${CLUSTER_IP_RANGE}`)
  const count = 2 ** (32 - bits)
  return { first: Math.floor(toNumber(match[1] ?? '') / count) * count, count }
}

function inRange(address: string, range: string): boolean {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) return false
  const { first, count } = parseRange(range)
  const value = toNumber(address)
  return value > first && value < first + count - 1
}

/** Neither the first address (the network's) nor the last one (broadcast). */
function freeAddress(range: string, taken: ReadonlySet<string>): string | undefined {
  const { first, count } = parseRange(range)
  for (let tries = 0; tries < RANDOM_TRIES_MAX; tries += 1) {
    const address = toText(first + 1 + Math.floor(Math.random() * (count - 2)))
    if (!taken.has(address)) return address
  }
  for (let offset = 1; offset < count - 1 && offset <= taken.size + 1; offset += 1) {
    const address = toText(first + offset)
    if (!taken.has(address)) return address
  }
  return undefined
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

function toText(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}
