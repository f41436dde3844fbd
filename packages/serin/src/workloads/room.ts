import {
  ConfigMap,
  Deployment,
  EndpointSlice,
  Event,
  HorizontalPodAutoscaler,
  KINDS,
  Lease,
  Namespace,
  Pod,
  ReplicaSet,
  Secret,
  Service,
  type Kind,
} from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import type {
  ConfigMapObject,
  DeploymentObject,
  EndpointSliceObject,
  HorizontalPodAutoscalerObject,
  LeaseObject,
  NamespaceObject,
  PodObject,
  ReplicaSetObject,
  SecretObject,
  ServiceObject,
} from '../resources/kubernetes/types.ts'
import type { Store } from '../store/store.ts'
import { Cache, isConflict, isGone } from './cache.ts'
import { controllerOf } from './owners.ts'

/** What all controllers of the room share: the store, one copy of each kind, and where trouble is told. */
export interface Room {
  readonly store: Store
  /** Every kind but Events, which nobody has to follow. */
  readonly all: ReadonlyMap<Kind, Cache<KubeObject>>
  readonly deployments: Cache<DeploymentObject>
  readonly replicaSets: Cache<ReplicaSetObject>
  readonly pods: Cache<PodObject>
  readonly services: Cache<ServiceObject>
  readonly slices: Cache<EndpointSliceObject>
  readonly namespaces: Cache<NamespaceObject>
  readonly configMaps: Cache<ConfigMapObject>
  readonly secrets: Cache<SecretObject>
  readonly leases: Cache<LeaseObject>
  readonly autoscalers: Cache<HorizontalPodAutoscalerObject>
  /** By the uid of the object that controls them. */
  readonly podsOf: (uid: string) => readonly PodObject[]
  readonly replicaSetsOf: (uid: string) => readonly ReplicaSetObject[]
  readonly podsIn: (namespace: string) => readonly PodObject[]
  readonly replicaSetsIn: (namespace: string) => readonly ReplicaSetObject[]
  readonly servicesIn: (namespace: string) => readonly ServiceObject[]
  /** By `namespace/name` of the Service. */
  readonly slicesOf: (serviceKey: string) => readonly EndpointSliceObject[]
  /** By the uid of the Pod behind one of its endpoints. */
  readonly slicesWith: (podUid: string) => readonly EndpointSliceObject[]
  readonly log: Log
  readonly synced: Promise<void>
  stop(): void
}

export type Log = (level: 'info' | 'warn', message: string) => void

/** What every controller gives to those who start it. */
export interface Controller {
  /** Waits for what is under way. */
  stop(): Promise<void>
  /** Nothing of this namespace has to be looked at, written or told now. */
  isIdleIn(namespace: string): boolean
}

/** The name under which the controllers write, as in a cluster. */
const CONTROLLER_MANAGER = 'kube-controller-manager'
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name'

export function openRoom(store: Store, log: Log): Room {
  const all = new Map(KINDS.filter((kind) => kind !== Event).map((kind) => [kind, openCache(store, kind, log)]))
  const cache = <T extends KubeObject>(kind: Kind): Cache<T> => {
    const found = all.get(kind)
    if (found === undefined) throw new Error(`no copy of ${kind.plural}`)
    // The table of kinds says which objects a kind has; the type system does not know that table.
    return found as unknown as Cache<T>
  }
  const pods = cache<PodObject>(Pod)
  const replicaSets = cache<ReplicaSetObject>(ReplicaSet)
  const services = cache<ServiceObject>(Service)
  const slices = cache<EndpointSliceObject>(EndpointSlice)
  return {
    store,
    all,
    pods,
    replicaSets,
    services,
    slices,
    deployments: cache<DeploymentObject>(Deployment),
    namespaces: cache<NamespaceObject>(Namespace),
    configMaps: cache<ConfigMapObject>(ConfigMap),
    secrets: cache<SecretObject>(Secret),
    leases: cache<LeaseObject>(Lease),
    autoscalers: cache<HorizontalPodAutoscalerObject>(HorizontalPodAutoscaler),
    podsOf: pods.index(controllerUid),
    replicaSetsOf: replicaSets.index(controllerUid),
    podsIn: pods.index(namespaceOf),
    replicaSetsIn: replicaSets.index(namespaceOf),
    servicesIn: services.index(namespaceOf),
    slicesOf: slices.index(serviceKeys),
    slicesWith: slices.index((slice) => (slice.endpoints ?? []).map((endpoint) => endpoint.targetRef?.uid ?? '')),
    log,
    synced: Promise.all([...all.values()].map((entry) => entry.synced)).then(() => undefined),
    stop: () => {
      for (const entry of all.values()) entry.stop()
    },
  }
}

function openCache(store: Store, kind: Kind, log: Log): Cache<KubeObject> {
  return new Cache<KubeObject>({
    store,
    kind,
    fieldManager: CONTROLLER_MANAGER,
    onError: (error) => log('warn', `watching ${kind.plural}: ${messageOf(error)}`),
  })
}

function controllerUid(object: KubeObject): readonly string[] {
  const uid = controllerOf(object)?.uid
  return uid === undefined ? [] : [uid]
}

function namespaceOf(object: KubeObject): readonly string[] {
  return [object.metadata.namespace ?? '']
}

function serviceKeys(slice: EndpointSliceObject): readonly string[] {
  const service = slice.metadata.labels?.[SERVICE_NAME_LABEL]
  return service === undefined ? [] : [`${slice.metadata.namespace ?? ''}/${service}`]
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Somebody else was faster: the next look will see it. Not worth a line in the log. */
export function isOrdinary(error: unknown): boolean {
  return isConflict(error) || isGone(error)
}
