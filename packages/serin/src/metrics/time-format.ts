/** START_TIME of access logs: ISO 8601 unless a strftime format is given. Texts of the current second are kept. */

import { octetsOf } from '../wire/octets.ts'
import type { OutBuffer } from '../wire/out-buffer.ts'

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

/** Gives epoch ms as text, in UTC. */
export function timeFormatter(format: string | undefined): (ms: number) => string {
  return format === undefined || format === '' ? (ms) => new Date(ms).toISOString() : (ms) => strftime(format, ms)
}

/** Appends epoch ms as text, in UTC. */
export type WriteTime = (ms: number, out: OutBuffer) => void

export function timeWriter(format: string | undefined): WriteTime {
  if (format === undefined || format === '') return isoWriter()
  return (ms, out) => {
    const text = strftime(format, ms)
    out.reserve(text.length)
    out.latin1(text)
  }
}

const ISO_PREFIX_LENGTH = '2026-11-25T14:05:09.'.length
const ZULU = 0x5a
const ZERO = 0x30

/** `2026-11-25T14:05:09.123Z`; only the milliseconds are written anew within a second. */
function isoWriter(): WriteTime {
  let second = Number.NaN
  let prefix = octetsOf('')
  return (ms, out) => {
    const current = Math.floor(ms / 1_000)
    if (current !== second) {
      second = current
      prefix = octetsOf(new Date(current * 1_000).toISOString().slice(0, ISO_PREFIX_LENGTH))
    }
    const rest = Math.trunc(ms - current * 1_000)
    out.reserve(ISO_PREFIX_LENGTH + 4)
    out.octets(prefix)
    out.octet(ZERO + Math.trunc(rest / 100))
    out.octet(ZERO + (Math.trunc(rest / 10) % 10))
    out.octet(ZERO + (rest % 10))
    out.octet(ZULU)
  }
}

/** The directives of strftime that are of use in UTC, and Envoy's `%3f`, `%6f`, `%9f` for parts of a second. Pure. */
function strftime(format: string, ms: number): string {
  const date = new Date(ms)
  return format.replace(/%(?:([1-9])f|([A-Za-z%]))/g, (whole, digits: string | undefined, letter: string) => {
    if (digits !== undefined)
      return two(date.getUTCMilliseconds(), 3).padEnd(Number(digits), '0').slice(0, Number(digits))
    return DIRECTIVES[letter]?.(date) ?? whole
  })
}

const two = (value: number, length = 2): string => String(value).padStart(length, '0')

const DIRECTIVES: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getUTCFullYear()),
  y: (date) => two(date.getUTCFullYear() % 100),
  m: (date) => two(date.getUTCMonth() + 1),
  d: (date) => two(date.getUTCDate()),
  e: (date) => String(date.getUTCDate()).padStart(2),
  H: (date) => two(date.getUTCHours()),
  I: (date) => two(date.getUTCHours() % 12 || 12),
  M: (date) => two(date.getUTCMinutes()),
  S: (date) => two(date.getUTCSeconds()),
  f: (date) => two(date.getUTCMilliseconds(), 3).padEnd(9, '0'),
  p: (date) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  a: (date) => DAYS[date.getUTCDay()]!.slice(0, 3),
  A: (date) => DAYS[date.getUTCDay()]!,
  b: (date) => MONTHS[date.getUTCMonth()]!.slice(0, 3),
  B: (date) => MONTHS[date.getUTCMonth()]!,
  F: (date) => date.toISOString().slice(0, 10),
  T: (date) => date.toISOString().slice(11, 19),
  s: (date) => String(Math.floor(date.getTime() / 1_000)),
  Z: () => 'UTC',
  z: () => '+0000',
  '%': () => '%',
}
