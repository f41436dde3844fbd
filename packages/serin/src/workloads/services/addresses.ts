import { hash32 } from '../canonical.ts'

/** A range of IPv4 addresses to give away: `127.112.0.0/16` or `127.0.0.10-127.0.0.20`. */
export class AddressRange {
  private readonly first: number
  private readonly last: number

  private constructor(first: number, last: number) {
    this.first = first
    this.last = last
  }

  /** Undefined for a text that is no range. */
  static parse(text: string): AddressRange | undefined {
    const network = /^([\d.]+)\/(\d+)$/.exec(text)
    const span = /^([\d.]+)-([\d.]+)$/.exec(text)
    const base = numberOf(network?.[1] ?? span?.[1] ?? text)
    if (base === undefined) return undefined
    if (network !== null) {
      const bits = 32 - Number(network[2])
      if (bits < 0 || bits > 32) return undefined
      const size = 2 ** bits
      const start = Math.floor(base / size) * size
      // Of a network its first and its last address are not given away.
      return size <= 2 ? new AddressRange(start, start + size - 1) : new AddressRange(start + 1, start + size - 2)
    }
    const end = span === null ? base : numberOf(span[2] ?? '')
    return end === undefined || end < base ? undefined : new AddressRange(base, end)
  }

  /** A free address; the same for the same name when nobody has it. Undefined when all are taken. */
  next(taken: ReadonlySet<string>, name: string): string | undefined {
    const size = this.last - this.first + 1
    let at = hash32(name) % size
    for (let tries = 0; tries < Math.min(size, taken.size + 1); tries += 1) {
      const address = textOf(this.first + at)
      if (!taken.has(address)) return address
      at = (at + 1) % size
    }
    return undefined
  }
}

function numberOf(text: string): number | undefined {
  const parts = text.split('.').map(Number)
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return undefined
  return parts.reduce((sum, part) => sum * 256 + part, 0)
}

function textOf(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.')
}
