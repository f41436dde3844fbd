/**
 * Writes lines of the access log in batches, off the event loop. What a slow or full sink cannot take is dropped and
 * counted: a log never holds up traffic, and never grows in memory.
 *
 *     const log = new AccessLog({ path: '/var/log/access.log', format: compileTextFormat(), meter: registry.worker(index) })
 *     log.write(exchange)          // per request: a string
 *     await log.close()
 */
import { closeSync, openSync, write } from 'node:fs'
import { OutBuffer } from '../wire/out-buffer.ts'
import type { AccessEntry, HeaderName } from './access-entry.ts'
import type { FormatAccess } from './access-format.ts'
import { CELL } from './cells.ts'
import type { Meter } from './meter.ts'

/** A batch is written when it has this many octets, or is this old. Each is a trip to another thread (190 µs for 64 kB where the write itself takes 25), so it is large. */
const BATCH_OCTETS = 262_144
/** Room for the line that makes it full. */
const BUFFER_OCTETS = BATCH_OCTETS + 16_384
const BATCH_MS_MAX = 200
/** Octets that wait for a sink that is busy; lines beyond are dropped. */
const PENDING_OCTETS_MAX = 1_048_576
/** A sink that would block (a full pipe) is tried again after this long. */
const BUSY_MS = 20
/** Tries of one batch in a row before it is dropped: the sink may be read by nobody. */
const BUSY_TRIES_MAX = 50

export interface AccessLogOptions {
  /** A file that is appended to, or an open descriptor (1 for standard output), which stays open. */
  readonly to: string | number
  readonly format: FormatAccess
  /** Counts lines written and dropped. */
  readonly meter: Meter
}

export class AccessLog {
  readonly #options: AccessLogOptions
  #descriptor: number
  /** One is filled while the other is written. */
  #filling: OutBuffer = new OutBuffer(BUFFER_OCTETS)
  #other: OutBuffer = new OutBuffer(BUFFER_OCTETS)
  #pendingLines = 0
  #writing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  /** @throws when the file cannot be opened */
  constructor(options: AccessLogOptions) {
    this.#options = options
    this.#descriptor = open(options.to)
  }

  /** What lines say of responses' heads: to be kept until `write`. */
  get responseHeaders(): readonly HeaderName[] {
    return this.#options.format.responseHeaders
  }

  /** Adds the line of a request to the batch. */
  write(entry: AccessEntry): void {
    const filling = this.#filling
    if (filling.position >= PENDING_OCTETS_MAX) {
      this.#options.meter.count(CELL.logLinesDropped)
      return
    }
    this.#options.format(entry, filling)
    this.#pendingLines++
    if (this.#writing) return
    if (filling.position >= BATCH_OCTETS) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), BATCH_MS_MAX).unref()
  }

  /** Opens the file anew, after it was renamed (logrotate). Does nothing for a descriptor. @throws when it cannot be opened */
  reopen(): void {
    if (typeof this.#options.to !== 'string') return
    const old = this.#descriptor
    this.#descriptor = open(this.#options.to)
    void this.#idle().then(() => closeSync(old))
  }

  /** Writes what is left and closes the file. */
  async close(): Promise<void> {
    await this.#idle()
    if (this.#pendingLines > 0) {
      this.#flush()
      await this.#idle()
    }
    if (typeof this.#options.to === 'string') closeSync(this.#descriptor)
  }

  async #idle(): Promise<void> {
    while (this.#writing) await this.#writing
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const full = this.#filling
    this.#filling = this.#other
    this.#other = full
    const octets = full.buffer.subarray(0, full.position)
    const lines = this.#pendingLines
    this.#pendingLines = 0
    this.#writing = this.#writeAll(octets, lines).finally(() => {
      this.#writing = undefined
      full.position = 0
      if (full.buffer.length > BUFFER_OCTETS) full.shrink(BUFFER_OCTETS)
      if (this.#pendingLines > 0) this.#timer ??= setTimeout(() => this.#flush(), this.#waitMs()).unref()
    })
  }

  #waitMs(): number {
    return this.#filling.position >= BATCH_OCTETS ? 0 : BATCH_MS_MAX
  }

  async #writeAll(octets: Buffer, lines: number): Promise<void> {
    const { meter } = this.#options
    for (let offset = 0, tries = 0; offset < octets.length;) {
      const written = await writeSome(this.#descriptor, octets, offset)
      if (written === 'busy' && tries++ < BUSY_TRIES_MAX) await new Promise((done) => setTimeout(done, BUSY_MS))
      else if (typeof written === 'string') return meter.count(CELL.logLinesDropped, lines)
      else offset += written
    }
    meter.count(CELL.logLines, lines)
  }
}

function open(to: string | number): number {
  return typeof to === 'number' ? to : openSync(to, 'a', 0o640)
}

function writeSome(descriptor: number, octets: Buffer, offset: number): Promise<number | 'busy' | 'failed'> {
  return new Promise((resolve) => {
    write(descriptor, octets, offset, octets.length - offset, null, (error, written) => {
      if (error) resolve(error.code === 'EAGAIN' ? 'busy' : 'failed')
      else resolve(written)
    })
  })
}
