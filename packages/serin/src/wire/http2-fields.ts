/**
 * HTTP/2 messages as HTTP/1.1 heads and back (RFC 9113 §8). A stream then meets the same parser, routes and limits as any other request,
 * so nothing is decided twice. Pure.
 */
import type { Head } from './head.ts'

/** Names that belong to one hop or to the other protocol's framing (§8.2.2). */
const HOP_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'te',
  'host',
])
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/u
// oxlint-disable-next-line no-control-regex
const BAD_VALUE = /[\0\r\n]/u
/** What may stand in a request line between its spaces. */
const TARGET = /^[!-~]+$/u

/** A flat list of names and values, as Node gives them. */
export type RawFields = readonly string[]

/** The request of a stream as an HTTP/1.1 head; null where it is malformed (§8.1.1). `bodyless`: it ends with its head. */
export function requestHeadOf(raw: RawFields, bodyless: boolean): Buffer | null {
  const pseudo = new Map<string, string>()
  const lines: string[] = []
  const cookies: string[] = []
  let host: string | undefined
  let hasLength = false
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!
    const value = raw[index + 1]!
    if (BAD_VALUE.test(value)) return null
    if (name.startsWith(':')) {
      if (pseudo.has(name) || lines.length > 0) return null
      pseudo.set(name, value)
    } else if (!TOKEN.test(name)) return null
    else if (name === 'host') host = value
    else if (name === 'cookie') cookies.push(value)
    else if (!HOP_FIELDS.has(name)) {
      if (name === 'content-length') hasLength = true
      lines.push(`${name}: ${value}`)
    }
  }
  const method = pseudo.get(':method') ?? ''
  const path = pseudo.get(':path') ?? ''
  if (!/^[A-Z-]+$/u.test(method) || !TARGET.test(path)) return null
  // Crumbs are one field again (§8.2.3).
  if (cookies.length > 0) lines.push(`cookie: ${cookies.join('; ')}`)
  if (!bodyless && !hasLength) lines.push('transfer-encoding: chunked')
  const authority = pseudo.get(':authority') ?? host ?? ''
  return Buffer.from(`${[`${method} ${path} HTTP/1.1`, `host: ${authority}`, ...lines].join('\r\n')}\r\n\r\n`, 'latin1')
}

/** Headers for Node's http2; only Set-Cookie is a list, others are joined where they are repeated (RFC 9110 §5.3). */
export type HeaderLists = Record<string, string | string[]>

/** Fields of a head, without what belongs to HTTP/1.1's framing. */
export function fieldsOf(head: Head): HeaderLists {
  const fields: HeaderLists = {}
  for (let index = 0; index < head.fieldCount; index++) {
    const name = head.buffer.toString('latin1', head.nameStart(index), head.nameEnd(index)).toLowerCase()
    if (HOP_FIELDS.has(name)) continue
    const value = head.value(index)
    const before = fields[name]
    if (name === 'set-cookie') fields[name] = Array.isArray(before) ? [...before, value] : [value]
    else if (before === undefined) fields[name] = value
    else fields[name] = `${String(before)}${name === 'cookie' ? '; ' : ', '}${value}`
  }
  return fields
}

/** A response as an HTTP/1.1 head. `bodyless`: the stream ended with it; `toHead`: its request was HEAD. */
export function responseHeadOf(status: number, raw: RawFields, bodyless: boolean, toHead: boolean): Buffer {
  const lines = [`HTTP/1.1 ${status} `]
  let hasLength = false
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!
    if (name.startsWith(':') || HOP_FIELDS.has(name)) continue
    if (name === 'content-length') hasLength = true
    lines.push(`${name}: ${raw[index + 1]!}`)
  }
  const mayHaveBody = status >= 200 && status !== 204 && status !== 304 && !toHead
  if (mayHaveBody && !hasLength) lines.push(bodyless ? 'content-length: 0' : 'transfer-encoding: chunked')
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}

/** Trailers as lines; names and values are well-formed. */
export function trailerLines(raw: RawFields): string {
  let text = ''
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!
    if (!name.startsWith(':') && !HOP_FIELDS.has(name) && !BAD_VALUE.test(raw[index + 1]!))
      text += `${name}: ${raw[index + 1]!}\r\n`
  }
  return text
}

export function trailersOf(lines: string): HeaderLists {
  const trailers: HeaderLists = {}
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) trailers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  return trailers
}

/** What a client of HTTP/2 sends first (§3.4). */
export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
/** So much of it is unmistakable: no HTTP/1.1 request begins so. */
const PREFACE_BYTES_MIN = 16

export function startsPreface(buffer: Buffer, start: number, end: number): boolean {
  const length = Math.min(end - start, PREFACE.length)
  return length >= PREFACE_BYTES_MIN && buffer.compare(PREFACE, 0, length, start, start + length) === 0
}

/** Whether a SETTINGS frame follows the preface at `start`; null: more octets are needed to say so. */
export function settingsFollow(buffer: Buffer, start: number, end: number): boolean | null {
  const typeAt = start + PREFACE.length + FRAME_TYPE_AT
  return typeAt < end ? buffer[typeAt] === SETTINGS_FRAME : null
}

/** A frame begins with three octets of length, then its type (§4.1). */
const FRAME_TYPE_AT = 3
const SETTINGS_FRAME = 4
