/** `date: …` CRLF of the current second. */
import { octetsOf } from '../wire/octets.ts'

let second = 0
let line: Buffer = octetsOf('')

export function dateLine(): Uint8Array {
  const now = Math.floor(Date.now() / 1000)
  if (now !== second) {
    second = now
    line = octetsOf(`date: ${new Date(now * 1000).toUTCString()}\r\n`)
  }
  return line
}
