/**
 * A message head (RFC 9112 §2-5) as offsets into the Buffer it arrived in: no string per field. The parser is strict: CRLF only,
 * single spaces, no folding, tokens as names; what does not match the grammar is refused, never repaired.
 *
 * Faults are seen only on complete lines (or past a limit), so that what is decided does not depend on how the octets were cut.
 */
import { FAULTS, type Fault } from './fault.ts'
import { aliasOf, FIELD, fieldOf } from './field-names.ts'
import type { Limits } from './limits.ts'
import type { OutBuffer } from './out-buffer.ts'
import {
  CR,
  equals,
  HTAB,
  isDigit,
  isTarget,
  isToken,
  isValue,
  latin1,
  LF,
  LOWER,
  octetsOf,
  SP,
  TOKEN_LOWER,
} from './octets.ts'

/** Returned by the parsers when more octets are needed. */
export const NEED_MORE = -1
/** Returned by the parsers when `head.fault` says what is wrong. */
export const REFUSED = -2

/** Ints per field line in `Head.fields`. */
const FIELD_INTS = 6
const NAME_START = 0
const NAME_END = 1
const VALUE_START = 2
const VALUE_END = 3
const FIELD_ID = 4
const NAME_HASH = 5

/** Refilled for every message: one per worker and direction. Offsets are into `buffer` and die with it. */
export class Head {
  buffer: Buffer = Buffer.alloc(0)
  fieldCount = 0
  readonly fields: Int32Array
  fault: Fault | null = null
  /** After the empty line. */
  end = 0

  // Request line.
  methodStart = 0
  methodEnd = 0
  targetStart = 0
  targetEnd = 0
  /** Whether the target has an octet or a sequence that normalisation must look at. */
  targetSpecial = false

  // Status line.
  status = 0

  /** 0 or 1 of HTTP/1.x. */
  minor = 1

  // Known fields, gathered on the way. Counts, and the index of the last line; -1 when absent.
  hostCount = 0
  hostIndex = -1
  contentLengthCount = 0
  contentLengthIndex = -1
  transferEncodingCount = 0
  transferEncodingIndex = -1
  connectionCount = 0
  expectIndex = -1
  expectCount = 0
  upgradeIndex = -1
  upgradeCount = 0
  /** Bits of FIELD numbers below 31 that are present, to skip scans for what is not there. */
  present = 0

  constructor(fieldsMax: number) {
    this.fields = new Int32Array(fieldsMax * FIELD_INTS)
  }

  reset(buffer: Buffer): void {
    this.buffer = buffer
    this.fieldCount = 0
    this.fault = null
    this.end = 0
    this.targetSpecial = false
    this.status = 0
    this.minor = 1
    this.hostCount = 0
    this.hostIndex = -1
    this.contentLengthCount = 0
    this.contentLengthIndex = -1
    this.transferEncodingCount = 0
    this.transferEncodingIndex = -1
    this.connectionCount = 0
    this.expectIndex = -1
    this.expectCount = 0
    this.upgradeIndex = -1
    this.upgradeCount = 0
    this.present = 0
  }

  nameStart(index: number): number {
    return this.fields[index * FIELD_INTS + NAME_START]!
  }
  nameEnd(index: number): number {
    return this.fields[index * FIELD_INTS + NAME_END]!
  }
  valueStart(index: number): number {
    return this.fields[index * FIELD_INTS + VALUE_START]!
  }
  valueEnd(index: number): number {
    return this.fields[index * FIELD_INTS + VALUE_END]!
  }
  /** One of FIELD. */
  id(index: number): number {
    return this.fields[index * FIELD_INTS + FIELD_ID]!
  }
  hash(index: number): number {
    return this.fields[index * FIELD_INTS + NAME_HASH]!
  }

  /** The line ends here; it is not sent on. */
  markDropped(index: number): void {
    this.fields[index * FIELD_INTS + FIELD_ID] = FIELD.dropped
  }

  has(field: number): boolean {
    return (this.present & (1 << field)) !== 0
  }

