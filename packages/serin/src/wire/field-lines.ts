/**
 * Copies field lines of a head that was parsed. Neighbours that stand there as we would write them (`name: value CRLF`) go out in
 * one piece; any other is put together from its name and value. Every octet has been checked by the parser either way.
 */
import type { Head } from './head.ts'
import { CR, octetsOf, SP } from './octets.ts'
import type { OutBuffer } from './out-buffer.ts'

const SEPARATOR = octetsOf(': ')

/** The lines that wait to be copied: [from, to) of the head's buffer. */
let from = 0
let to = 0

/** Appends a line, now or with `endLines`. Returns where its value stands in `out`, or will. */
export function copyLine(out: OutBuffer, head: Head, index: number): number {
  const { buffer } = head
  const nameStart = head.nameStart(index)
  const nameEnd = head.nameEnd(index)
  const valueStart = head.valueStart(index)
  const valueEnd = head.valueEnd(index)
  if (valueStart === nameEnd + 2 && buffer[nameEnd + 1] === SP && buffer[valueEnd] === CR) {
    if (nameStart !== to) {
      endLines(out, head)
      from = nameStart
    }
    to = valueEnd + 2
    return out.position + valueStart - from
  }
  endLines(out, head)
  out.copy(buffer, nameStart, nameEnd)
  out.octets(SEPARATOR)
  const start = out.position
  out.copy(buffer, valueStart, valueEnd)
  out.crlf()
  return start
}

/** Appends what waits. To be called before anything else is written to `out`. */
export function endLines(out: OutBuffer, head: Head): void {
  if (to > from) out.copy(head.buffer, from, to)
  from = 0
  to = 0
}
