import {
  ConfigMap,
  Deployment,
  EndpointSlice,
  HorizontalPodAutoscaler,
  Lease,
  Namespace,
  Pod,
  ReplicaSet,
  Secret,
  Service,
} from '../resources/kinds.ts'
import type { Kind } from '../resources/kinds.ts'
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
  readonly slicesOf: (serviceKey: string) => readonly EndpointSliceObject[]
  readonly log: Log
  readonly synced: Promise<void>
  stop(): void
}

export type Log = (level: 'info' | 'warn', message: string) => void

/** The name under which the controllers write, as in a cluster. */
const CONTROLLER_MANAGER = 'kube-controller-manager'
const SERVICE_NAME_LABEL = 'kubernetes.io/service-name'

export function openRoom(store: Store, log: Log): Room {
  const cache = <T extends KubeObject>(kind: Kind, fieldManager = CONTROLLER_MANAGER): Cache<T> =>
    new Cache<T>({
      store,
      kind,
      fieldManager,
      onError: (error) => log('warn', `watching ${kind.plural}: ${messageOf(error)}`),
    })
  const caches = {
    deployments: cache<DeploymentObject>(Deployment),
    replicaSets: cache<ReplicaSetObject>(ReplicaSet),
    pods: cache<PodObject>(Pod),
    services: cache<ServiceObject>(Service),
    slices: cache<EndpointSliceObject>(EndpointSlice),
    namespaces: cache<NamespaceObject>(Namespace),
    configMaps: cache<ConfigMapObject>(ConfigMap),
    secrets: cache<SecretObject>(Secret),
    leases: cache<LeaseObject>(Lease),
    autoscalers: cache<HorizontalPodAutoscalerObject>(HorizontalPodAutoscaler),
  }
  return {
    store,
    ...caches,
    podsOf: caches.pods.index(controllerUid),
    replicaSetsOf: caches.replicaSets.index(controllerUid),
    podsIn: caches.pods.index(namespaceOf),
    replicaSetsIn: caches.replicaSets.index(namespaceOf),
    slicesOf: caches.slices.index((slice) => {
      const service = slice.metadata.labels?.[SERVICE_NAME_LABEL]
      return service === undefined ? [] : [`${slice.metadata.namespace ?? ''}/${service}`]
    }),
    log,
    synced: Promise.all(Object.values(caches).map((entry) => entry.synced)).then(() => undefined),
    stop: () => {
      for (const entry of Object.values(caches)) entry.stop()
    },
  }
}

function controllerUid(object: KubeObject): readonly string[] {
  const uid = controllerOf(object)?.uid
  return uid === undefined ? [] : [uid]
}

function namespaceOf(object: KubeObject): readonly string[] {
  return [object.metadata.namespace ?? '']
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Somebody else was faster: the next look will see it. Not worth a line in the log. */
export function isOrdinary(error: unknown): boolean {
  return isConflict(error) || isGone(error)
}