  /** Index of the first line with this known name, or -1. */
  find(field: number): number {
    for (let index = 0; index < this.fieldCount; index++) if (this.id(index) === field) return index
    return -1
  }

  /** Value of a line as latin1 text. */
  value(index: number): string {
    return latin1(this.buffer, this.valueStart(index), this.valueEnd(index))
  }

  /** All values of a name joined with `,` (as Envoy joins them for matching), or null. `lower` is the name in lower case, `hash` its `nameHash`. */
  joined(lower: Uint8Array, hash: number): string | null {
    let text: string | null = null
    for (let index = 0; index < this.fieldCount; index++) {
      if (this.hash(index) !== hash || !this.nameIs(index, lower)) continue
      text = text === null ? this.value(index) : `${text},${this.value(index)}`
    }
    return text
  }

  /** As `joined`, appended; false if there is none. */
  writeJoined(lower: Uint8Array, hash: number, out: OutBuffer): boolean {
    let found = false
    for (let index = 0; index < this.fieldCount; index++) {
      if (this.hash(index) !== hash || !this.nameIs(index, lower)) continue
      out.reserve(this.valueEnd(index) - this.valueStart(index) + 1)
      if (found) out.octet(0x2c)
      out.copy(this.buffer, this.valueStart(index), this.valueEnd(index))
      found = true
    }
    return found
  }

  nameIs(index: number, lower: Uint8Array): boolean {
    const start = this.nameStart(index)
    if (this.nameEnd(index) - start !== lower.length) return false
    for (let offset = 0; offset < lower.length; offset++) {
      if (LOWER[this.buffer[start + offset]!] !== lower[offset]) return false
    }
    return true
  }
}

/** Parses a request head from buffer[start, end). Returns the offset after it, NEED_MORE, or REFUSED. */
export function parseRequestHead(head: Head, buffer: Buffer, start: number, end: number, limits: Limits): number {
  head.reset(buffer)
  const afterLine = parseRequestLine(head, start, end, limits)
  if (afterLine < 0) return afterLine
  return parseFields(head, afterLine, start, end, limits, FAULTS.badField, FAULTS.headTooLarge)
}

/** The same for a response head. All faults are the upstream's. */
export function parseResponseHead(head: Head, buffer: Buffer, start: number, end: number, limits: Limits): number {
  head.reset(buffer)
  const afterLine = parseStatusLine(head, start, end, limits)
  if (afterLine < 0) return afterLine
  return parseFields(head, afterLine, start, end, limits, FAULTS.upstreamProtocol, FAULTS.upstreamProtocol)
}

/**
 * A wrong octet at `position`: refused if its line is complete or too long, else more is needed. Nothing here scans more
 * than a head's worth, because the limit ends it.
 */
function wrong(
  head: Head,
  position: number,
  start: number,
  end: number,
  sizeMax: number,
  fault: Fault,
  tooLarge: Fault,
): number {
  const lineEnd = head.buffer.indexOf(LF, position)
  if (lineEnd >= 0 && lineEnd < end) {
    head.fault = lineEnd - start >= sizeMax ? tooLarge : fault
    return REFUSED
  }
  return incomplete(head, start, end, sizeMax, tooLarge)
}

function incomplete(head: Head, start: number, end: number, sizeMax: number, tooLarge: Fault): number {
  if (end - start <= sizeMax) return NEED_MORE
  head.fault = tooLarge
  return REFUSED
}

const HTTP_1 = octetsOf('HTTP/1.')
const HTTP = octetsOf('HTTP/')

