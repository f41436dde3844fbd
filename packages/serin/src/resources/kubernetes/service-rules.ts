/** Services: defaults and validation. Addresses and node ports are given out by `service-allocation.ts`. */
import { isPort } from './container-validation.ts'
import { validateLabels, validateMetadata } from './metadata.ts'
import { dnsLabelErrors, subdomainErrors } from './names.ts'
import { validatePortOrName } from './probe-validation.ts'
import { duplicate, forbidden, invalid, invalids, required, unsupported, type FieldProblem } from './problems.ts'
import type { KindRules } from './kind-rules.ts'
import type { ServiceObject, ServicePort, ServiceSpec } from './types.ts'

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const PROTOCOLS = ['SCTP', 'TCP', 'UDP']
const AFFINITIES = ['ClientIP', 'None']
const POLICIES = ['Cluster', 'Local']
const AFFINITY_SECONDS = 10_800
const AFFINITY_SECONDS_MAX = 86_400

/** Fields that only the allocation and the defaults know. */
interface FullSpec extends ServiceSpec {
  ipFamilies?: string[]
  ipFamilyPolicy?: string
  internalTrafficPolicy?: string
  externalTrafficPolicy?: string
  allocateLoadBalancerNodePorts?: boolean
}

interface Service extends ServiceObject {
  spec: FullSpec
}

export const SERVICE_RULES: KindRules<Service> = {
  convert(service) {
    service.spec ??= {}
  },
  prepareCreate(service) {
    service.status = { loadBalancer: {} }
  },
  prepareUpdate(service, current) {
    keepAllocated(service.spec, current.spec)
  },
  defaults({ spec }) {
    if (spec.type === undefined || spec.type === '') spec.type = 'ClusterIP'
    if (spec.sessionAffinity === undefined || spec.sessionAffinity === '') spec.sessionAffinity = 'None'
    if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig
    if (spec.sessionAffinity === 'ClientIP') {
      spec.sessionAffinityConfig = {
        clientIP: { timeoutSeconds: AFFINITY_SECONDS, ...spec.sessionAffinityConfig?.clientIP },
      }
    }
    for (const port of spec.ports ?? []) {
      if (port.protocol === undefined || port.protocol === '') port.protocol = 'TCP'
      if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port
    }
    const isExternal = spec.type === 'NodePort' || spec.type === 'LoadBalancer'
    if (isExternal) spec.externalTrafficPolicy ??= 'Cluster'
    if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster'
    if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true
  },
  validate: ({ metadata, spec }) => [...validateMetadata(metadata, 'rfc1035'), ...validateSpec(spec)],
  validateUpdate: ({ spec }, current) => fixedAddress(spec, current.spec),
}

/** An update that does not name them keeps the addresses and ports that were given out. */
function keepAllocated(spec: FullSpec, current: FullSpec): void {
  if (spec.type === 'ExternalName') return
  if (current.type !== 'ExternalName' && (spec.clusterIP === undefined || spec.clusterIP === '')) {
    if (current.clusterIP !== undefined && (spec.clusterIPs ?? []).length === 0) {
      spec.clusterIP = current.clusterIP
      spec.clusterIPs = current.clusterIPs ?? [current.clusterIP]
    }
  } else if (
    spec.clusterIP !== undefined &&
    spec.clusterIP !== current.clusterIP &&
    sameList(spec.clusterIPs, current.clusterIPs)
  ) {
    spec.clusterIPs = [spec.clusterIP]
  }
  if ((spec.ipFamilies ?? []).length === 0 && current.ipFamilies !== undefined) spec.ipFamilies = current.ipFamilies
  if (current.ipFamilyPolicy !== undefined) spec.ipFamilyPolicy ??= current.ipFamilyPolicy
  if (spec.type !== 'NodePort' && spec.type !== 'LoadBalancer') return
  for (const port of spec.ports ?? []) {
    if (port.nodePort !== undefined && port.nodePort !== 0) continue
    const same = (current.ports ?? []).find(
      (other) =>
        other.port === port.port &&
        (other.protocol ?? 'TCP') === (port.protocol ?? 'TCP') &&
        (other.name ?? '') === (port.name ?? ''),
    )
    if (same?.nodePort !== undefined) port.nodePort = same.nodePort
  }
}

function sameList(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return (a ?? []).join() === (b ?? []).join()
}

function fixedAddress(spec: FullSpec, current: FullSpec): FieldProblem[] {
  if (spec.type === 'ExternalName' || current.type === 'ExternalName') return []
  const before = current.clusterIPs?.[0] ?? current.clusterIP
  const after = spec.clusterIPs?.[0] ?? spec.clusterIP
  if (before === undefined || before === after) return []
  return [invalid('spec.clusterIPs[0]', spec.clusterIPs ?? [after], 'may not change once set')]
}

