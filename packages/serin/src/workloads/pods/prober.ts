import type { Probe } from '../../resources/kubernetes/types.ts'
import { FIRST_PROBE_MS, TIMER_MS_MAX } from '../limits.ts'
import { ask, type ProbeTarget } from './probe.ts'

/** Asks again and again, and says when the verdict changes. */

export interface ProbeState {
  readonly successes: number
  readonly failures: number
  /** Undefined before either threshold was ever reached. */
  readonly verdict: boolean | undefined
}

export const UNKNOWN: ProbeState = { successes: 0, failures: 0, verdict: undefined }

/** Pure. A verdict changes when enough outcomes of one kind came in a row. */
export function afterOutcome(state: ProbeState, ok: boolean, probe: Probe): ProbeState {
  const successes = ok ? state.successes + 1 : 0
  const failures = ok ? 0 : state.failures + 1
  if (successes >= (probe.successThreshold ?? 1)) return { successes, failures, verdict: true }
  if (failures >= (probe.failureThreshold ?? 3)) return { successes, failures, verdict: false }
  return { successes, failures, verdict: state.verdict }
}

export interface ProberOptions {
  readonly probe: Probe
  readonly target: ProbeTarget
  /** When the container started: milliseconds since 1970. */
  readonly startedAt: number
  /** What is known from before (an adopted container). */
  readonly initial?: boolean
  /** Asked more often before the first success, without counting the failures: readiness and startup come at once, not at the next period. */
  readonly eager: boolean
  readonly onVerdict: (ok: boolean) => void
  readonly onFailure: (message: string) => void
}

export class Prober {
  private readonly options: ProberOptions
  private state: ProbeState
  private timer: NodeJS.Timeout | undefined
  private stopped = false
  private eagerMs = FIRST_PROBE_MS
  private dueAt: number

  constructor(options: ProberOptions) {
    this.options = options
    this.state = { ...UNKNOWN, verdict: options.initial }
    // An eager prober asks from the first moment on; only what is ill after a whole period counts. Another waits for that period, too:
    // a program that has just started is not dead.
    const { initialDelaySeconds = 0, periodSeconds = 10 } = options.probe
    const grace = options.eager || initialDelaySeconds === 0 ? periodSeconds * 1000 : 0
    this.dueAt = Math.max(Date.now(), this.firstAt() + grace)
    this.plan()
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
  }

  private plan(): void {
    if (this.stopped) return
    const now = Date.now()
    const wait = this.dueAt - now
    const soon = Math.max(this.eagerMs, this.firstAt() - now)
    const eager = this.isEager() && wait > soon
    // Beyond the longest timer a probe comes early, which does no harm.
    const delay = Math.min(TIMER_MS_MAX, Math.max(0, eager ? soon : wait))
    this.timer = setTimeout(() => void this.turn(!eager), delay)
    if (eager) this.eagerMs *= 2
  }

  private isEager(): boolean {
    return this.options.eager && this.state.verdict !== true && this.state.successes === 0
  }

  private firstAt(): number {
    return this.options.startedAt + (this.options.probe.initialDelaySeconds ?? 0) * 1000
  }

  private async turn(counted: boolean): Promise<void> {
    const { probe, target } = this.options
    if (counted) this.dueAt = Date.now() + (probe.periodSeconds ?? 10) * 1000
    const { ok, message } = await ask(probe, target, (probe.timeoutSeconds ?? 1) * 1000)
    if (this.stopped) return
    if (ok || counted) this.take(ok, message)
    this.plan()
  }

  private take(ok: boolean, message: string): void {
    const before = this.state.verdict
    this.state = afterOutcome(this.state, ok, this.options.probe)
    if (!ok) this.options.onFailure(message)
    const { verdict } = this.state
    if (verdict !== undefined && verdict !== before) this.options.onVerdict(verdict)
  }
}
