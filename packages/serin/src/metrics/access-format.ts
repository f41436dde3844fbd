/** Envoy's access log formats, compiled once: text with `%OPERATOR(argument):length%` in it, or a JSON object of such texts. */
import { fieldOf, nameHash } from '../wire/field-names.ts'
import { octetsOf } from '../wire/octets.ts'
import type { OutBuffer } from '../wire/out-buffer.ts'
import type { AccessEntry, HeaderName } from './access-entry.ts'
import { flagText } from './flags.ts'
import { timeWriter } from './time-format.ts'

/** Appends one line, with its line end. Octets go from the wire to the log without a string between. */
export interface FormatAccess {
  (entry: AccessEntry, out: OutBuffer): void
  /** What it asks of the response's head, which is gone when the line is written. */
  readonly responseHeaders: readonly HeaderName[]
}

/** A line as Emissary writes it. */
export const DEFAULT_TEXT_FORMAT: string =
  'ACCESS [%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ' +
  '%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% ' +
  '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"'

/** Emissary's fields, and the two that it cannot have. */
export const DEFAULT_JSON_FORMAT: Readonly<Record<string, string>> = {
  start_time: '%START_TIME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  authority: '%REQ(:AUTHORITY)%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_cluster: '%UPSTREAM_CLUSTER%',
  upstream_local_address: '%UPSTREAM_LOCAL_ADDRESS%',
  downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  requested_server_name: '%REQUESTED_SERVER_NAME%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
  mapping: '%MAPPING%',
  version: '%VERSION%',
}

/** A format that cannot be compiled. `column` is 0-based in the text. */
export class AccessFormatError extends Error {
  override readonly name = 'AccessFormatError'
  readonly column: number
  /** The name that is no operator's. */
  readonly operator: string | undefined
  constructor(message: string, column: number, operator?: string) {
    super(message)
    this.column = column
    this.operator = operator
  }
}

/** Appends a value; false, and nothing appended, if there is none. */
type Write = (entry: AccessEntry, out: OutBuffer) => boolean
/** Makes the writer of one operator; undefined: the argument is wrong. */
type Operator = (argument: string | undefined) => Writer | undefined

interface Writer {
  readonly write: Write
  /** JSON knows the difference. */
  readonly number: boolean
  readonly responseHeaders?: readonly HeaderName[]
}

interface Part {
  readonly literal: Uint8Array
  readonly writer: Writer | undefined
  readonly lengthMax: number
}

/** Enough for any number and any other value that is no header. */
const VALUE_BYTES = 512
const DASH = 0x2d

/** A function that writes a line for each request. @throws AccessFormatError */
export function compileTextFormat(format: string = DEFAULT_TEXT_FORMAT): FormatAccess {
  const parts = [...parse(format), ...(typeof format === 'string' && format.endsWith('\n') ? [] : parse('\n'))]
  const write = (entry: AccessEntry, out: OutBuffer): void => {
    for (const part of parts) writeText(part, entry, out)
  }
  return Object.assign(write, { responseHeaders: responseHeadersOf(parts) })
}

/** As `compileTextFormat`, with a field for each key. A field of one operator keeps its type: numbers, `null` for none. @throws AccessFormatError */
export function compileJsonFormat(format: Readonly<Record<string, string>> = DEFAULT_JSON_FORMAT): FormatAccess {
  const fields = Object.entries(format).map(([key, text], index) => ({
    prefix: octetsOf(`${index === 0 ? '{' : ','}${asciiJson(key)}:`),
    parts: parse(text),
  }))
  const write = (entry: AccessEntry, out: OutBuffer): void => {
    for (const { prefix, parts } of fields) {
      append(out, prefix)
      writeJson(parts, entry, out)
    }
    append(out, fields.length === 0 ? EMPTY_LINE : LINE_END)
  }
  return Object.assign(write, { responseHeaders: responseHeadersOf(fields.flatMap(({ parts }) => parts)) })
}

function responseHeadersOf(parts: readonly Part[]): HeaderName[] {
  return parts.flatMap(({ writer }) => writer?.responseHeaders ?? [])
}

const LINE_END = octetsOf('}\n')
const EMPTY_LINE = octetsOf('{}\n')
const NULL = octetsOf('null')

function append(out: OutBuffer, octets: Uint8Array): void {
  out.reserve(octets.length)
  out.octets(octets)
}

function writeText(part: Part, entry: AccessEntry, out: OutBuffer): void {
  out.reserve(VALUE_BYTES + part.literal.length)
  const start = out.position
  if (part.writer === undefined) out.octets(part.literal)
  else if (!part.writer.write(entry, out)) out.octet(DASH)
  else if (out.position - start > part.lengthMax) out.position = start + part.lengthMax
}

