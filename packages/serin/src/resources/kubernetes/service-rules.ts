/** Services: defaults and validation. Addresses and node ports are given out by `service-allocation.ts`. */
import { isPort } from './container-validation.ts'
import { validateLabels, validateMetadata } from './metadata.ts'
import { cidrErrors, dnsLabelErrors, ipErrors, qualifiedNameErrors, subdomainErrors } from './names.ts'
import { validatePortOrName } from './probe-validation.ts'
import { duplicate, forbidden, invalid, invalids, required, unsupported, type FieldProblem } from './problems.ts'
import type { KindRules } from './kind-rules.ts'
import type { ServiceObject, ServicePort, ServiceSpec } from './types.ts'

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const PROTOCOLS = ['SCTP', 'TCP', 'UDP']
const AFFINITIES = ['ClientIP', 'None']
const POLICIES = ['Cluster', 'Local']
const FAMILY_POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack']
const AFFINITY_SECONDS = 10_800
const AFFINITY_SECONDS_MAX = 86_400

/** Fields that only the allocation and the defaults know. */
interface FullSpec extends ServiceSpec {
  ipFamilies?: string[]
  ipFamilyPolicy?: string
  internalTrafficPolicy?: string
  externalTrafficPolicy?: string
  allocateLoadBalancerNodePorts?: boolean
  loadBalancerClass?: string
  loadBalancerSourceRanges?: string[]
  healthCheckNodePort?: number
  externalIPs?: string[]
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
    dropUnneeded(service.spec, current.spec)
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
  warnings: ({ spec }) =>
    spec.clusterIP === 'None' && spec.sessionAffinity === 'ClientIP'
      ? ['spec.SessionAffinity is ignored for headless services']
      : [],
  validateUpdate: ({ spec }, current) => fixedAddress(spec, current.spec),
}

/** What the new type has no use for goes when nobody changed it. */
function dropUnneeded(spec: FullSpec, current: FullSpec): void {
  const isExternal = isExternallyReachable(spec)
  const isLeaving = (was: boolean, is: boolean): boolean => was && !is
  if (isLeaving(current.type !== 'ExternalName', spec.type !== 'ExternalName')) dropAddresses(spec, current)
  if (isLeaving(isExternallyReachable(current), isExternal)) {
    if (samePorts(spec, current)) for (const port of spec.ports ?? []) delete port.nodePort
    if (spec.externalTrafficPolicy === current.externalTrafficPolicy) delete spec.externalTrafficPolicy
    if (spec.healthCheckNodePort === current.healthCheckNodePort) delete spec.healthCheckNodePort
  }
  if (isLeaving(current.type === 'LoadBalancer', spec.type === 'LoadBalancer')) {
    if (spec.allocateLoadBalancerNodePorts === current.allocateLoadBalancerNodePorts)
      delete spec.allocateLoadBalancerNodePorts
    if (spec.loadBalancerClass === current.loadBalancerClass) delete spec.loadBalancerClass
  }
  if (isLeaving(current.type === 'ExternalName', spec.type === 'ExternalName')) {
    if (spec.externalName === current.externalName) delete spec.externalName
  }
}

function dropAddresses(spec: FullSpec, current: FullSpec): void {
  const isKept = spec.clusterIP !== undefined && spec.clusterIP !== current.clusterIP
  if (isKept) return
  for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy'] as const) {
    delete spec[field]
  }
}

function samePorts(spec: FullSpec, current: FullSpec): boolean {
  const numbers = ({ ports = [] }: FullSpec): string => ports.map(({ nodePort }) => nodePort ?? 0).join()
  return numbers(spec) === numbers(current)
}

function isExternallyReachable({ type }: { readonly type?: string | undefined }): boolean {
  return type === 'NodePort' || type === 'LoadBalancer'
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
  problems.push(...validateNodePorts(ports, type), ...validateDuplicates(ports))
  for (const [index, address] of (spec.externalIPs ?? []).entries()) {
    problems.push(...validateExternalAddress(address, `spec.externalIPs[${index}]`))
  }
  problems.push(...validateLoadBalancer(spec), ...validatePolicies(spec), ...validateAddresses(spec))
  return problems
}

function validateNodePorts(ports: readonly ServicePort[], type: string): FieldProblem[] {
  if (isExternallyReachable({ type })) return []
  return ports.flatMap(({ nodePort = 0 }, index) =>
    nodePort === 0 ? [] : [forbidden(`spec.ports[${index}].nodePort`, `may not be used when \`type\` is '${type}'`)],
  )
}

