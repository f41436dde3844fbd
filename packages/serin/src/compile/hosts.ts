/** Hosts and Listeners: which domains there are, where they are served, and which groups belong to them. */
import type { Listener, VirtualHost } from '../model/listener.ts'
import type { HostSpec, LabelSelectorSpec, ListenerSpec } from '../resources/ambassador/types.ts'
import type { KubeObject } from '../resources/object.ts'
import type { MappingPlan } from './plan.ts'
import { keyOf, namespaceOf, originOf, type Report } from './report.ts'

export interface HostPlan {
  readonly object: KubeObject
  readonly virtualHost: VirtualHost
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly mappingSelector?: Readonly<Record<string, string>>
}

export interface ListenerPlan {
  readonly object: KubeObject
  readonly listener: Listener
  readonly namespace: string
  readonly from: 'SELF' | 'ALL' | undefined
  readonly selector: Readonly<Record<string, string>> | undefined
}

const ACTIONS: Readonly<Record<string, VirtualHost['insecure']>> = {
  Route: 'route',
  Redirect: 'redirect',
  Reject: 'reject',
  // The CRD refuses these; Emissary's compiler takes them.
  route: 'route',
  redirect: 'redirect',
  reject: 'reject',
}

/** Pure but for the report. */
export function readHost(object: KubeObject, spec: HostSpec, report: Report): HostPlan {
  const action = spec.requestPolicy?.insecure?.action ?? 'Redirect'
  const insecure = ACTIONS[action]
  if (insecure === undefined) {
    report.error('not-allowed', `"${action}" is no action`, {
      path: ['spec', 'requestPolicy', 'insecure', 'action'],
      expected: 'one of Redirect, Reject, Route',
    })
  }
  const mappingSelector = labelsOf(spec.mappingSelector ?? spec.selector)
  return {
    object,
    virtualHost: {
      name: keyOf(object),
      hostname: (spec.hostname ?? '*').toLowerCase(),
      insecure: insecure ?? 'redirect',
      origin: report.origin,
    },
    namespace: namespaceOf(object),
    labels: object.metadata.labels ?? {},
    ...(mappingSelector !== undefined && { mappingSelector }),
  }
}

function labelsOf(selector: LabelSelectorSpec | undefined): Readonly<Record<string, string>> | undefined {
  return selector?.matchLabels
}

/** What Emissary serves where there is no Host at all: everything, in cleartext. */
export const FALLBACK_HOST: HostPlan = {
  object: {
    apiVersion: 'getambassador.io/v3alpha1',
    kind: 'Host',
    metadata: { name: 'ambassador-default', namespace: 'default' },
  },
  virtualHost: {
    name: 'default/ambassador-default',
    hostname: '*',
    insecure: 'route',
    origin: { kind: 'Host', namespace: 'default', name: 'ambassador-default' },
  },
  namespace: 'default',
  labels: {},
}

const PROTOCOL_STACKS: Readonly<Record<string, readonly string[]>> = {
  HTTP: ['HTTP', 'TCP'],
  HTTPS: ['TLS', 'HTTP', 'TCP'],
  HTTPPROXY: ['PROXY', 'HTTP', 'TCP'],
  HTTPSPROXY: ['TLS', 'PROXY', 'HTTP', 'TCP'],
  TCP: ['TCP'],
  TLS: ['TLS', 'TCP'],
}

