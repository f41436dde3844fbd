/** Spans of time as kubectl prints them in AGE columns. Pure. */

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const YEAR = 365 * DAY

/** `5s`, `2m3s`, `10m`, `3h5m`, `2d4h`, `40d`, `3y12d`: two units where the first is small (apimachinery's `HumanDuration`). */
function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / SECOND)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 60 * 2) return `${seconds}s`
  const minutes = Math.trunc(ms / MINUTE)
  if (minutes < 10) return pair(minutes, 'm', Math.trunc(ms / SECOND) % 60, 's')
  if (minutes < 60 * 3) return `${minutes}m`
  const hours = Math.trunc(ms / HOUR)
  if (hours < 8) return pair(hours, 'h', Math.trunc(ms / MINUTE) % 60, 'm')
  if (hours < 48) return `${hours}h`
  if (hours < 24 * 8) return pair(Math.trunc(hours / 24), 'd', hours % 24, 'h')
  if (ms < 2 * YEAR) return `${Math.trunc(hours / 24)}d`
  const days = Math.trunc(ms / DAY)
  if (ms < 8 * YEAR) return pair(Math.trunc(days / 365), 'y', days % 365, 'd')
  return `${Math.trunc(days / 365)}y`
}

function pair(first: number, firstUnit: string, second: number, secondUnit: string): string {
  return second === 0 ? `${first}${firstUnit}` : `${first}${firstUnit}${second}${secondUnit}`
}

/** Since an RFC 3339 time; `<unknown>` without one. */
export function age(since: string | undefined, now: number): string {
  const start = since === undefined ? NaN : Date.parse(since)
  return Number.isNaN(start) ? '<unknown>' : humanDuration(now - start)
}
