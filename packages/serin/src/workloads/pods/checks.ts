import type { Container, Probe } from '../../resources/kubernetes/types.ts'
import type { ProbeTarget } from './probe.ts'
import { Prober } from './prober.ts'

/** The probes of one life of a container, as far as there are any: startup first, readiness and liveness after it. */

export type CheckKind = 'Startup' | 'Readiness' | 'Liveness'

export interface ChecksOptions {
  readonly container: Container
  readonly target: ProbeTarget
  /** When the container started: milliseconds since 1970. */
  readonly startedAt: number
  /** What is known of a container that is taken over. */
  readonly known?: { readonly started: boolean; readonly ready: boolean }
  readonly onState: (state: { readonly started: boolean; readonly ready: boolean }) => void
  /** The container has to be killed. */
  readonly onFatal: (kind: CheckKind, graceSeconds: number | undefined) => void
  readonly onFailure: (message: string) => void
}

export class Checks {
  private readonly options: ChecksOptions
  private probers: Prober[] = []

  constructor(options: ChecksOptions) {
    this.options = options
    const { startupProbe } = options.container
    if (startupProbe === undefined || options.known?.started === true) this.started(options.known?.ready)
    else this.starts(startupProbe)
  }

  stop(): void {
    for (const prober of this.probers) prober.stop()
    this.probers = []
  }

  private starts(probe: Probe): void {
    this.add('Startup', probe, {
      eager: true,
      onVerdict: (ok) => {
        this.stop()
        if (ok) this.started(undefined)
        else this.options.onFatal('Startup', probe.terminationGracePeriodSeconds)
      },
    })
  }

  private started(ready: boolean | undefined): void {
    const { readinessProbe, livenessProbe } = this.options.container
    this.options.onState({ started: true, ready: readinessProbe === undefined || ready === true })
    if (readinessProbe !== undefined) {
      this.add('Readiness', readinessProbe, {
        eager: true,
        ...(ready === undefined ? {} : { initial: ready }),
        onVerdict: (ok) => this.options.onState({ started: true, ready: ok }),
      })
    }
    if (livenessProbe === undefined) return
    this.add('Liveness', livenessProbe, {
      eager: false,
      initial: true,
      onVerdict: (ok) => {
        if (!ok) this.options.onFatal('Liveness', livenessProbe.terminationGracePeriodSeconds)
      },
    })
  }

  private add(
    kind: CheckKind,
    probe: Probe,
    options: { readonly eager: boolean; readonly initial?: boolean; readonly onVerdict: (ok: boolean) => void },
  ): void {
    const { target, startedAt, onFailure } = this.options
    const prober = new Prober({
      probe,
      target,
      startedAt,
      ...options,
      onFailure: (message) => onFailure(`${kind} probe failed: ${message}`),
    })
    this.probers.push(prober)
  }
}