/** request-line = method SP request-target SP HTTP-version CRLF, after at most one empty line (RFC 9112 §2.2). */
function parseRequestLine(head: Head, start: number, end: number, limits: Limits): number {
  const { buffer } = head
  const sizeMax = limits.requestLineBytesMax
  const fault = FAULTS.badRequestLine
  const tooLong = FAULTS.requestLineTooLong
  let at = start
  if (at < end && buffer[at] === CR) {
    if (at + 1 === end) return NEED_MORE
    if (buffer[at + 1] !== LF) return wrong(head, at, start, end, sizeMax, fault, tooLong)
    at += 2
  }
  head.methodStart = at
  while (at < end && isToken(buffer[at]!)) at++
  if (at === end) return incomplete(head, start, end, sizeMax, tooLong)
  if (buffer[at] !== SP || at === head.methodStart) return wrong(head, at, start, end, sizeMax, fault, tooLong)
  head.methodEnd = at++

  head.targetStart = at
  let special = false
  let previous = 0
  while (at < end) {
    const octet = buffer[at]!
    if (!isTarget(octet)) break
    // `%`, `\`, and `/` or `.` after `/`: what path.ts has to look at. Rare, so one flag is enough.
    if (octet === 0x25 || octet === 0x5c || (previous === 0x2f && (octet === 0x2e || octet === 0x2f))) special = true
    previous = octet
    at++
  }
  if (at === end) return incomplete(head, start, end, sizeMax, tooLong)
  if (buffer[at] !== SP || at === head.targetStart) return wrong(head, at, start, end, sizeMax, fault, tooLong)
  head.targetEnd = at++
  head.targetSpecial = special

  // "HTTP/1.1" CRLF
  if (at + 10 > end) {
    const lineEnd = buffer.indexOf(LF, at)
    if (lineEnd < 0 || lineEnd >= end) return incomplete(head, start, end, sizeMax, tooLong)
    return wrong(head, at, start, end, sizeMax, fault, tooLong)
  }
  if (buffer[at + 8] !== CR || buffer[at + 9] !== LF || !isDigit(buffer[at + 7]!)) {
    return wrong(head, at, start, end, sizeMax, fault, tooLong)
  }
  if (!equals(buffer, at, at + 7, HTTP_1)) {
    const otherMajor = equals(buffer, at, at + 5, HTTP) && isDigit(buffer[at + 5]!) && buffer[at + 6] === 0x2e
    return wrong(head, at, start, end, sizeMax, otherMajor ? FAULTS.badVersion : fault, tooLong)
  }
  // A higher minor version is understood as ours (RFC 9110 §2.5).
  head.minor = buffer[at + 7] === 0x30 ? 0 : 1
  if (at + 10 - start > sizeMax) {
    head.fault = tooLong
    return REFUSED
  }
  return at + 10
}

/** status-line = HTTP-version SP 3DIGIT SP [reason] CRLF (RFC 9112 §4). The reason is read over: we send our own. */
function parseStatusLine(head: Head, start: number, end: number, limits: Limits): number {
  const { buffer } = head
  const sizeMax = limits.headBytesMax
  const fault = FAULTS.upstreamProtocol
  // "HTTP/1.1 200 "
  if (end - start < 13) {
    const lineEnd = buffer.indexOf(LF, start)
    if (lineEnd < 0 || lineEnd >= end) return NEED_MORE
    head.fault = fault
    return REFUSED
  }
  const hundreds = buffer[start + 9]! - 0x30
  const well =
    equals(buffer, start, start + 7, HTTP_1) &&
    isDigit(buffer[start + 7]!) &&
    buffer[start + 8] === SP &&
    hundreds >= 1 &&
    hundreds <= 5 &&
    isDigit(buffer[start + 10]!) &&
    isDigit(buffer[start + 11]!) &&
    buffer[start + 12] === SP
  if (!well) return wrong(head, start, start, end, sizeMax, fault, fault)
  head.minor = buffer[start + 7] === 0x30 ? 0 : 1
  head.status = hundreds * 100 + (buffer[start + 10]! - 0x30) * 10 + (buffer[start + 11]! - 0x30)
  let at = start + 13
  while (at < end && isValue(buffer[at]!)) at++
  if (at === end) return incomplete(head, start, end, sizeMax, fault)
  if (buffer[at] !== CR) return wrong(head, at, start, end, sizeMax, fault, fault)
  if (at + 1 === end) return incomplete(head, start, end, sizeMax, fault)
  if (buffer[at + 1] !== LF) return wrong(head, at + 1, start, end, sizeMax, fault, fault)
  return at + 2
}

