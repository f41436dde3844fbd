/** How many body octets follow a head (RFC 9112 §6.3): one decision per message, for both directions. Pure. */
import { FAULTS, type Fault } from './fault.ts'
import type { Head } from './head.ts'
import { equalsLower, isDigit, octetsOf } from './octets.ts'

/** What `framing` says besides a length (0 and more). */
export const CHUNKED = -1
export const UNTIL_CLOSE = -2
/** `head.fault` says why. */
export const UNFRAMED = -3

/** 15 digits stay below 2^53, so a length is always exact. */
const LENGTH_DIGITS_MAX = 15

const CHUNKED_CODING = octetsOf('chunked')

/** Length of a request body, CHUNKED, or UNFRAMED. */
export function requestFraming(head: Head): number {
  if (head.transferEncodingCount > 0) {
    if (head.contentLengthCount > 0) {
      // RFC 9112 §6.3: "ought to be handled as an error"; a wrong coding names itself first.
      const coding = codingFault(head)
      return refuse(head, coding ?? FAULTS.badTransferEncoding)
    }
    if (head.minor === 0) return refuse(head, FAULTS.badTransferEncoding)
    const coding = codingFault(head)
    return coding === null ? CHUNKED : refuse(head, coding)
  }
  if (head.contentLengthCount === 0) return 0
  return declaredLength(head, FAULTS.badContentLength)
}

/** Length of a response body, CHUNKED, UNTIL_CLOSE, or UNFRAMED. */
export function responseFraming(head: Head, toHead: boolean): number {
  const { status } = head
  const fault = FAULTS.upstreamProtocol
  if (head.transferEncodingCount > 0) {
    if (head.contentLengthCount > 0 || head.minor === 0 || codingFault(head) !== null) return refuse(head, fault)
  } else if (head.contentLengthCount > 0 && declaredLength(head, fault) === UNFRAMED) return UNFRAMED
  if (toHead || status < 200 || status === 204 || status === 304) return 0
  if (head.transferEncodingCount > 0) return CHUNKED
  if (head.contentLengthCount > 0) return declaredLength(head, fault)
  return UNTIL_CLOSE
}

function refuse(head: Head, fault: Fault): number {
  head.fault = fault
  return UNFRAMED
}

/** null if there is exactly one Transfer-Encoding line and it is `chunked`. */
function codingFault(head: Head): Fault | null {
  const index = head.transferEncodingIndex
  const chunked = equalsLower(head.buffer, head.valueStart(index), head.valueEnd(index), CHUNKED_CODING)
  if (chunked && head.transferEncodingCount === 1) return null
  return FAULTS.unknownTransferCoding
}

/** 1*DIGIT in exactly one line (RFC 9110 §8.6): no list, no sign, no surprise of Number() or parseInt(). */
export function declaredLength(head: Head, fault: Fault): number {
  if (head.contentLengthCount !== 1) return refuse(head, fault)
  const { buffer } = head
  const start = head.valueStart(head.contentLengthIndex)
  const end = head.valueEnd(head.contentLengthIndex)
  if (start === end) return refuse(head, fault)
  let at = start
  for (let index = start; index < end; index++) if (!isDigit(buffer[index]!)) return refuse(head, fault)
  while (at < end - 1 && buffer[at] === 0x30) at++
  if (end - at > LENGTH_DIGITS_MAX) return refuse(head, fault === FAULTS.badContentLength ? FAULTS.bodyTooLarge : fault)
  let length = 0
  for (; at < end; at++) length = length * 10 + (buffer[at]! - 0x30)
  return length
}