function validateExternalAddress(address: string, field: string): FieldProblem[] {
  const errors = ipErrors(address)
  if (errors.length > 0) return invalids(field, address, errors)
  const why = unusable(address)
  return why === undefined ? [] : [invalid(field, address, why)]
}

/** Addresses that nobody outside can mean. */
function unusable(address: string): string | undefined {
  if (address === '0.0.0.0' || address === '::') return 'may not be unspecified (0.0.0.0 or ::)'
  if (address.startsWith('127.') || address === '::1') return 'may not be in the loopback range (127.0.0.0/8, ::1/128)'
  if (address.startsWith('169.254.') || /^fe[89ab]/i.test(address))
    return 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'
  if (address.startsWith('224.0.0.') || /^ff02:/i.test(address))
    return 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'
  return undefined
}

function validateLoadBalancer(spec: FullSpec): FieldProblem[] {
  const isBalancer = spec.type === 'LoadBalancer'
  const only = "may only be used when `type` is 'LoadBalancer'"
  const problems: FieldProblem[] = []
  const ranges = spec.loadBalancerSourceRanges ?? []
  if (ranges.length > 0 && !isBalancer) problems.push(forbidden('spec.LoadBalancerSourceRanges', only))
  else
    for (const [index, range] of ranges.entries())
      problems.push(...invalids(`spec.LoadBalancerSourceRanges[${index}]`, range, cidrErrors(range.trim())))
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isBalancer)
    problems.push(forbidden('spec.allocateLoadBalancerNodePorts', only))
  const { loadBalancerClass } = spec
  if (loadBalancerClass === undefined) return problems
  const errors = invalids('spec.loadBalancerClass', loadBalancerClass, qualifiedNameErrors(loadBalancerClass))
  if (errors.length > 0) return [...problems, ...errors]
  return isBalancer ? problems : [...problems, forbidden('spec.loadBalancerClass', only)]
}

/** One family, IPv4: what a Service may say of its addresses. */
function validateAddresses(spec: FullSpec): FieldProblem[] {
  if (spec.type === 'ExternalName') return []
  const { clusterIP = '', clusterIPs = [], ipFamilies = [], ipFamilyPolicy, type } = spec
  const isHeadless = clusterIP === 'None'
  const problems: FieldProblem[] = []
  if (clusterIP === '' && clusterIPs.length > 0)
    problems.push(invalid('spec.clusterIPs', clusterIPs, 'must be empty when `clusterIP` is not specified'))
  if (ipFamilyPolicy !== undefined && !FAMILY_POLICIES.includes(ipFamilyPolicy))
    problems.push(unsupported('spec.ipFamilyPolicy', ipFamilyPolicy, FAMILY_POLICIES))
  if (isHeadless && isExternallyReachable({ type }))
    problems.push(invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${type} services`))
  if (clusterIP !== '' && !isHeadless) {
    problems.push(...invalids('spec.clusterIPs[0]', clusterIP, ipErrors(clusterIP)))
    if (ipFamilies[0] === 'IPv6')
      problems.push(invalid('spec.clusterIPs[0]', clusterIP, 'expected an IPv6 value as indicated by `ipFamilies[0]`'))
  }
  if (problems.length > 0 || isHeadless) return problems
  const dual = 'this cluster is not configured for dual-stack services'
  if (ipFamilyPolicy === 'RequireDualStack') problems.push(invalid('spec.ipFamilyPolicy', ipFamilyPolicy, dual))
  for (const [index, family] of ipFamilies.entries()) {
    if (family !== 'IPv4') problems.push(invalid(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster'))
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
    if (port.appProtocol !== undefined)
      problems.push(...invalids(`${at}.appProtocol`, port.appProtocol, qualifiedNameErrors(port.appProtocol)))
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
    const shown = { Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 }
    return isDuplicate ? [duplicate(`spec.ports[${index}]`, shown)] : []
  })
}

function validatePolicies(spec: FullSpec): FieldProblem[] {
  const { externalTrafficPolicy, healthCheckNodePort, internalTrafficPolicy, type = '' } = spec
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
  const isLocal = type === 'LoadBalancer' && externalTrafficPolicy === 'Local'
  if (healthCheckNodePort !== undefined && healthCheckNodePort !== 0 && !isLocal) {
    const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
    problems.push(invalid('spec.healthCheckNodePort', healthCheckNodePort, why))
  }
  return problems
}
