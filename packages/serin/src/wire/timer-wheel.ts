/**
 * One clock for all deadlines of a worker. A timer set to a later time costs one store: it is moved when its old slot
 * comes round. So a deadline per request or per octet costs next to nothing.
 */

/** Precision of every deadline. */
const TICK_MS = 20
/** The wheel spans SLOTS × TICK_MS; a later deadline goes round again. */
const SLOTS = 512

/** Weight of the newest tick. */
const LAG_SMOOTHING = 0.25

/** A deadline that belongs to `owner`. */
export class Timer {
  /** Time of the wheel's clock, or 0 when not set. */
  due = 0
  slot = -1
  previous: Timer | null = null
  next: Timer | null = null
  readonly owner: { onTimer(timer: Timer): void }

  constructor(owner: { onTimer(timer: Timer): void }) {
    this.owner = owner
  }
}

export class TimerWheel {
  private readonly slots: (Timer | null)[] = Array.from({ length: SLOTS }, () => null)
  private tick = 0
  private readonly startedAt = performance.now()
  private interval: NodeJS.Timeout | null = null
  private count = 0
  private expectedAt = 0

  /** Milliseconds of a clock that never goes back, as of the last `touch`: read once per event, not per use. */
  time: number = performance.now()

  /** How late the loop is, smoothed over some ticks; 0 while nothing waits. */
  lagMs = 0

  touch(): number {
    this.time = performance.now()
    return this.time
  }

  /** Calls `timer.owner.onTimer(timer)` once, not before `ms` have passed. */
  set(timer: Timer, ms: number): void {
    const due = this.time + ms
    timer.due = due
    // Later than where it already waits: it is moved on when that slot comes round.
    if (timer.slot >= 0 && this.slotTime(timer.slot) <= due) return
    if (timer.slot >= 0) this.unlink(timer)
    this.link(timer)
  }

  /** The same for a limit that a person may have switched off with 0. */
  limit(timer: Timer, ms: number): void {
    if (ms > 0) this.set(timer, ms)
    else this.clear(timer)
  }

  clear(timer: Timer): void {
    timer.due = 0
  }

  /** Forgets the timer at once: for an owner that will not come back. */
  remove(timer: Timer): void {
    timer.due = 0
    if (timer.slot >= 0) this.unlink(timer)
  }

  stop(): void {
    if (this.interval) clearInterval(this.interval)
    this.interval = null
    this.lagMs = 0
  }

  /** When a slot is looked at next. */
  private slotTime(slot: number): number {
    const ahead = (slot - (this.tick % SLOTS) + SLOTS) % SLOTS
    return this.startedAt + (this.tick + (ahead === 0 ? SLOTS : ahead)) * TICK_MS
  }

  private link(timer: Timer): void {
    if (this.interval === null) this.start()
    const wanted = Math.ceil((timer.due - this.startedAt) / TICK_MS)
    const tick = Math.min(Math.max(wanted, this.tick + 1), this.tick + SLOTS - 1)
    const slot = tick % SLOTS
    const first = this.slots[slot] ?? null
    timer.slot = slot
    timer.previous = null
    timer.next = first
    if (first) first.previous = timer
    this.slots[slot] = timer
    this.count++
  }

  private unlink(timer: Timer): void {
    if (timer.previous) timer.previous.next = timer.next
    else this.slots[timer.slot] = timer.next
    if (timer.next) timer.next.previous = timer.previous
    timer.slot = -1
    timer.previous = null
    timer.next = null
    this.count--
  }

  private start(): void {
    this.tick = Math.floor((performance.now() - this.startedAt) / TICK_MS)
    this.expectedAt = performance.now() + TICK_MS
    this.interval = setInterval(() => this.advance(), TICK_MS)
    this.interval.unref()
  }

  private advance(): void {
    const late = performance.now() - this.expectedAt
    const now = this.touch()
    this.lagMs += (Math.max(late, 0) - this.lagMs) * LAG_SMOOTHING
    this.expectedAt = now + TICK_MS
    const until = Math.floor((now - this.startedAt) / TICK_MS)
    while (this.tick < until) {
      this.tick++
      const slot = this.tick % SLOTS
      // Always the first one: a handler may remove any other. A timer linked meanwhile never lands in this slot.
      for (let timer = this.slots[slot] ?? null; timer; timer = this.slots[slot] ?? null) {
        this.unlink(timer)
        if (timer.due === 0) continue
        if (timer.due > now) this.link(timer)
        else {
          timer.due = 0
          timer.owner.onTimer(timer)
        }
      }
    }
    if (this.count === 0) this.stop()
  }
}
