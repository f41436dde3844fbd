import type { Store } from '../store/store.ts'
import { startAutoscaler } from './autoscaling/controller.ts'
import type { MetricSource } from './autoscaling/metrics.ts'
import { readTraffic } from './autoscaling/traffic.ts'
import { startConfigRestarts } from './deployment/config-restart.ts'
import { startDeploymentController } from './deployment/controller.ts'
import { startEndpointController } from './endpoints/controller.ts'
import { startGarbageCollector } from './garbage/collector.ts'
import { startNamespaceController } from './garbage/namespaces.ts'
import type { ContainerUsage, PodAccess, UsageAccess } from './pods/access.ts'
import { startReplicaSetController } from './replicaset/controller.ts'
import type { RuntimeChoice } from './choices.ts'
import { createEndpointGate, type EndpointGate } from './endpoint-gate.ts'
import { EventRecorder } from './events.ts'
import { createImageSource } from './images.ts'
import { joinRuntimes } from './pods/context.ts'
import { nodeNameOfHost, startKubelet, type Kubelet } from './pods/kubelet.ts'
import { PortAllocator } from './pods/ports.ts'
import { messageOf, openRoom, type Log, type Room } from './room.ts'
import { createContainerRuntime } from './runtimes/container.ts'
import { findEngine } from './runtimes/engine.ts'
import { createProcessRuntime } from './runtimes/process.ts'
import { AddressRange } from './services/addresses.ts'
import { startServiceController } from './services/controller.ts'

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
  /** Addresses for Services of type LoadBalancer, as `127.112.0.0/16` (the default) or `10.0.0.5-10.0.0.9`; `none` leaves them pending. */
  readonly loadBalancerRange?: string
  /** The gateway's `/metrics`, for autoscalers by requests and latency. Absent: such metrics cannot be read. */
  readonly gatewayMetrics?: () => Promise<string>
  /** Default: to nowhere. */
  readonly log?: Log
}

/** All pods of this machine share this address; each has its own ports. */
const LOOPBACK = '127.0.0.1'

/** Of load balancers, when nothing is said: beside the cluster IPs in 127.96.0.0/12. */
const BALANCER_RANGE = '127.112.0.0/16'

export interface Workloads {
  /** Logs, exec, port-forward: for the API (its PodHandlers). Undefined with runtime `none`. */
  readonly pods: PodAccess | undefined
  /** For `kubectl top` (the API's MetricsHandlers). Undefined with runtime `none`. */
  readonly usage: UsageAccess | undefined
  /** No controller has anything to do in this namespace now. Pods of this machine are not asked. */
  isIdleIn(namespace: string): boolean
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
    startConfigRestarts(room),
    startGarbageCollector(room),
    startNamespaceController(room),
    startServiceController(room, {
      nodeAddress: LOOPBACK,
      balancers: balancerRange(options.loadBalancerRange),
      listens: options.runtime !== 'none',
    }),
  ]
  const gate = createEndpointGate(room)
  await room.synced
  const kubelet = await startKubeletFor(options, room, gate)
  controllers.push(startAutoscaler(room, metricSource(room, kubelet?.usage, options.gatewayMetrics)))
  return {
    pods: kubelet?.access,
    usage: kubelet?.usage,
    isIdleIn: (namespace) => controllers.every((controller) => controller.isIdleIn(namespace)),
    stop: async ({ keepPods = false } = {}) => {
      await Promise.all(controllers.map((controller) => controller.stop()))
      await kubelet?.stop({ keepPods })
      room.stop()
    },
  }
}

/** What autoscalers read: use of this machine from the runtimes, requests and latency from whoever counts them. */
function metricSource(
  room: Room,
  usage: UsageAccess | undefined,
  gatewayMetrics: WorkloadsOptions['gatewayMetrics'] = () => Promise.resolve(''),
): MetricSource {
  const traffic = readTraffic(room, gatewayMetrics)
  return {
    resource: (pod, name, container) => {
      const containers = usage?.pod(pod)?.filter((entry) => container === undefined || entry.name === container)
      if (containers === undefined || containers.length === 0) return undefined
      const of = (entry: ContainerUsage): number =>
        name === 'cpu' ? entry.usage.cpuCores * 1000 : entry.usage.memoryBytes
      return containers.reduce((sum, entry) => sum + of(entry), 0)
    },
    ...traffic,
  }
}

/** Throws for a text that is no range. */
function balancerRange(text: string = BALANCER_RANGE): AddressRange | undefined {
  if (text === 'none') return undefined
  const range = AddressRange.parse(text)
  if (range === undefined)
    throw new Error(`${JSON.stringify(text)} is no range of addresses: 127.112.0.0/16, or 127.0.0.10-127.0.0.20`)
  return range
}

async function startKubeletFor(
  options: WorkloadsOptions,
  room: Room,
  gate: EndpointGate,
): Promise<Kubelet | undefined> {
  const { directory, imagesFile, runtime = 'auto' } = options
  if (runtime === 'none') return undefined
  const processes = runtime !== 'container'
  const engine = runtime === 'process' ? undefined : findEngine()
  if (engine === undefined && !processes) throw new Error('runtime container needs podman or docker in PATH')
  const nodeName = nodeNameOfHost()
  return startKubelet({
    room,
    directory,
    runtimes: joinRuntimes({
      ...(processes ? { process: createProcessRuntime(directory) } : {}),
      ...(engine === undefined ? {} : { container: createContainerRuntime(engine, directory) }),
    }),
    images: createImageSource({ file: imagesFile, engine, processes }),
    ports: new PortAllocator(),
    gate,
    events: new EventRecorder({
      store: room.store,
      component: 'kubelet',
      host: nodeName,
      onError: (error) => room.log('warn', `pod event: ${messageOf(error)}`),
    }),
    nodeName,
    hostIP: LOOPBACK,
    podIP: LOOPBACK,
    log: room.log,
  })
}
