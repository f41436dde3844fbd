/** A Cluster in one worker: its endpoints and whose turn it is. Lives on while the Snapshots change around it. */
import type { Cluster, Endpoint } from '../model/cluster.ts'
import type { Meter } from '../metrics/meter.ts'
import { CELL } from '../metrics/cells.ts'
import type { ClientContext } from '../wire/client-connection.ts'
import { type Balancer, balancerFor } from './balancer.ts'
import { EndpointState, type EndpointConduct } from './endpoint.ts'
import { DnsWatch } from './dns.ts'
import { HealthWatch, usable } from './health-check.ts'

/** Linux's own, where a Mapping wants probes and does not say after what time. */
const KEEP_ALIVE_SECONDS = 7200

export class ClusterState {
  cluster: Cluster
  meter: Meter
  /** In the order of the Snapshot. */
  endpoints: readonly EndpointState[] = []
  /** Those that requests are given to: all but what health checks put out. */
  private available: readonly EndpointState[] = []
  private health: HealthWatch | null = null
  readonly conduct: EndpointConduct
  private readonly priority: 'default' | 'high'
  private balancer: Balancer | null = null
  /** The same endpoints for requests of high priority: their connections and limits are apart, as in Envoy. */
  private high: ClusterState | null = null
  private readonly context: ClientContext
  private cursor: number
  private dns: DnsWatch | null = null

  constructor(cluster: Cluster, context: ClientContext, meter: Meter, priority: 'default' | 'high' = 'default') {
    this.priority = priority
    this.cluster = cluster
    this.context = context
    this.meter = meter
    this.conduct = {
      connectTimeoutMs: 0,
      idleTimeoutMs: 0,
      lifetimeMs: 0,
      keepAliveSeconds: 0,
      limits: cluster.limits.default,
      http2: false,
      tls: null,
      connections: 0,
      pending: 0,
      requests: 0,
      retries: 0,
    }
    // Workers that all begin with the first endpoint would favour it.
    this.cursor = Math.floor(Math.random() * 1024)
    this.update(cluster, meter)
  }

  /** Takes a new version of the same Cluster. Endpoints that stay keep their connections. */
  update(cluster: Cluster, meter: Meter): void {
    if (this.balancer === null || cluster.balance !== this.cluster.balance) this.balancer = balancerFor(cluster.balance)
    this.cluster = cluster
    this.meter = meter
    this.conduct.connectTimeoutMs = cluster.connectTimeoutMs
    this.conduct.lifetimeMs = cluster.connectionLifetimeMs ?? 0
    this.conduct.keepAliveSeconds = cluster.keepalive ? (cluster.keepalive.idleSeconds ?? KEEP_ALIVE_SECONDS) : 0
    this.conduct.idleTimeoutMs = cluster.idleTimeoutMs ?? this.context.limits.upstreamIdleMs
    this.conduct.limits = cluster.limits[this.priority]
    this.setTransport(cluster)
    this.high?.update(cluster, meter)
    if (cluster.source.kind === 'endpoints') {
      this.dns?.stop()
      this.dns = null
      this.setEndpoints(cluster.source.endpoints)
    } else if (this.dns?.matches(cluster.source) !== true) {
      this.dns?.stop()
      this.dns = new DnsWatch(cluster.source, (endpoints) => this.setEndpoints(endpoints))
    }
  }

  /** Settles when names have been looked up once. */
  ready(): Promise<void> {
    return this.dns?.first ?? Promise.resolve()
  }

  forPriority(priority: 'default' | 'high'): ClusterState {
    if (priority === this.priority) return this
    this.high ??= new ClusterState(this.cluster, this.context, this.meter, 'high')
    return this.high
  }

  /** As many requests are under way as there may be. */
  get isFull(): boolean {
    return this.conduct.requests >= this.conduct.limits.requestsMax
  }

  /** The endpoint for a request whose key has this hash; -1: it has none. Null: no endpoint. */
  pickFor(hash: number): EndpointState | null {
    if (this.balancer === null || this.available.length === 0) return this.pick()
    return this.balancer.pick(this.available, hash)
  }

  /** The next endpoint. Null: none. */
  pick(): EndpointState | null {
    const { available } = this
    const count = available.length
    if (count === 0) return null
    if (this.balancer !== null) return this.balancer.pick(available, -1)
    if (this.cursor >= count) this.cursor %= count
    return available[this.cursor++]!
  }

  /** Connections that speak otherwise, or were secured otherwise, are not used any more. */
  private setTransport(cluster: Cluster): void {
    const { conduct } = this
    const before = JSON.stringify([conduct.http2, conduct.tls])
    conduct.http2 = cluster.protocol === 'http2'
    conduct.tls = cluster.tls ?? null
    if (JSON.stringify([conduct.http2, conduct.tls]) === before) return
    const endpoints = this.endpoints.map(({ endpoint }) => endpoint)
    this.setEndpoints([])
    this.setEndpoints(endpoints)
  }

  /** The Cluster left the Snapshot. */
  retire(): void {
    this.dns?.stop()
    this.dns = null
    this.high?.retire()
    this.setEndpoints([])
  }

  private setEndpoints(endpoints: readonly Endpoint[]): void {
    const known = new Map(this.endpoints.map((state) => [state.endpoint.id, state]))
    this.endpoints = endpoints.map((endpoint) => {
      const state = known.get(endpoint.id)
      known.delete(endpoint.id)
      return state ?? new EndpointState(endpoint, this.context, this.conduct)
    })
    for (const gone of known.values()) gone.retire()
    this.watchHealth()
    this.setAvailable()
  }

  private watchHealth(): void {
    const { healthChecks } = this.cluster
    if (healthChecks.length === 0) {
      this.health?.stop()
      this.health = null
      return
    }
    this.health ??= new HealthWatch(this, this.context, () => this.setAvailable())
    this.health.update(this.endpoints, healthChecks)
  }

  private setAvailable(): void {
    const { endpoints, health, meter } = this
    this.available = health === null ? endpoints : usable(endpoints, (endpoint) => health.isHealthy(endpoint))
    const healthy =
      health === null ? endpoints.length : endpoints.filter((endpoint) => health.isHealthy(endpoint)).length
    meter.set(CELL.membersTotal, endpoints.length)
    meter.set(CELL.membersHealthy, healthy)
  }
}