function validateSpec(spec: FullSpec): FieldProblem[] {
  const { ports = [], type = '', clusterIP, sessionAffinity = '' } = spec
  const problems: FieldProblem[] = []
  if (ports.length === 0 && clusterIP !== 'None' && type !== 'ExternalName') problems.push(required('spec.ports'))
  if (type === 'ExternalName') problems.push(...validateExternalName(spec))
  problems.push(...validatePorts(ports, type))
  problems.push(...validateLabels(spec.selector, 'spec.selector'))
  if (!AFFINITIES.includes(sessionAffinity))
    problems.push(unsupported('spec.sessionAffinity', sessionAffinity, AFFINITIES))
  if (sessionAffinity === 'ClientIP') problems.push(...validateAffinitySeconds(spec))
  if (!TYPES.includes(type)) problems.push(unsupported('spec.type', type, TYPES))
  problems.push(...validateDuplicates(ports), ...validatePolicies(spec))
  if (type !== 'NodePort' && type !== 'LoadBalancer') {
    for (const [index, { nodePort }] of ports.entries()) {
      if (nodePort !== undefined && nodePort !== 0) {
        problems.push(forbidden(`spec.ports[${index}].nodePort`, `may not be used when \`type\` is '${type}'`))
      }
    }
  }
  if (clusterIP === 'None' && (type === 'NodePort' || type === 'LoadBalancer')) {
    problems.push(invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${type} services`))
  }
  return problems
}

function validateExternalName({ externalName = '', clusterIP = '' }: FullSpec): FieldProblem[] {
  const problems: FieldProblem[] = []
  if (clusterIP !== '') problems.push(forbidden('spec.clusterIPs', 'may not be set for ExternalName services'))
  const name = externalName.replace(/\.$/, '')
  if (name === '') problems.push(required('spec.externalName'))
  else problems.push(...invalids('spec.externalName', name, subdomainErrors(name)))
  return problems
}

function validatePorts(ports: readonly ServicePort[], type: string): FieldProblem[] {
  const names = new Set<string>()
  return ports.flatMap((port, index) => {
    const at = `spec.ports[${index}]`
    const { name = '', protocol = '' } = port
    const problems: FieldProblem[] = []
    if (name === '' && ports.length > 1) problems.push(required(`${at}.name`))
    if (name !== '') {
      problems.push(...invalids(`${at}.name`, name, dnsLabelErrors(name)))
      if (names.has(name)) problems.push(duplicate(`${at}.name`, name))
      names.add(name)
    }
    if (!isPort(port.port ?? 0))
      problems.push(invalid(`${at}.port`, port.port ?? 0, 'must be between 1 and 65535, inclusive'))
    if (protocol === '') problems.push(required(`${at}.protocol`))
    else if (!PROTOCOLS.includes(protocol)) problems.push(unsupported(`${at}.protocol`, protocol, PROTOCOLS))
    if (type !== 'ExternalName' || port.targetPort !== undefined)
      problems.push(...validatePortOrName(port.targetPort, `${at}.targetPort`))
    return problems
  })
}

function validateAffinitySeconds({ sessionAffinityConfig }: FullSpec): FieldProblem[] {
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds
  if (seconds !== undefined && seconds > 0 && seconds <= AFFINITY_SECONDS_MAX) return []
  const field = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds'
  return [invalid(field, seconds ?? 0, `must be greater than 0 and less than ${AFFINITY_SECONDS_MAX}`)]
}

/** Two ports of one protocol and number. */
function validateDuplicates(ports: readonly ServicePort[]): FieldProblem[] {
  const seen = new Set<string>()
  return ports.flatMap(({ protocol, port }, index) => {
    const key = `${protocol}/${port}`
    const isDuplicate = seen.has(key)
    seen.add(key)
    return isDuplicate ? [duplicate(`spec.ports[${index}]`, { protocol, port })] : []
  })
}

function validatePolicies({ externalTrafficPolicy, internalTrafficPolicy, type = '' }: FullSpec): FieldProblem[] {
  const problems: FieldProblem[] = []
  if (externalTrafficPolicy !== undefined && !POLICIES.includes(externalTrafficPolicy)) {
    problems.push(unsupported('spec.externalTrafficPolicy', externalTrafficPolicy, POLICIES))
  } else if (externalTrafficPolicy !== undefined && type !== 'NodePort' && type !== 'LoadBalancer') {
    problems.push(
      invalid(
        'spec.externalTrafficPolicy',
        externalTrafficPolicy,
        'may only be set for externally-accessible services',
      ),
    )
  }
  if (internalTrafficPolicy !== undefined && !POLICIES.includes(internalTrafficPolicy)) {
    problems.push(unsupported('spec.internalTrafficPolicy', internalTrafficPolicy, POLICIES))
  }
  return problems
}
