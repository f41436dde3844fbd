/**
 * The kinds serin knows: one table that the API's discovery, the CLI, the stores and the compiler read.
 * Names, short names and categories are those of the projects the kinds come from.
 */

export interface Kind {
  /** `''` is Kubernetes' core group. */
  readonly group: string
  readonly version: string
  readonly kind: string
  /** As in URLs. */
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly namespaced: boolean
  readonly subresources: readonly ('status' | 'scale')[]
  /** Other versions of the same kind that are read and written and stored as `version`. */
  readonly otherVersions: readonly string[]
}

type Extra = Partial<
  Pick<Kind, 'singular' | 'shortNames' | 'categories' | 'namespaced' | 'subresources' | 'otherVersions'>
>

function kind(group: string, version: string, name: string, plural: string, extra: Extra = {}): Kind {
  return {
    group,
    version,
    kind: name,
    plural,
    singular: name.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    subresources: [],
    otherVersions: [],
    ...extra,
  }
}

const ambassador = (name: string, plural: string, extra: Extra = {}): Kind =>
  kind('getambassador.io', 'v3alpha1', name, plural, {
    categories: ['ambassador-crds'],
    subresources: ['status'],
    otherVersions: ['v2'],
    ...extra,
  })

export const Namespace: Kind = kind('', 'v1', 'Namespace', 'namespaces', {
  shortNames: ['ns'],
  namespaced: false,
  subresources: ['status'],
})
export const Node: Kind = kind('', 'v1', 'Node', 'nodes', {
  shortNames: ['no'],
  namespaced: false,
  subresources: ['status'],
})
export const Pod: Kind = kind('', 'v1', 'Pod', 'pods', {
  shortNames: ['po'],
  categories: ['all'],
  subresources: ['status'],
})
export const Service: Kind = kind('', 'v1', 'Service', 'services', {
  shortNames: ['svc'],
  categories: ['all'],
  subresources: ['status'],
})
export const ConfigMap: Kind = kind('', 'v1', 'ConfigMap', 'configmaps', { shortNames: ['cm'] })
export const Secret: Kind = kind('', 'v1', 'Secret', 'secrets')
export const Event: Kind = kind('', 'v1', 'Event', 'events', { shortNames: ['ev'] })
export const Endpoints: Kind = kind('', 'v1', 'Endpoints', 'endpoints', { shortNames: ['ep'] })
export const ServiceAccount: Kind = kind('', 'v1', 'ServiceAccount', 'serviceaccounts', { shortNames: ['sa'] })
export const Deployment: Kind = kind('apps', 'v1', 'Deployment', 'deployments', {
  shortNames: ['deploy'],
  categories: ['all'],
  subresources: ['status', 'scale'],
})
export const ReplicaSet: Kind = kind('apps', 'v1', 'ReplicaSet', 'replicasets', {
  shortNames: ['rs'],
  categories: ['all'],
  subresources: ['status', 'scale'],
})
export const EndpointSlice: Kind = kind('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices')
export const Lease: Kind = kind('coordination.k8s.io', 'v1', 'Lease', 'leases')
export const HorizontalPodAutoscaler: Kind = kind(
  'autoscaling',
  'v2',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
  { shortNames: ['hpa'], categories: ['all'], subresources: ['status'], otherVersions: ['v1'] },
)
export const CustomResourceDefinition: Kind = kind(
  'apiextensions.k8s.io',
  'v1',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  { shortNames: ['crd', 'crds'], categories: ['api-extensions'], namespaced: false, subresources: ['status'] },
)

export const Ingress: Kind = kind('networking.k8s.io', 'v1', 'Ingress', 'ingresses', {
  shortNames: ['ing'],
  subresources: ['status'],
})
export const IngressClass: Kind = kind('networking.k8s.io', 'v1', 'IngressClass', 'ingressclasses', {
  namespaced: false,
})

export const Listener: Kind = ambassador('Listener', 'listeners')
export const Host: Kind = ambassador('Host', 'hosts')
export const Mapping: Kind = ambassador('Mapping', 'mappings')
export const TCPMapping: Kind = ambassador('TCPMapping', 'tcpmappings')
export const Module: Kind = ambassador('Module', 'modules')
export const TLSContext: Kind = ambassador('TLSContext', 'tlscontexts')
export const AuthService: Kind = ambassador('AuthService', 'authservices')
export const RateLimitService: Kind = ambassador('RateLimitService', 'ratelimitservices')
export const LogService: Kind = ambassador('LogService', 'logservices')
export const TracingService: Kind = ambassador('TracingService', 'tracingservices')
export const DevPortal: Kind = ambassador('DevPortal', 'devportals')
export const KubernetesEndpointResolver: Kind = ambassador('KubernetesEndpointResolver', 'kubernetesendpointresolvers')
export const KubernetesServiceResolver: Kind = ambassador('KubernetesServiceResolver', 'kubernetesserviceresolvers')
export const ConsulResolver: Kind = ambassador('ConsulResolver', 'consulresolvers')

/** In the order in which `apply` writes them: what others need comes first. */
export const KINDS: readonly Kind[] = [
  Namespace,
  CustomResourceDefinition,
  Node,
  ServiceAccount,
  Secret,
  ConfigMap,
  Service,
  Endpoints,
  EndpointSlice,
  Lease,
  Module,
  KubernetesEndpointResolver,
  KubernetesServiceResolver,
  ConsulResolver,
  AuthService,
  RateLimitService,
  LogService,
  TracingService,
  DevPortal,
  TLSContext,
  Listener,
  Host,
  Mapping,
  TCPMapping,
  IngressClass,
  Ingress,
  Deployment,
  ReplicaSet,
  Pod,
  HorizontalPodAutoscaler,
  Event,
]

const byGroupKind = new Map(KINDS.map((entry) => [`${entry.group}/${entry.kind}`, entry]))

/** The kind that `apiVersion` and `kind` of a document name, in any version that is read; undefined if serin does not know it. Pure. */
export function findKind(apiVersion: string, name: string): Kind | undefined {
  const slash = apiVersion.indexOf('/')
  const group = slash === -1 ? '' : apiVersion.slice(0, slash)
  const version = apiVersion.slice(slash + 1)
  const entry = byGroupKind.get(`${group}/${name}`)
  if (entry === undefined) return undefined
  return entry.version === version || entry.otherVersions.includes(version) ? entry : undefined
}

/** `apps/v1`, or `v1` for the core group. Pure. */
export function apiVersionOf(entry: Kind): string {
  return entry.group === '' ? entry.version : `${entry.group}/${entry.version}`
}
