/** EndpointSlices and Endpoints. Unlike in a cluster, loopback addresses are addresses: here programs listen on them. */
import { isIP } from 'node:net'
import { validateMetadata } from './metadata.ts'
import { dnsLabelErrors } from './names.ts'
import { duplicate, invalid, invalids, required, unsupported, type FieldProblem } from './problems.ts'
import type { KindRules } from './kind-rules.ts'
import type { EndpointSliceObject, SliceEndpoint } from './types.ts'
import type { KubeObject } from '../object.ts'

const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6']
const PROTOCOLS = ['SCTP', 'TCP', 'UDP']
const ENDPOINTS_MAX = 1000

export const ENDPOINT_SLICE_RULES: KindRules<EndpointSliceObject> = {
  defaults(slice) {
    if ((slice.endpoints ?? []).length === 0) slice.endpoints = null
    for (const endpoint of slice.endpoints ?? []) endpoint.conditions ??= {}
    slice.ports ??= null
    for (const port of slice.ports ?? []) {
      port.name ??= ''
      if (port.protocol === undefined || port.protocol === '') port.protocol = 'TCP'
    }
  },
  validate(slice) {
    const { metadata, endpoints } = slice
    const addressType = (slice as Partial<EndpointSliceObject>).addressType ?? ''
    const problems = validateMetadata(metadata, 'subdomain')
    if (addressType === '') problems.push(required('addressType'))
    else if (!ADDRESS_TYPES.includes(addressType)) problems.push(unsupported('addressType', addressType, ADDRESS_TYPES))
    if ((endpoints ?? []).length > ENDPOINTS_MAX) {
      problems.push({
        reason: 'FieldValueTooMany',
        message: `Too many: ${endpoints?.length}: must have at most ${ENDPOINTS_MAX} items`,
        field: 'endpoints',
      })
    }
    for (const [index, endpoint] of (endpoints ?? []).entries()) {
      problems.push(...validateEndpoint(endpoint, addressType, `endpoints[${index}]`))
    }
    problems.push(...validatePorts(slice))
    return problems
  },
  validateUpdate: (slice, current) =>
    slice.addressType === current.addressType ? [] : [invalid('addressType', slice.addressType, 'field is immutable')],
}

function validatePorts({ ports }: EndpointSliceObject): FieldProblem[] {
  const names = new Set<string>()
  return (ports ?? []).flatMap(({ name = '', protocol }, index) => {
    const field = `ports[${index}]`
    const problems: FieldProblem[] = []
    if (name !== '') problems.push(...invalids(`${field}.name`, name, dnsLabelErrors(name)))
    if (names.has(name)) problems.push(duplicate(`${field}.name`, name))
    names.add(name)
    if (protocol !== undefined && !PROTOCOLS.includes(protocol))
      problems.push(unsupported(`${field}.protocol`, protocol, PROTOCOLS))
    return problems
  })
}

function validateEndpoint(endpoint: Partial<SliceEndpoint>, type: string, field: string): FieldProblem[] {
  const { hostname } = endpoint as { readonly hostname?: string }
  const problems = validateAddresses(endpoint, type, field)
  return hostname === undefined
    ? problems
    : [...problems, ...invalids(`${field}.hostname`, hostname, dnsLabelErrors(hostname))]
}

function validateAddresses({ addresses = [] }: Partial<SliceEndpoint>, type: string, field: string): FieldProblem[] {
  if (addresses.length === 0) return [required(`${field}.addresses`, 'must contain at least 1 address')]
  const version = { IPv4: 4, IPv6: 6 }[type]
  if (version === undefined) return []
  return addresses.flatMap((address, index) =>
    isIP(address) === version
      ? []
      : [
          invalid(
            `${field}.addresses[${index}]`,
            address,
            isIP(address) === 0
              ? 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
              : `must be an ${type} address`,
          ),
        ],
  )
}

interface EndpointsObject extends KubeObject {
  subsets?: { ports?: { protocol?: string }[] }[]
}

export const ENDPOINTS_RULES: KindRules<EndpointsObject> = {
  defaults({ subsets = [] }) {
    for (const subset of subsets) {
      for (const port of subset.ports ?? [])
        if (port.protocol === undefined || port.protocol === '') port.protocol = 'TCP'
    }
  },
  validate: ({ metadata }) => validateMetadata(metadata, 'subdomain'),
}
