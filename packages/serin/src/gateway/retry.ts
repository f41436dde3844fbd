/**
 * Retries of one request, as Envoy's router does them: which failures are worth another try, how long to wait before it, and what
 * is sent again. A request keeps its version; its endpoint is chosen anew.
 */
import type { RetryPolicy } from '../model/destination.ts'
import { CELL } from '../metrics/cells.ts'
import { FAULTS, type Fault } from '../wire/fault.ts'
import { octetsOf } from '../wire/octets.ts'
import type { OutBuffer } from '../wire/out-buffer.ts'
import type { ClusterState } from './cluster-state.ts'

/** Envoy's defaults: the wait doubles from 25 ms to 250 ms, and is drawn from 0 up to that. */
const BACK_OFF_MS_FIRST = 25
const BACK_OFF_MS_MAX = 250

const EXPECTED_TIMEOUT = octetsOf('\r\nx-envoy-expected-rq-timeout-ms: ')
const CR = 13

/** Whether an answer with this status is worth another try. Pure. */
export function retriesStatus(on: RetryPolicy['on'], status: number): boolean {
  switch (on) {
    case '5xx':
      return status >= 500
    case 'gateway-error':
      return status === 502 || status === 503 || status === 504
    case 'retriable-4xx':
      return status === 409
    case 'connect-failure':
    case 'refused-stream':
    // There is no way to say which codes, so there are none (as in Emissary).
    case 'retriable-status-codes':
      return false
  }
}

/** Whether the lack of an answer is. Pure. */
export function retriesFault(on: RetryPolicy['on'], fault: Fault): boolean {
  if (fault === FAULTS.overflow) return false
  if (on === '5xx' || on === 'gateway-error') return true
  if (on === 'refused-stream') return fault === FAULTS.streamRefused
  return on === 'connect-failure' && (fault === FAULTS.connectFailed || fault === FAULTS.connectTimeout)
}

/** Milliseconds before retry number `retry` (from 1). `random` is in [0, 1). Pure. */
export function backOffMs(retry: number, random: number): number {
  return Math.floor(random * Math.min(BACK_OFF_MS_FIRST * 2 ** (retry - 1), BACK_OFF_MS_MAX))
}

/** What one request has for its retries: the policy, how many there were, its octets, and its part in the cluster's budget. */
export class Retries {
  private readonly policy: RetryPolicy
  private readonly cluster: ClusterState
  private readonly bytesMax: number
  private count = 0
  private holdsBudget = false
  private kept: Buffer[] = []
  private keptBytes = 0

  /** A request larger than `bytesMax` is not sent again. */
  constructor(policy: RetryPolicy, cluster: ClusterState, bytesMax: number) {
    this.policy = policy
    this.cluster = cluster
    this.bytesMax = bytesMax
  }

  /** Remembers buffer[start, end) of the request as it is sent. */
  keep(buffer: Uint8Array, start: number, end: number): void {
    if (start === end || this.keptBytes > this.bytesMax) return
    this.keptBytes += end - start
    if (this.keptBytes > this.bytesMax) this.kept = []
    else this.kept.push(Buffer.from(buffer.subarray(start, end)))
  }

  /** A try has ended: with an answer of this status, or without one. True: there will be another, and its part of the budget is taken. */
  next(status: number, fault: Fault | null): boolean {
    this.end()
    const { policy, cluster } = this
    const { conduct, meter } = cluster
    const wanted = fault === null ? retriesStatus(policy.on, status) : retriesFault(policy.on, fault)
    if (!wanted) {
      if (this.count > 0) meter.count(CELL.retrySuccesses)
      return false
    }
    if (this.count >= policy.retriesMax || this.keptBytes > this.bytesMax) return false
    // The circuit breaker's max_retries: of all requests of the cluster at one time.
    if (conduct.retries >= conduct.limits.retriesMax) return false
    conduct.retries++
    this.holdsBudget = true
    this.count++
    meter.count(CELL.retries)
    return true
  }

  /** Gives back the part of the budget; the request is over. */
  end(): void {
    if (this.holdsBudget) this.cluster.conduct.retries--
    this.holdsBudget = false
  }

  /** Of one try; 0: none of its own. */
  get tryTimeoutMs(): number {
    return this.policy.perTryTimeoutMs ?? 0
  }

  /** Before the try that comes next. */
  get backOffMs(): number {
    return backOffMs(this.count, Math.random())
  }

  /** What a client reads when the last try failed too, in Envoy's words. */
  textOf(fault: Fault): string {
    return this.count === 0 ? fault.text : fault.text.replace('reset reason:', 'retried and the latest reset reason:')
  }

  /** Writes the whole request again; the upstream is told how much time it has, of `leftMs` for all tries (0: no limit). */
  write(out: OutBuffer, leftMs: number): void {
    const octets = Buffer.concat(this.kept)
    out.position = 0
    out.reserve(octets.length + 32)
    const { tryTimeoutMs } = this
    const forTryMs = tryTimeoutMs > 0 && (leftMs === 0 || tryTimeoutMs < leftMs) ? tryTimeoutMs : leftMs
    const at = forTryMs > 0 ? octets.indexOf(EXPECTED_TIMEOUT) : -1
    if (at < 0) {
      out.octets(octets)
      return
    }
    const value = at + EXPECTED_TIMEOUT.length
    out.copy(octets, 0, value)
    out.decimal(Math.ceil(forTryMs))
    out.copy(octets, octets.indexOf(CR, value), octets.length)
  }
}
