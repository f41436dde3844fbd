/** One request that waits for a check: its octets meanwhile, and the check's verdict. */
import type { Check, HeldRequest, Verdict } from './check.ts'
import type { CompiledDestination } from './compiled-destination.ts'

export interface HoldOptions {
  readonly check: Check
  readonly destination: CompiledDestination
  readonly request: Omit<HeldRequest, 'body' | 'bodyEnded'>
  /** Octets of the body to wait for; 0: none. */
  readonly wants: number
  /** The hold before this one, with what came of the body. */
  readonly before: Hold | null
  readonly onVerdict: (verdict: Verdict) => void
}

export class Hold {
  readonly options: HoldOptions
  readonly parts: Buffer[]
  bytes: number
  bodyEnded: boolean
  private state: 'gathering' | 'asked' | 'over' = 'gathering'
  private cancelCheck: (() => void) | null = null

  constructor(options: HoldOptions) {
    this.options = options
    this.parts = options.before?.parts ?? []
    this.bytes = options.before?.bytes ?? 0
    this.bodyEnded = options.before?.bodyEnded ?? false
  }

  /** Part of the body. True: it is enough, the client need not be read. */
  take(buffer: Buffer, start: number, end: number): boolean {
    this.parts.push(Buffer.from(buffer.subarray(start, end)))
    this.bytes += end - start
    if (this.state === 'gathering') this.askIfReady()
    return this.bytes >= this.options.wants
  }

  endBody(): void {
    this.bodyEnded = true
    if (this.state === 'gathering') this.askIfReady()
  }

  /** Asks, if all is here that is wanted. */
  askIfReady(): void {
    const { check, request, wants, onVerdict } = this.options
    if (!this.bodyEnded && this.bytes < wants) return
    this.state = 'asked'
    const body = this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts)
    const cancel = check.decide({ ...request, body, bodyEnded: this.bodyEnded }, (verdict) => {
      if (this.state === 'over') return
      this.state = 'over'
      onVerdict(verdict)
    })
    this.cancelCheck = cancel
  }

  cancel(): void {
    if (this.state === 'asked') this.cancelCheck?.()
    this.state = 'over'
  }
}
