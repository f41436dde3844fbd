/** START_TIME of access logs: ISO 8601 unless a strftime format is given. Texts of the current second are kept. */

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

/** Writes epoch ms as text, in UTC. */
export function timeFormatter(format: string | undefined): (ms: number) => string {
  return format === undefined || format === '' ? isoFormatter() : (ms) => strftime(format, ms)
}

/** `2026-11-25T14:05:09.123Z`; only the milliseconds are written anew within a second. */
function isoFormatter(): (ms: number) => string {
  let second = Number.NaN
  let prefix = ''
  return (ms) => {
    const current = Math.floor(ms / 1_000)
    if (current !== second) {
      second = current
      prefix = new Date(current * 1_000).toISOString().slice(0, 20)
    }
    const rest = Math.trunc(ms - current * 1_000)
    return `${prefix}${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}Z`
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
