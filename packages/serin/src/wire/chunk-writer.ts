/** The chunked coding as it is written (RFC 9112 §7.1). */
import { octetsOf } from './octets.ts'
import type { OutBuffer } from './out-buffer.ts'

const LAST_CHUNK = octetsOf('0\r\n\r\n')

/** chunk-size CRLF data CRLF. */
export function writeChunk(out: OutBuffer, buffer: Buffer, start: number, end: number): void {
  if (start === end) return
  out.hex(end - start)
  out.crlf()
  out.copy(buffer, start, end)
  out.crlf()
}

/** `trailers`: only for a client that takes them. */
export function writeLastChunk(out: OutBuffer, trailers: string): void {
  if (trailers === '') {
    out.octets(LAST_CHUNK)
    return
  }
  out.reserve(trailers.length + LAST_CHUNK.length)
  out.latin1(`0\r\n${trailers}\r\n`)
}
