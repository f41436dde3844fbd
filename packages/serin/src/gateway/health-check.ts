/**
 * Active health checks of a Cluster's endpoints (Mapping.health_checks), by Envoy's rules: an answer that is not expected puts an
 * endpoint out at once, silence after `unhealthyThreshold` times in a row; `healthyThreshold` good answers bring it back, one is
 * enough for an endpoint that has never been checked.
 */
import type { HealthCheck } from '../model/cluster.ts'
import { Timer } from '../wire/timer-wheel.ts'
import type { ClusterState } from './cluster-state.ts'
import type { EndpointState } from './endpoint.ts'
import { callGrpc } from './grpc-call.ts'
import { encodeHealthRequest, HEALTH_PATH, isServing } from './health-messages.ts'
import { SideRequest, type SideAnswer, type SideNeeds } from './side-request.ts'

/** Fewer healthy endpoints than this part of all: all are used, for something is wrong with the checks (Envoy's panic threshold). */
const PANIC_PART = 0.5

type Verdict = 'good' | 'bad' | 'silent'
export type Health = 'unknown' | 'healthy' | 'unhealthy'

/** What is known of one endpoint by one check. */
export interface Progress {
  readonly health: Health
  readonly goodInARow: number
  readonly silentInARow: number
}

export const UNCHECKED: Progress = { health: 'unknown', goodInARow: 0, silentInARow: 0 }

/** What is known after one more check. Pure. */
export function afterCheck(before: Progress, verdict: Verdict, check: HealthCheck): Progress {
  if (verdict === 'good') {
    const goodInARow = before.goodInARow + 1
    const recovered = before.health === 'unknown' || goodInARow >= check.healthyThreshold
    return { health: recovered || before.health === 'healthy' ? 'healthy' : 'unhealthy', goodInARow, silentInARow: 0 }
  }
  const silentInARow = verdict === 'silent' ? before.silentInARow + 1 : 0
  const stays = before.health === 'healthy' && verdict === 'silent' && silentInARow < check.unhealthyThreshold
  return { health: stays ? 'healthy' : 'unhealthy', goodInARow: 0, silentInARow }
}

/** Those to be used. The same array where all are. Pure. */
export function usable<T>(endpoints: readonly T[], isHealthy: (endpoint: T) => boolean): readonly T[] {
  const healthy = endpoints.filter(isHealthy)
  return healthy.length === endpoints.length || healthy.length < endpoints.length * PANIC_PART ? endpoints : healthy
}

export class HealthWatch {
  private readonly probes: Map<EndpointState, readonly Probe[]> = new Map<EndpointState, readonly Probe[]>()
  private readonly cluster: ClusterState
  private readonly needs: SideNeeds
  private readonly changed: () => void
  private checks: readonly HealthCheck[] = []

  /** `changed` is called when an endpoint comes or goes by its health. */
  constructor(cluster: ClusterState, needs: SideNeeds, changed: () => void) {
    this.cluster = cluster
    this.needs = needs
    this.changed = changed
  }

  /** Takes what is to be checked now; endpoints that stay keep what is known of them. */
  update(endpoints: readonly EndpointState[], checks: readonly HealthCheck[]): void {
    const same = JSON.stringify(checks) === JSON.stringify(this.checks)
    const wanted = new Set(same ? endpoints : [])
    for (const [endpoint, probes] of this.probes) {
      if (wanted.has(endpoint)) continue
      for (const probe of probes) probe.stop()
      this.probes.delete(endpoint)
    }
    this.checks = checks
    for (const endpoint of endpoints) if (!this.probes.has(endpoint)) this.watch(endpoint)
  }

  isHealthy(endpoint: EndpointState): boolean {
    return this.probes.get(endpoint)?.every((probe) => probe.progress.health === 'healthy') === true
  }

  stop(): void {
    this.update([], [])
  }

  private watch(endpoint: EndpointState): void {
    const { cluster, needs, changed } = this
    const probes = this.checks.map((check) => new Probe({ cluster, endpoint, check, needs, changed }))
    this.probes.set(endpoint, probes)
    for (const probe of probes) probe.start()
  }
}

interface ProbeOptions {
  readonly cluster: ClusterState
  readonly endpoint: EndpointState
  readonly check: HealthCheck
  readonly needs: SideNeeds
  readonly changed: () => void
}

/** One check of one endpoint, again and again. */
class Probe {
  progress: Progress = UNCHECKED
  private readonly options: ProbeOptions
  private readonly timer: Timer = new Timer(this)
  private cancel: (() => void) | null = null
  private stopped = false

  constructor(options: ProbeOptions) {
    this.options = options
  }

  start(): void {
    const { check } = this.options
    this.cancel = check.check.kind === 'http' ? this.askHttp(check.check) : this.askGrpc(check.check)
  }

  stop(): void {
    this.stopped = true
    this.options.needs.wheel.remove(this.timer)
    this.cancel?.()
  }

  onTimer(): void {
    this.start()
  }

  private askHttp(check: Extract<HealthCheck['check'], { kind: 'http' }>): () => void {
    const { cluster, endpoint, needs } = this.options
    const side = new SideRequest({
      cluster,
      endpoint,
      octets: healthRequest(check, cluster.cluster.statName),
      timeoutMs: this.options.check.timeoutMs,
      needs,
      done: (answer) => this.heard(httpVerdict(check, answer)),
    })
    side.start()
    return () => side.cancel()
  }

  private askGrpc(check: Extract<HealthCheck['check'], { kind: 'grpc' }>): () => void {
    const { cluster, endpoint, needs } = this.options
    return callGrpc({
      cluster,
      endpoint,
      ...(check.authority !== undefined && { authority: check.authority }),
      path: HEALTH_PATH,
      message: encodeHealthRequest(check.service),
      timeoutMs: this.options.check.timeoutMs,
      needs,
      done: (message) => this.heard(message === null ? 'silent' : isServing(message) ? 'good' : 'bad'),
    })
  }

  private heard(verdict: Verdict): void {
    if (this.stopped) return
    const { check, needs, changed } = this.options
    const before = this.progress.health
    this.progress = afterCheck(this.progress, verdict, check)
    needs.wheel.set(this.timer, check.intervalMs)
    if (this.progress.health !== before) changed()
  }
}

/** The whole request, as octets. Pure. */
export function healthRequest(check: Extract<HealthCheck['check'], { kind: 'http' }>, name: string): Buffer {
  const removed = new Set(check.removeHeaders)
  const fields = [['user-agent', 'serin/health-check'] as const, ...check.addHeaders]
  const lines = fields
    .filter(([field]) => !removed.has(field.toLowerCase()))
    .map(([field, value]) => `${field}: ${value}`)
  return Buffer.from(
    `${[`GET ${check.path} HTTP/1.1`, `host: ${check.hostname ?? name}`, ...lines].join('\r\n')}\r\n\r\n`,
    'latin1',
  )
}

function httpVerdict(check: Extract<HealthCheck['check'], { kind: 'http' }>, answer: SideAnswer | null): Verdict {
  if (answer === null) return 'silent'
  return check.expectedStatuses.some(({ min, max }) => answer.status >= min && answer.status <= max) ? 'good' : 'bad'
}
