/** Host and port of a Host field or an absolute-form target (RFC 9110 §7.2, RFC 3986 §3.2). Pure. */
import { hexValue, isDigit, isRegName } from './octets.ts'

const PORT_MAX = 65_535

/** Where the port's colon stands in buffer[start, end), `end` if there is none, or -1 if it is not a host with an optional port. */
export function hostEnd(buffer: Uint8Array, start: number, end: number): number {
  if (start === end) return -1
  let at = start
  if (buffer[at] === 0x5b) {
    at = afterBracket(buffer, start + 1, end)
    if (at < 0) return -1
  } else {
    while (at < end && isRegName(buffer[at]!)) {
      if (buffer[at] === 0x25) {
        if (at + 2 >= end || hexValue(buffer[at + 1]!) < 0 || hexValue(buffer[at + 2]!) < 0) return -1
      }
      // An empty label names nothing; a comma would be two hosts.
      if (buffer[at] === 0x2c || (buffer[at] === 0x2e && (at === start || buffer[at + 1] === 0x2e))) return -1
      at++
    }
  }
  if (at === end) return at === start ? -1 : end
  return buffer[at] === 0x3a && at > start && isPort(buffer, at + 1, end) ? at : -1
}

/** IP-literal: hex digits, colons and dots up to `]`. */
function afterBracket(buffer: Uint8Array, start: number, end: number): number {
  let at = start
  let colons = 0
  while (at < end && (hexValue(buffer[at]!) >= 0 || buffer[at] === 0x3a || buffer[at] === 0x2e)) {
    if (buffer[at] === 0x3a) colons++
    at++
  }
  return colons >= 2 && at < end && buffer[at] === 0x5d ? at + 1 : -1
}

/** Digits up to 65535; an empty port is allowed by the grammar. */
function isPort(buffer: Uint8Array, start: number, end: number): boolean {
  let port = 0
  for (let at = start; at < end; at++) {
    if (!isDigit(buffer[at]!)) return false
    port = port * 10 + (buffer[at]! - 0x30)
    if (port > PORT_MAX) return false
  }
  return true
}
