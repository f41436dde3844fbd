/** x-request-id: random UUIDs (RFC 9562 v4), made in bulk. */
import { randomFillSync } from 'node:crypto'
import type { OutBuffer } from '../wire/out-buffer.ts'

const UUID_BYTES = 16
/** Random octets fetched at once: one call for 256 ids. */
const pool = Buffer.alloc(UUID_BYTES * 256)
let at = pool.length

const HEX = new Uint8Array(512)
for (let octet = 0; octet < 256; octet++) {
  HEX[octet * 2] = octet.toString(16).padStart(2, '0').charCodeAt(0)
  HEX[octet * 2 + 1] = octet.toString(16).padStart(2, '0').charCodeAt(1)
}

/** Appends a new id: 36 octets. */
export function writeRequestId(out: OutBuffer): void {
  if (at === pool.length) {
    randomFillSync(pool)
    at = 0
  }
  const { buffer } = out
  let to = out.position
  for (let index = 0; index < UUID_BYTES; index++) {
    let octet = pool[at + index]!
    if (index === 6) octet = (octet & 0x0f) | 0x40
    else if (index === 8) octet = (octet & 0x3f) | 0x80
    if (index === 4 || index === 6 || index === 8 || index === 10) buffer[to++] = 0x2d
    buffer[to++] = HEX[octet * 2]!
    buffer[to++] = HEX[octet * 2 + 1]!
  }
  at += UUID_BYTES
  out.position = to
}
