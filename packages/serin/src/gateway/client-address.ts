/** Who the client is, and how it came, behind proxies that are trusted (Listener.trustedHops). Pure. */
import type { Head } from '../wire/head.ts'
import { FIELD } from '../wire/field-names.ts'

/**
 * The client's address. With n trusted hops: the nth address from the right of X-Forwarded-For as it came, if it holds so many
 * (as Envoy's xff_num_trusted_hops); else the peer. With `useRemoteAddress` off: the last address of X-Forwarded-For.
 */
export function clientAddress(head: Head, peer: string, trustedHops: number, useRemoteAddress: boolean): string {
  const hops = useRemoteAddress ? trustedHops : trustedHops + 1
  if (hops === 0 || !head.has(FIELD.xForwardedFor)) return peer
  const addresses = forwardedFor(head).split(',')
  const address = addresses[addresses.length - hops]?.trim()
  return address === undefined || !isAddress(address) ? peer : address
}

/** All X-Forwarded-For lines joined; '' if there is none. */
export function forwardedFor(head: Head): string {
  let joined = ''
  for (let index = 0; index < head.fieldCount; index++) {
    if (head.id(index) !== FIELD.xForwardedFor || head.valueStart(index) === head.valueEnd(index)) continue
    joined = joined === '' ? head.value(index) : `${joined},${head.value(index)}`
  }
  return joined
}

/** Whether it could be an IP address; what it says is not our business. */
function isAddress(text: string): boolean {
  return /^(?:\d{1,3}(?:\.\d{1,3}){3}|[\da-fA-F:.]*:[\da-fA-F:.]*)$/u.test(text)
}

/** http or https: what the transport is, or what a trusted proxy says of it. */
export function forwardedProto(head: Head, secure: boolean, trustedHops: number, useRemoteAddress: boolean): string {
  const own = secure ? 'https' : 'http'
  if ((trustedHops === 0 && useRemoteAddress) || !head.has(FIELD.xForwardedProto)) return own
  const given = head.value(head.find(FIELD.xForwardedProto)).toLowerCase()
  return given === 'http' || given === 'https' ? given : own
}