/** Undefined: it cannot listen; the report says why. Pure but for the report. */
export function readListener(object: KubeObject, spec: ListenerSpec, report: Report): ListenerPlan | undefined {
  const stack = spec.protocolStack ?? PROTOCOL_STACKS[spec.protocol ?? '']
  if (spec.protocol === undefined && spec.protocolStack === undefined) {
    report.error('missing-field', 'one of protocol and protocolStack must be there', {
      path: ['spec', 'protocol'],
      expected: 'HTTP or HTTPS',
    })
  } else if (stack === undefined || stack.includes('UDP')) {
    report.error('not-supported', `protocol ${spec.protocol ?? spec.protocolStack?.join(', ')} is not supported`, {
      path: ['spec', spec.protocol === undefined ? 'protocolStack' : 'protocol'],
      expected: `one of ${Object.keys(PROTOCOL_STACKS).join(', ')}`,
    })
  }
  if (stack === undefined || report.failed) return undefined
  const { namespace, selector } = spec.hostBinding
  const protocol = protocolOf(stack)
  return {
    object,
    listener: {
      name: keyOf(object),
      port: spec.port,
      protocol,
      securityModel: SECURITY_MODELS[spec.securityModel],
      trustedHops: spec.l7Depth ?? 0,
      proxyProtocol: stack.includes('PROXY'),
      virtualHosts: [],
      statsPrefix: spec.statsPrefix ?? STATS_PREFIXES[protocol](spec.port),
      origin: originOf(object),
    },
    namespace: namespaceOf(object),
    from: namespace?.from,
    selector: labelsOf(selector),
  }
}

const SECURITY_MODELS: Readonly<Record<ListenerSpec['securityModel'], Listener['securityModel']>> = {
  XFP: 'xfp',
  SECURE: 'secure',
  INSECURE: 'insecure',
}

const STATS_PREFIXES: Readonly<Record<Listener['protocol'], (port: number) => string>> = {
  http: () => 'ingress_http',
  https: () => 'ingress_https',
  tls: (port) => `ingress_tls_${port}`,
  tcp: (port) => `ingress_tcp_${port}`,
}

function protocolOf(stack: readonly string[]): Listener['protocol'] {
  const tls = stack.includes('TLS')
  if (stack.includes('HTTP')) return tls ? 'https' : 'http'
  return tls ? 'tls' : 'tcp'
}

/** Whether a Listener's hostBinding takes a Host. Pure. */
export function bindsHost(listener: ListenerPlan, host: HostPlan): boolean {
  const { from, selector } = listener
  if (from === undefined && selector === undefined) return false
  if (from === 'SELF' && host.namespace !== listener.namespace) return false
  return selector === undefined || hasLabels(host.labels, selector)
}

/** Whether a Host serves the group that a Mapping founded. Pure. */
export function hostServes(host: HostPlan, plan: MappingPlan): boolean {
  const byName =
    plan.hostGlob !== undefined &&
    (plan.hostIsRegex || globsOverlap(host.virtualHost.hostname, plan.hostGlob.toLowerCase()))
  const { mappingSelector } = host
  if (mappingSelector === undefined) return byName
  const byLabel = hasLabels(plan.labels, mappingSelector)
  return plan.hostGlob === undefined ? byLabel : byName && byLabel
}

/** An empty selector selects nothing, as in Emissary. */
export function hasLabels(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  const entries = Object.entries(wanted)
  return entries.length > 0 && entries.every(([name, value]) => labels[name] === value)
}

/** Whether some name matches both globs; a star is at the start or the end and stands for at least one character. Pure. */
export function globsOverlap(left: string, right: string): boolean {
  if (left === right || left === '*' || right === '*') return true
  const [leftSuffix, rightSuffix] = [left.startsWith('*'), right.startsWith('*')]
  const [leftPrefix, rightPrefix] = [!leftSuffix && left.endsWith('*'), !rightSuffix && right.endsWith('*')]
  if (leftSuffix && rightSuffix) return left.endsWith(right.slice(1)) || right.endsWith(left.slice(1))
  if (leftPrefix && rightPrefix) return left.startsWith(right.slice(0, -1)) || right.startsWith(left.slice(0, -1))
  if ((leftSuffix && rightPrefix) || (leftPrefix && rightSuffix)) return true
  if (leftSuffix || leftPrefix) return globTakes(left, right)
  return rightSuffix || rightPrefix ? globTakes(right, left) : false
}

function globTakes(glob: string, name: string): boolean {
  const fixed = glob.startsWith('*') ? glob.slice(1) : glob.slice(0, -1)
  if (name.length <= fixed.length) return false
  return glob.startsWith('*') ? name.endsWith(fixed) : name.startsWith(fixed)
}
