/**
 * The path of a request target, decided once: the same octets are matched and sent (as Envoy with normalize_path). Unreserved
 * escapes are decoded, `\` becomes `/`, dot segments are resolved; `%2F`, `%5C` and reserved escapes stay as they are. Pure.
 */
import { hexValue } from './octets.ts'

export interface PathRules {
  readonly mergeSlashes: boolean
  readonly rejectEscapedSlashes: boolean
}

/** Normalises the path of buffer[start, end) (no query). Returns null where it must be refused (400). */
export function normalisePath(buffer: Uint8Array, start: number, end: number, rules: PathRules): string | null {
  let decoded = ''
  for (let at = start; at < end; at++) {
    const octet = buffer[at]!
    if (octet === 0x5c) decoded += '/'
    else if (octet === 0x25) {
      const escaped = escape(buffer, at, end)
      if (escaped < 0) return null
      if (escaped === 0) return null
      if (isUnreserved(escaped)) decoded += String.fromCharCode(escaped)
      else {
        if (rules.rejectEscapedSlashes && (escaped === 0x2f || escaped === 0x5c)) return null
        decoded += String.fromCharCode(0x25, buffer[at + 1]!, buffer[at + 2]!)
      }
      at += 2
    } else decoded += String.fromCharCode(octet)
  }
  const resolved = resolveDots(decoded)
  return rules.mergeSlashes ? mergeSlashes(resolved) : resolved
}

/** Value of the escape at `at`, or -1 if it is none. */
function escape(buffer: Uint8Array, at: number, end: number): number {
  if (at + 2 >= end) return -1
  const high = hexValue(buffer[at + 1]!)
  const low = hexValue(buffer[at + 2]!)
  return high < 0 || low < 0 ? -1 : high * 16 + low
}

/** RFC 3986 §2.3. */
function isUnreserved(octet: number): boolean {
  return (
    (octet >= 0x30 && octet <= 0x39) ||
    (octet >= 0x41 && octet <= 0x5a) ||
    (octet >= 0x61 && octet <= 0x7a) ||
    octet === 0x2d ||
    octet === 0x2e ||
    octet === 0x5f ||
    octet === 0x7e
  )
}

/** RFC 3986 §5.2.4; above the root is the root. Empty segments are segments. */
function resolveDots(path: string): string {
  const segments = path.split('/')
  const kept: string[] = []
  for (let index = 1; index < segments.length; index++) {
    const segment = segments[index]!
    const last = index === segments.length - 1
    if (segment === '.') {
      if (last) kept.push('')
    } else if (segment === '..') {
      kept.pop()
      if (last) kept.push('')
    } else kept.push(segment)
  }
  return `/${kept.join('/')}`
}

function mergeSlashes(path: string): string {
  // Envoy joins segments between a first and a last slash; without segments two slashes are left.
  if (path.length > 1 && /^\/+$/u.test(path)) return '//'
  return path.replaceAll(/\/{2,}/gu, '/')
}
