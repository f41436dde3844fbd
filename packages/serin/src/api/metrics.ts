/** metrics.k8s.io/v1beta1, for `kubectl top`: the figures come from the runtimes. */
import { Node, Pod } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import type { EmbeddedStore } from '../store/embedded.ts'
import { StoreError } from '../store/store.ts'
import type { Route } from './route.ts'
import { noSuchResource } from './status.ts'

export interface Usage {
  /** Of one core: 0.25 is 250m. */
  readonly cpuCores: number
  readonly memoryBytes: number
}

export interface MetricsHandlers {
  /** Per container; undefined when nothing is known of the pod (yet). */
  pod(pod: KubeObject): readonly { readonly name: string; readonly usage: Usage }[] | undefined
  node(): Usage
}

/** Over which the usage was measured, as told. */
const WINDOW = '10s'

/** Throws StoreError `NotFound`. */
export async function serveMetrics(
  handlers: MetricsHandlers | undefined,
  store: EmbeddedStore,
  route: Extract<Route, { type: 'metrics' }>,
  query: URLSearchParams,
): Promise<unknown> {
  if (handlers === undefined) throw noSuchResource()
  const kind = route.resource === 'pods' ? Pod : Node
  const labelSelector = query.get('labelSelector')
  const { items, resourceVersion } = await store.list(kind, {
    ...(route.namespace === undefined ? {} : { namespace: route.namespace }),
    ...(labelSelector === null ? {} : { labelSelector }),
  })
  const present = items.flatMap((object) => {
    const entry = route.resource === 'pods' ? podMetrics(handlers, object) : nodeMetrics(handlers, object)
    return entry === undefined ? [] : [entry]
  })
  if (route.name === undefined) {
    const list = route.resource === 'pods' ? 'PodMetricsList' : 'NodeMetricsList'
    return { kind: list, apiVersion: 'metrics.k8s.io/v1beta1', metadata: { resourceVersion }, items: present }
  }
  const found = present.find(({ metadata }) => metadata.name === route.name)
  if (found !== undefined) return found
  throw new StoreError(
    'NotFound',
    `${route.resource}.metrics.k8s.io "${route.namespace === undefined ? '' : `${route.namespace}/`}${route.name}" not found`,
    {
      details: { name: route.name, group: 'metrics.k8s.io', kind: route.resource },
    },
  )
}

interface Metrics {
  readonly metadata: { readonly name: string }
}

function podMetrics(handlers: MetricsHandlers, pod: KubeObject): Metrics | undefined {
  const containers = handlers.pod(pod)
  if (containers === undefined) return undefined
  return {
    ...head('PodMetrics', pod),
    containers: containers.map(({ name, usage }) => ({ name, usage: quantities(usage) })),
  } as Metrics
}

function nodeMetrics(handlers: MetricsHandlers, node: KubeObject): Metrics {
  return { ...head('NodeMetrics', node), usage: quantities(handlers.node()) } as Metrics
}

function head(kind: string, { metadata }: KubeObject): Metrics {
  const { name, namespace, labels, creationTimestamp } = metadata
  const timestamp = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  return {
    kind,
    apiVersion: 'metrics.k8s.io/v1beta1',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      creationTimestamp,
    },
    timestamp,
    window: WINDOW,
  } as Metrics
}

function quantities({ cpuCores, memoryBytes }: Usage): { cpu: string; memory: string } {
  return { cpu: `${Math.ceil(cpuCores * 1e9)}n`, memory: `${Math.ceil(memoryBytes / 1024)}Ki` }
}