/** *( field-name ":" OWS field-value OWS CRLF ) CRLF (RFC 9112 §5). */
function parseFields(
  head: Head,
  from: number,
  start: number,
  end: number,
  limits: Limits,
  fault: Fault,
  tooLarge: Fault,
): number {
  const { buffer, fields } = head
  const sizeMax = limits.headBytesMax
  const countMax = limits.fieldsMax
  let at = from
  for (;;) {
    if (at === end) return incomplete(head, start, end, sizeMax, tooLarge)
    if (buffer[at] === CR) {
      if (at + 1 === end) return incomplete(head, start, end, sizeMax, tooLarge)
      if (buffer[at + 1] !== LF) return wrong(head, at, start, end, sizeMax, fault, tooLarge)
      head.end = at + 2
      if (at + 2 - start <= sizeMax) return at + 2
      head.fault = tooLarge
      return REFUSED
    }

    const nameStart = at
    let hash = 0
    let underscore = false
    while (at < end) {
      const octet = TOKEN_LOWER[buffer[at]!]!
      if (octet === 0) break
      if (octet === 0x5f) underscore = true
      hash = (Math.imul(hash, 31) + octet) | 0
      at++
    }
    if (at === end) return incomplete(head, start, end, sizeMax, tooLarge)
    const nameEnd = at
    if (buffer[at] !== 0x3a || nameEnd === nameStart) return wrong(head, at, start, end, sizeMax, fault, tooLarge)
    at++

    while (at < end && (buffer[at] === SP || buffer[at] === HTAB)) at++
    const valueStart = at
    while (at < end && isValue(buffer[at]!)) at++
    if (at === end) return incomplete(head, start, end, sizeMax, tooLarge)
    let valueEnd = at
    if (buffer[at] !== CR) return wrong(head, at, start, end, sizeMax, fault, tooLarge)
    if (at + 1 === end) return incomplete(head, start, end, sizeMax, tooLarge)
    if (buffer[at + 1] !== LF) return wrong(head, at + 1, start, end, sizeMax, fault, tooLarge)
    at += 2
    while (valueEnd > valueStart && (buffer[valueEnd - 1] === SP || buffer[valueEnd - 1] === HTAB)) valueEnd--

    if (head.fieldCount === countMax || nameEnd - nameStart > limits.fieldNameBytesMax || at - start > sizeMax) {
      head.fault = tooLarge
      return REFUSED
    }
    let id = fieldOf(buffer, nameStart, nameEnd, hash)
    // An underscore alias of a field that we act on is marked to be dropped, never used.
    if (underscore && id === FIELD.other && aliasOf(buffer, nameStart, nameEnd) !== FIELD.other) id = FIELD.dropped
    const index = head.fieldCount++
    const slot = index * FIELD_INTS
    fields[slot + NAME_START] = nameStart
    fields[slot + NAME_END] = nameEnd
    fields[slot + VALUE_START] = valueStart
    fields[slot + VALUE_END] = valueEnd
    fields[slot + FIELD_ID] = id
    fields[slot + NAME_HASH] = hash
    if (id !== FIELD.other) note(head, id, index)
  }
}

function note(head: Head, id: number, index: number): void {
  if (id < 31) head.present |= 1 << id
  switch (id) {
    case FIELD.host:
      head.hostCount++
      head.hostIndex = index
      break
    case FIELD.contentLength:
      head.contentLengthCount++
      head.contentLengthIndex = index
      break
    case FIELD.transferEncoding:
      head.transferEncodingCount++
      head.transferEncodingIndex = index
      break
    case FIELD.connection:
      head.connectionCount++
      break
    case FIELD.expect:
      head.expectCount++
      head.expectIndex = index
      break
    case FIELD.upgrade:
      head.upgradeCount++
      head.upgradeIndex = index
      break
    default:
      break
  }
}
