/**
 * Where heads and bodies are put together before one write. A link that could not send everything at once keeps the memory
 * (`renew`), so the next message gets a fresh one.
 */
import { LOWER } from './octets.ts'

/** Shorter copies of a part of an array are faster octet by octet: a view of the part has to be made for the fast way (measured: the lines cross near 64). */
const SHORT_COPY = 64
/** A whole array needs no view: 16 ns, whatever its length (measured). */
const SHORT_WHOLE = 12
/** Views of what was written last, by length: making one costs as much as copying 100 octets. */
const VIEWS = 64

/** Large buffers that were lent to a write and are free again: allocating one costs its page faults each time. */
const free: Buffer[] = []
const FREE_MAX = 64
const LARGE_BYTES = 64 * 1024

/** Takes back the memory of a finished write. */
export function recycle(memory: Buffer): void {
  if (memory.length >= LARGE_BYTES && free.length < FREE_MAX) free.push(memory)
}

function memoryOf(bytes: number): Buffer {
  if (bytes >= LARGE_BYTES && free.at(-1)?.length === bytes) return free.pop()!
  return Buffer.allocUnsafeSlow(bytes)
}

export class OutBuffer {
  buffer: Buffer
  position = 0

  /** Whether memory that was lent to a write is used again; then nobody else may keep it. */
  readonly recycles: boolean
  private readonly views: (Buffer | undefined)[]

  constructor(bytes: number, recycles = false) {
    this.recycles = recycles
    this.views = []
    this.buffer = Buffer.allocUnsafeSlow(bytes)
  }

  /** buffer[0, position). */
  view(): Buffer {
    const { position } = this
    const slot = position & (VIEWS - 1)
    const known = this.views[slot]
    if (known !== undefined && known.length === position && known.buffer === this.buffer.buffer) return known
    return (this.views[slot] = this.buffer.subarray(0, position))
  }

  /** Starts over in fresh memory: something still reads the old one. */
  renew(): void {
    this.buffer = this.recycles ? memoryOf(this.buffer.length) : Buffer.allocUnsafeSlow(this.buffer.length)
    this.position = 0
  }

  /** Gives a grown buffer back. */
  shrink(bytes: number): void {
    this.buffer = Buffer.allocUnsafeSlow(bytes)
    this.position = 0
  }

  /** Makes room for `bytes` more; all methods below expect that there is. */
  reserve(bytes: number): void {
    const needed = this.position + bytes
    if (needed <= this.buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2))
    this.buffer.copy(larger, 0, 0, this.position)
    this.buffer = larger
  }

  octet(octet: number): void {
    this.buffer[this.position++] = octet
  }

  /** All of `octets`. */
  octets(octets: Uint8Array): void {
    const { length } = octets
    if (length > SHORT_WHOLE) this.buffer.set(octets, this.position)
    else for (let index = 0; index < length; index++) this.buffer[this.position + index] = octets[index]!
    this.position += length
  }

  copy(source: Uint8Array, start: number, end: number): void {
    const target = this.buffer
    let at = this.position
    if (end - start > SHORT_COPY) {
      target.set(source.subarray(start, end), at)
      this.position = at + end - start
      return
    }
    let from = start
    for (const last = end - 3; from < last; from += 4, at += 4) {
      target[at] = source[from]!
      target[at + 1] = source[from + 1]!
      target[at + 2] = source[from + 2]!
      target[at + 3] = source[from + 3]!
    }
    for (; from < end; from++) target[at++] = source[from]!
    this.position = at
  }

  lower(source: Uint8Array, start: number, end: number): void {
    let at = this.position
    for (let index = start; index < end; index++) this.buffer[at++] = LOWER[source[index]!]!
    this.position = at
  }

  /** A text whose characters are all below 256. */
  latin1(text: string): void {
    let at = this.position
    for (let index = 0; index < text.length; index++) this.buffer[at++] = text.charCodeAt(index)
    this.position = at
  }

  /** A text within a line: what could end the line, or is no octet, becomes `?` (U+010A written as one octet is a LF: CVE-2022-35948). */
  value(text: string): void {
    let at = this.position
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      this.buffer[at++] = code > 0xff || code === 10 || code === 13 || code === 0 ? 0x3f : code
    }
    this.position = at
  }

  /** A whole number, 0 or more. */
  decimal(value: number): void {
    let digits = 1
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++
    let rest = value
    for (let at = this.position + digits - 1; at >= this.position; at--) {
      const next = Math.floor(rest / 10)
      this.buffer[at] = 0x30 + (rest - next * 10)
      rest = next
    }
    this.position += digits
  }

  hex(value: number): void {
    let digits = 1
    for (let rest = value; rest >= 16; rest = Math.floor(rest / 16)) digits++
    this.hexFixed(value, digits)
  }

  hexFixed(value: number, digits: number): void {
    let rest = value
    for (let at = this.position + digits - 1; at >= this.position; at--) {
      const digit = rest % 16
      this.buffer[at] = digit < 10 ? 0x30 + digit : 0x57 + digit
      rest = Math.floor(rest / 16)
    }
    this.position += digits
  }

  crlf(): void {
    this.buffer[this.position] = 13
    this.buffer[this.position + 1] = 10
    this.position += 2
  }
}
