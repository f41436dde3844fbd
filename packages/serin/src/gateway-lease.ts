/**
 * How the gateway says that it is alive, and which endpoints its workers know: Lease `kube-system/serin-gateway`.
 * The kubelet's part waits for it before it stops a pod (ARCHITECTURE.md, "An endpoint leaves before its pod stops"), so a write
 * goes out at once; while one is under way, only the newest of those that come waits.
 */
import type { KubeObject } from './resources/object.ts'
import { Lease } from './resources/kinds.ts'
import { type ObjectKey, type Store, StoreError } from './store/store.ts'

const GATEWAY_LEASE: ObjectKey = { namespace: 'kube-system', name: 'serin-gateway' }
const APPLIED_ENDPOINTSLICES = 'serin.dev/applied-endpointslices'
/** Without a renewal for this long, the gateway counts as dead. */
const LEASE_SECONDS = 15
const RENEW_EVERY_MS = 5_000
const RETRY_MS = 250

export interface GatewayLease {
  /** All workers have applied the EndpointSlices up to this version. Versions only grow. */
  applied(resourceVersion: string): void
  /** Says that nobody has to wait for this gateway any more. */
  stop(): Promise<void>
}

export interface GatewayLeaseOptions {
  readonly store: Store
  /** Which process it is. */
  readonly holder: string
  readonly onError: (error: unknown) => void
}

export function keepGatewayLease(options: GatewayLeaseOptions): GatewayLease {
  return new LeaseWriter(options)
}

class LeaseWriter implements GatewayLease {
  readonly #options: GatewayLeaseOptions
  readonly #timer: NodeJS.Timeout
  #version = '0'
  #wanted = false
  #writing: Promise<void> | undefined
  #stopped = false

  constructor(options: GatewayLeaseOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#want(), RENEW_EVERY_MS)
  }

  applied(resourceVersion: string): void {
    if (Number(resourceVersion) <= Number(this.#version)) return
    this.#version = resourceVersion
    this.#want()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#writing
    try {
      await this.#options.store.delete(Lease, GATEWAY_LEASE)
    } catch {
      // The API is gone already, or never saw it: the Lease ends by its time.
    }
  }

  #want(): void {
    this.#wanted = true
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
    })
  }

  async #writeAll(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false
      try {
        await this.#write()
      } catch (error) {
        this.#options.onError(error)
        this.#wanted = true
        await new Promise((resolve) => {
          setTimeout(resolve, RETRY_MS)
        })
      }
    }
  }

  async #write(): Promise<void> {
    const { store } = this.#options
    const body = this.#body()
    try {
      await store.patch(Lease, GATEWAY_LEASE, { type: 'merge', body })
    } catch (error) {
      if (!(error instanceof StoreError) || error.reason !== 'NotFound') throw error
      await store.create<KubeObject>(Lease, {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { ...GATEWAY_LEASE, annotations: body.metadata.annotations },
        spec: body.spec,
      })
    }
  }

  #body(): { metadata: { annotations: Record<string, string> }; spec: Record<string, unknown> } {
    return {
      metadata: { annotations: { [APPLIED_ENDPOINTSLICES]: this.#version } },
      spec: {
        holderIdentity: this.#options.holder,
        leaseDurationSeconds: LEASE_SECONDS,
        // MicroTime: six digits.
        renewTime: new Date().toISOString().replace('Z', '000Z'),
      },
    }
  }
}
