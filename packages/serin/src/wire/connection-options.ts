/**
 * The Connection field (RFC 9110 §7.6.1): options for this hop, and names of fields that end here. Named fields are marked
 * FIELD.dropped; a field that has a meaning for us or for the peer behind us cannot be disarmed this way (CVE-2022-31813).
 */
import { FIELD, nameHash } from './field-names.ts'
import type { Head } from './head.ts'
import { isToken, LOWER, octetsOf } from './octets.ts'

/** Bits of what was asked for. */
export const OPTION = { close: 1, keepAlive: 2, upgrade: 4, te: 8 } as const
/** Instead of bits: not a list of tokens, too long, or it names Host or a framing field. */
export const BAD_OPTIONS = -1

const CLOSE = nameHash(octetsOf('close'))
const KEEP_ALIVE = nameHash(octetsOf('keep-alive'))
const UPGRADE = nameHash(octetsOf('upgrade'))
const TE = nameHash(octetsOf('te'))

/** Reads all Connection lines; returns OPTION bits or BAD_OPTIONS. A repeated call finds the same. */
export function connectionOptions(head: Head, optionsMax: number): number {
  if (head.connectionCount === 0) return 0
  const { buffer } = head
  let bits = 0
  let count = 0
  for (let index = 0; index < head.fieldCount; index++) {
    if (head.id(index) !== FIELD.connection) continue
    const end = head.valueEnd(index)
    let at = head.valueStart(index)
    while (at < end) {
      const octet = buffer[at]!
      if (octet === 0x2c || octet === 0x20 || octet === 0x09) {
        at++
        continue
      }
      const start = at
      let hash = 0
      while (at < end && isToken(buffer[at]!)) hash = (Math.imul(hash, 31) + LOWER[buffer[at++]!]!) | 0
      if (at === start || ++count > optionsMax) return BAD_OPTIONS
      const option = known(hash, at - start)
      if (option !== 0) bits |= option
      else if (!drop(head, start, at, hash)) return BAD_OPTIONS
      while (at < end && (buffer[at] === 0x20 || buffer[at] === 0x09)) at++
      if (at < end && buffer[at] !== 0x2c) return BAD_OPTIONS
    }
  }
  return bits
}

/** Length and hash together are exact enough: other tokens with both would only be options we do not know. */
function known(hash: number, length: number): number {
  if (hash === CLOSE && length === 5) return OPTION.close
  if (hash === KEEP_ALIVE && length === 10) return OPTION.keepAlive
  if (hash === UPGRADE && length === 7) return OPTION.upgrade
  if (hash === TE && length === 2) return OPTION.te
  return 0
}

/** False if the name must not be nominated at all. */
function drop(head: Head, start: number, end: number, hash: number): boolean {
  const { buffer } = head
  for (let index = 0; index < head.fieldCount; index++) {
    if (head.hash(index) !== hash || head.nameEnd(index) - head.nameStart(index) !== end - start) continue
    const id = head.id(index)
    if (id === FIELD.host || id === FIELD.contentLength || id === FIELD.transferEncoding) return false
    const nameStart = head.nameStart(index)
    let same = true
    for (let offset = 0; offset < end - start; offset++) {
      if (LOWER[buffer[start + offset]!] !== LOWER[buffer[nameStart + offset]!]) same = false
    }
    if (same && (id === FIELD.other || id === FIELD.xEnvoy)) head.markDropped(index)
  }
  return true
}
