import type { Store } from '../store/store.ts'
import { startDeploymentController } from './deployment/controller.ts'
import { startEndpointController } from './endpoints/controller.ts'
import { startGarbageCollector } from './garbage/collector.ts'
import { startNamespaceController } from './garbage/namespaces.ts'
import type { PodAccess } from './pods/access.ts'
import { startReplicaSetController } from './replicaset/controller.ts'
import { openRoom, type Log } from './room.ts'

/**
 * The door of the workloads room: the controllers (Deployment, ReplicaSet, EndpointSlice, garbage, namespaces) and the
 * kubelet's part, over a store. Everything they do is seen in the store; a control process that died leaves pods running,
 * and the next one adopts them.
 */
export interface WorkloadsOptions {
  readonly store: Store
  /** Where pods keep logs, volumes and their processes' identity (`DATA/pods`). */
  readonly directory: string
  /** JSON: image name → directory to start it from (`DATA/images.json`). May be absent. */
  readonly imagesFile: string
  /** `none` leaves pods to whoever plays the kubelet through the API. Default `auto`: containers for images that podman or docker has, else processes. */
  readonly runtime?: RuntimeChoice
  /** Addresses for Services of type LoadBalancer, as `127.98.0.0/16`; `none` leaves them pending. Default loopback. */
  readonly loadBalancerRange?: string
  /** Default: to nowhere. */
  readonly log?: Log
}

export type RuntimeChoice = 'auto' | 'process' | 'container' | 'none'

export interface Workloads {
  /** Logs, exec, port-forward, usage: for the API. Undefined with runtime `none`. */
  readonly pods: PodAccess | undefined
  /** `keepPods`: programs go on running and are adopted by the next start. Otherwise they are stopped, in order; their objects stay. */
  stop(options?: { readonly keepPods?: boolean }): Promise<void>
}

/** Resolves when every kind is listed and pods of an earlier control process are adopted. */
export async function startWorkloads(options: WorkloadsOptions): Promise<Workloads> {
  const room = openRoom(options.store, options.log ?? (() => {}))
  const controllers = [
    startDeploymentController(room),
    startReplicaSetController(room),
    startEndpointController(room),
    startGarbageCollector(room),
    startNamespaceController(room),
  ]
  await room.synced
  return {
    pods: undefined,
    stop: async () => {
      await Promise.all(controllers.map((controller) => controller.stop()))
      room.stop()
    },
  }
}
