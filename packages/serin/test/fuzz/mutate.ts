/** Mutations of HTTP messages: of octets, of lines, and of the things that framing is made of. */
import type { Random } from './random.ts'

const OCTETS = [
  '\0',
  '\r',
  '\n',
  '\r\n',
  ' ',
  '\t',
  '\u000b',
  '\f',
  '\u007f',
  '\u0080',
  '\u00a0',
  '\u00ff',
  ':',
  ';',
  ',',
  '"',
  '%',
  '/',
  '\\',
  '0',
  'A',
  '_',
  '-',
  '+',
]

const LINES = [
  'Content-Length: 5',
  'Content-Length: 0',
  'Content-Length: 36',
  'Content-Length : 5',
  'Content-Length: 5, 5',
  'Content-Length: +5',
  'content_length: 5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: gzip, chunked',
  ' Transfer-Encoding: chunked',
  'Connection: close',
  'Connection: keep-alive',
  'Connection: Content-Length',
  'Connection: Transfer-Encoding, X-A',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'Host: b.test',
  'Host:',
  'Expect: 100-continue',
  'Max-Forwards: 0',
  'X-A: 1',
  'X-Forwarded-For: 1.2.3.4',
  'TE: trailers',
  'Trailer: X-T',
]

const BODIES = [
  '5\r\nhello\r\n0\r\n\r\n',
  '0\r\n\r\n',
  '5;a=b\r\nhello\r\n0\r\nX-T: 1\r\n\r\n',
  'GET /evil HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'hello',
  '24\r\nGET /evil HTTP/1.1\r\nHost: a.test\r\n\r\n\r\n0\r\n\r\n',
]

/** One to a few changes. */
export function mutate(random: Random, message: string, corpus: readonly string[]): string {
  let text = message
  for (let change = random.below(4); change >= 0; change--) text = changeOnce(random, text, corpus)
  return text
}

function changeOnce(random: Random, text: string, corpus: readonly string[]): string {
  const at = random.below(text.length + 1)
  switch (random.below(10)) {
    case 0:
      return text.slice(0, at) + random.pick(OCTETS) + text.slice(at)
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + random.below(4))
    case 2:
      return text.slice(0, at) + random.pick(OCTETS) + text.slice(at + 1)
    case 3:
      return insertLine(random, text, random.pick(LINES))
    case 4:
      return removeLine(random, text)
    case 5:
      return doubleLine(random, text)
    case 6:
      return text + random.pick(BODIES)
    case 7:
      return text + random.pick(corpus)
    case 8: {
      const other = random.pick(corpus)
      return text.slice(0, at) + other.slice(random.below(other.length + 1))
    }
    default:
      return text.replace(/\d+/, () => String(random.pick([0, 1, 5, 36, 255, 4096, 2 ** 31, 2 ** 53])))
  }
}

function insertLine(random: Random, text: string, line: string): string {
  const lines = text.split('\r\n')
  lines.splice(1 + random.below(Math.max(lines.length - 1, 1)), 0, line)
  return lines.join('\r\n')
}

function removeLine(random: Random, text: string): string {
  const lines = text.split('\r\n')
  lines.splice(random.below(lines.length), 1)
  return lines.join('\r\n')
}

function doubleLine(random: Random, text: string): string {
  const lines = text.split('\r\n')
  const line = random.pick(lines)
  lines.splice(random.below(lines.length), 0, line)
  return lines.join('\r\n')
}

/** Offsets to cut at: none, one, a few, or every one. */
export function cuts(random: Random, length: number): number[] {
  if (length < 2 || random.chance(0.4)) return []
  if (length < 300 && random.chance(0.1)) return Array.from({ length: length - 1 }, (_, index) => index + 1)
  const some = Array.from({ length: 1 + random.below(4) }, () => 1 + random.below(length - 1))
  return [...new Set(some)].sort((a, b) => a - b)
}
