import { RETRY_MS_MAX, RETRY_MS_MIN, SYNCS_AT_ONCE, TIMER_MS_MAX } from './limits.ts'

/**
 * The work of one controller: keys to look at. A key that is added while it waits is looked at once; while it is being
 * looked at, once more afterwards. A look that throws is repeated later, each time after twice the time.
 */
export class WorkQueue {
  private readonly sync: Sync
  private readonly onError: (key: string, error: unknown) => void
  private readonly atOnce: number
  private readonly waiting = new Set<string>()
  private readonly running = new Map<string, Promise<void>>()
  private readonly timers = new Map<string, { readonly timer: NodeJS.Timeout; readonly at: number }>()
  private readonly failures = new Map<string, number>()
  private stopped = false

  constructor(options: {
    readonly sync: Sync
    readonly onError: (key: string, error: unknown) => void
    readonly atOnce?: number
  }) {
    this.sync = options.sync
    this.onError = options.onError
    this.atOnce = options.atOnce ?? SYNCS_AT_ONCE
  }

  add(key: string): void {
    if (this.stopped) return
    this.waiting.add(key)
    queueMicrotask(() => this.start())
  }

  /** The earliest of several wishes counts. */
  addAfter(key: string, ms: number): void {
    if (this.stopped) return
    const at = Date.now() + ms
    const planned = this.timers.get(key)
    if (planned !== undefined && planned.at <= at) return
    clearTimeout(planned?.timer)
    const timer = setTimeout(
      () => {
        this.timers.delete(key)
        this.add(key)
      },
      Math.min(ms, TIMER_MS_MAX),
    )
    this.timers.set(key, { timer, at })
  }

  get isIdle(): boolean {
    return this.waiting.size === 0 && this.running.size === 0
  }

  /** Of keys `namespace/name`: nothing waits and nothing is under way. What is planned for later does not count. */
  isIdleIn(namespace: string): boolean {
    const isThere = (key: string): boolean => key.startsWith(`${namespace}/`)
    return ![...this.waiting, ...this.running.keys()].some(isThere)
  }

  /** Takes no more keys and waits for the looks that are under way. */
  async stop(): Promise<void> {
    this.stopped = true
    this.waiting.clear()
    for (const { timer } of this.timers.values()) clearTimeout(timer)
    this.timers.clear()
    await Promise.all(this.running.values())
  }

  private start(): void {
    for (const key of this.waiting) {
      if (this.running.size >= this.atOnce) return
      if (this.running.has(key)) continue
      this.waiting.delete(key)
      this.running.set(key, this.run(key))
    }
  }

  private async run(key: string): Promise<void> {
    try {
      const recheckMs = await this.sync(key)
      this.failures.delete(key)
      if (recheckMs !== undefined) this.addAfter(key, recheckMs)
    } catch (error) {
      const failures = this.failures.get(key) ?? 0
      this.failures.set(key, failures + 1)
      if (!this.stopped) this.onError(key, error)
      this.addAfter(key, Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(failures, 30)))
    } finally {
      this.running.delete(key)
      if (!this.stopped) this.start()
    }
  }
}

/** Looks at one key; gives the milliseconds after which to look again even if nothing happens. */
export type Sync = (key: string) => Promise<number | undefined>