function writeJson(parts: readonly Part[], entry: AccessEntry, out: OutBuffer): void {
  const [first] = parts
  out.reserve(VALUE_BYTES)
  const start = out.position
  if (parts.length === 1 && first?.writer) {
    if (!first.writer.number) out.octet(QUOTE)
    if (!first.writer.write(entry, out)) {
      out.position = start
      append(out, NULL)
      return
    }
    if (first.writer.number) return
    if (out.position - start - 1 > first.lengthMax) out.position = start + 1 + first.lengthMax
  } else {
    out.octet(QUOTE)
    for (const part of parts) writeText(part, entry, out)
  }
  endString(out, start + 1)
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Ends the JSON string whose octets begin at `start`; what has to be escaped is written again. */
function endString(out: OutBuffer, start: number): void {
  const { buffer, position } = out
  for (let index = start; index < position; index++) {
    const octet = buffer[index]!
    if (octet < 0x20 || octet > 0x7e || octet === QUOTE || octet === BACKSLASH) {
      const text = escaped(buffer.toString('latin1', start, position))
      out.position = start
      out.reserve(text.length + 1)
      out.latin1(text)
      break
    }
  }
  out.reserve(1)
  out.octet(QUOTE)
}

/** JSON of a text whose characters are octets, in plain ASCII. */
function asciiJson(text: string): string {
  return `"${escaped(text)}"`
}

function escaped(text: string): string {
  return JSON.stringify(text)
    .slice(1, -1)
    .replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

const OPERATOR = /%([A-Z_]+)(?:\(([^)]*)\))?(?::(\d+))?%/y

function parse(format: unknown): Part[] {
  if (typeof format !== 'string') throw new AccessFormatError('a format is a text', 0)
  const parts: Part[] = []
  let literal = ''
  for (let index = 0; index < format.length;) {
    if (format[index] !== '%') {
      literal += format[index++]
    } else if (format[index + 1] === '%') {
      literal += '%'
      index += 2
    } else {
      if (literal !== '') parts.push({ literal: Buffer.from(literal, 'utf8'), writer: undefined, lengthMax: 0 })
      literal = ''
      OPERATOR.lastIndex = index
      parts.push(operatorPart(format, index))
      index = OPERATOR.lastIndex
    }
  }
  if (literal !== '' || parts.length === 0)
    parts.push({ literal: Buffer.from(literal, 'utf8'), writer: undefined, lengthMax: 0 })
  return parts
}

function operatorPart(format: string, column: number): Part {
  const match = OPERATOR.exec(format)
  if (!match) throw new AccessFormatError('a % begins an operator like %PROTOCOL%; write %% for a percent sign', column)
  const [, name = '', argument, length] = match
  const operator = OPERATORS[name]
  if (!operator) throw new AccessFormatError(`unknown operator %${name}%`, column, name)
  const writer = operator(argument)
  if (!writer) throw new AccessFormatError(`%${name}% needs an argument: %${name}(NAME)%`, column)
  return { literal: NOTHING, writer, lengthMax: length === undefined ? Infinity : Number(length) }
}

const NOTHING = new Uint8Array()

/** A value that is a text. Its characters are octets. */
const text =
  (read: (entry: AccessEntry) => string | undefined): Operator =>
  () => ({
    number: false,
    write: (entry, out) => writeValue(read(entry), out),
  })

/** A value that is a whole number, 0 or more; below 0 there is none. */
const number =
  (read: (entry: AccessEntry) => number): Operator =>
  () => ({
    number: true,
    write: (entry, out) => {
      const value = read(entry)
      if (!(value >= 0)) return false
      out.decimal(Math.trunc(value))
      return true
    },
  })

function writeValue(value: string | undefined, out: OutBuffer): boolean {
  if (value === undefined) return false
  out.reserve(value.length)
  out.latin1(value)
  return true
}

/** `NAME?OTHER`: the first that is there. */
const header =
  (writerOf: (name: string) => Writer): Operator =>
  (argument) => {
    if (argument === undefined || argument === '') return undefined
    const [first = '', second] = argument.toLowerCase().split('?')
    const one = writerOf(first)
    if (second === undefined) return one
    const other = writerOf(second)
    return {
      number: one.number && other.number,
      responseHeaders: [...(one.responseHeaders ?? []), ...(other.responseHeaders ?? [])],
      write: (entry, out) => one.write(entry, out) || other.write(entry, out),
    }
  }

function headerName(name: string): HeaderName {
  const octets = octetsOf(name)
  const hash = nameHash(octets)
  return { text: name, octets, hash, field: fieldOf(octets, 0, octets.length, hash) }
}

function requestPart(name: string): Writer {
  const pseudo = REQUEST_PARTS[name]
  if (pseudo) return { number: false, write: (entry, out) => writeValue(pseudo(entry), out) }
  const prepared = headerName(name)
  return { number: false, write: (entry, out) => entry.writeRequestHeader(prepared, out) }
}

const REQUEST_PARTS: Readonly<Record<string, (entry: AccessEntry) => string | undefined>> = {
  ':method': (entry) => entry.method,
  ':path': (entry) => entry.upstreamPath ?? entry.path,
  ':authority': (entry) => entry.authority,
  'x-envoy-original-path': (entry) => entry.path,
}

function responsePart(name: string): Writer {
  if (name === ':status') return number((entry) => entry.status)(undefined)!
  if (name === 'x-envoy-upstream-service-time') return number((entry) => entry.upstreamServiceMs)(undefined)!
  const writer = text((entry) => entry.responseHeader(name))(undefined)!
  return { ...writer, responseHeaders: [headerName(name)] }
}

function withoutPort(address: string | undefined): string | undefined {
  if (address === undefined) return undefined
  const colon = address.lastIndexOf(':')
  const bare = colon === -1 || (address.indexOf(':') !== colon && !address.startsWith('['))
  return bare ? address : address.slice(0, colon).replace(/^\[|\]$/g, '')
}

function portOf(address: string | undefined): number {
  return address === undefined ? -1 : Number(address.slice(address.lastIndexOf(':') + 1))
}

/** Envoy's command operators, and MAPPING and VERSION. */
const OPERATORS: Readonly<Record<string, Operator>> = {
  START_TIME: (argument) => {
    const write = timeWriter(argument)
    return {
      number: false,
      write: (entry, out) => {
        write(entry.startMs, out)
        return true
      },
    }
  },
  REQ: header(requestPart),
  RESP: header(responsePart),
  TRAILER: header(() => text(() => undefined)(undefined)!),
  PROTOCOL: text((entry) => entry.protocol),
  RESPONSE_CODE: number((entry) => entry.status),
  RESPONSE_CODE_DETAILS: text((entry) => entry.details ?? (entry.responseMs < 0 ? undefined : 'via_upstream')),
  RESPONSE_FLAGS: text((entry) => flagText(entry.flags)),
  BYTES_RECEIVED: number((entry) => entry.bytesIn),
  BYTES_SENT: number((entry) => entry.bytesOut),
  DURATION: number((entry) => entry.durationMs),
  REQUEST_DURATION: number((entry) => entry.requestMs),
  RESPONSE_DURATION: number((entry) => entry.responseMs),
  RESPONSE_TX_DURATION: number((entry) => (entry.responseMs < 0 ? -1 : entry.durationMs - entry.responseMs)),
  UPSTREAM_HOST: text((entry) => entry.upstreamHost),
  UPSTREAM_CLUSTER: text((entry) => entry.upstreamCluster),
  UPSTREAM_LOCAL_ADDRESS: text((entry) => entry.upstreamLocalAddress),
  UPSTREAM_TRANSPORT_FAILURE_REASON: text((entry) => entry.upstreamFailure),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: number((entry) => entry.upstreamAttempts),
  DOWNSTREAM_REMOTE_ADDRESS: text((entry) => entry.downstreamRemoteAddress),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: text((entry) => withoutPort(entry.downstreamRemoteAddress)),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: text((entry) => entry.downstreamDirectAddress),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: text((entry) => withoutPort(entry.downstreamDirectAddress)),
  DOWNSTREAM_LOCAL_ADDRESS: text((entry) => entry.downstreamLocalAddress),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: text((entry) => withoutPort(entry.downstreamLocalAddress)),
  DOWNSTREAM_LOCAL_PORT: number((entry) => portOf(entry.downstreamLocalAddress)),
  REQUESTED_SERVER_NAME: text((entry) => entry.requestedServerName),
  CONNECTION_ID: number((entry) => entry.connectionId),
  ROUTE_NAME: text((entry) => entry.mapping),
  MAPPING: text((entry) => entry.mapping),
  VERSION: text((entry) => entry.version),
  HOSTNAME: text(() => process.env['HOSTNAME']),
  /** What serin has no such thing of; Envoy writes a dash for them too, where nothing was set. */
  DYNAMIC_METADATA: text(() => undefined),
  FILTER_STATE: text(() => undefined),
  GRPC_STATUS: () => responsePart('grpc-status'),
}

/** Every operator there is; `docs/reference/access-log.md` lists them. */
export const OPERATOR_NAMES: readonly string[] = Object.keys(OPERATORS)
