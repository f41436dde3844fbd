/** Status lines with reasons of our own: an upstream's reason is never sent on (RFC 9112 §4). */
import { STATUS_CODES } from 'node:http'
import { octetsOf } from '../wire/octets.ts'

const lines: (Uint8Array | undefined)[] = []

/** `HTTP/1.1 200 OK` CRLF. */
export function statusLine(status: number): Uint8Array {
  return (lines[status] ??= octetsOf(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`))
}
