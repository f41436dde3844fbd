/** Local copies of everything the compiler reads, kept up to date from an API. */
import * as kinds from './resources/kinds.ts'
import type { KubeObject } from './resources/object.ts'
import { createInformer, type Informer } from './store/informer.ts'
import type { Store } from './store/store.ts'

/** All that the compiler reads. */
export const GATEWAY_KINDS: readonly kinds.Kind[] = [
  kinds.EndpointSlice,
  kinds.Service,
  kinds.Mapping,
  kinds.Host,
  kinds.Listener,
  kinds.TCPMapping,
  kinds.Module,
  kinds.TLSContext,
  kinds.Secret,
  kinds.AuthService,
  kinds.RateLimitService,
  kinds.LogService,
  kinds.TracingService,
  kinds.KubernetesEndpointResolver,
  kinds.KubernetesServiceResolver,
  kinds.ConsulResolver,
  kinds.Ingress,
  kinds.IngressClass,
]

export interface GatewayResources {
  /** Resolves when every kind was listed. */
  readonly synced: Promise<void>
  /** All objects as they are now; what did not change keeps its identity. */
  read(): readonly KubeObject[]
  /** Everything about EndpointSlices up to this version is in `read()`. */
  readonly endpointSlicesVersion: string
  onChange(callback: () => void): void
  stop(): void
}

export function watchGatewayResources(store: Store, onError: (error: unknown) => void): GatewayResources {
  const informers = new Map<kinds.Kind, Informer<KubeObject>>(
    GATEWAY_KINDS.map((kind) => [kind, createInformer(store, kind, { onError })]),
  )
  const all = [...informers.values()]
  return {
    synced: Promise.all(all.map((informer) => informer.synced)).then(() => undefined),
    read: () => all.flatMap((informer) => informer.list()),
    get endpointSlicesVersion() {
      return informers.get(kinds.EndpointSlice)?.resourceVersion ?? ''
    },
    onChange(callback) {
      for (const informer of all) informer.onChange(callback)
    },
    stop() {
      for (const informer of all) informer.stop()
    },
  }
}
