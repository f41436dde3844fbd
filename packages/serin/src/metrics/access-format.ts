/** Envoy's access log formats, compiled once: text with `%OPERATOR(argument):length%` in it, or a JSON object of such texts. */
import type { AccessEntry } from './access-entry.ts'
import { flagText } from './flags.ts'
import { timeFormatter } from './time-format.ts'

/** Makes one line, with its line end. Its characters are octets (latin1). */
export type FormatAccess = (entry: AccessEntry) => string

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
  constructor(message: string, column: number) {
    super(message)
    this.column = column
  }
}

type Value = string | number | undefined
type Read = (entry: AccessEntry) => Value
/** Makes the reader of one operator; undefined: the argument is wrong. */
type Operator = (argument: string | undefined) => Read | undefined

interface Part {
  readonly literal: string
  readonly read: Read | undefined
  readonly lengthMax: number
}

/** A function that writes a line for each request. @throws AccessFormatError */
export function compileTextFormat(format: string = DEFAULT_TEXT_FORMAT): FormatAccess {
  const parts = parse(format.endsWith('\n') ? format : `${format}\n`)
  return (entry) => {
    let line = ''
    for (const part of parts) line += part.read ? textOf(part.read(entry), part.lengthMax) : part.literal
    return line
  }
}

/** As `compileTextFormat`, with a field for each key. A field of one operator keeps its type: numbers, `null` for none. @throws AccessFormatError */
export function compileJsonFormat(format: Readonly<Record<string, string>> = DEFAULT_JSON_FORMAT): FormatAccess {
  const fields = Object.entries(format).map(([key, text], index) => ({
    prefix: `${index === 0 ? '{' : ','}${asciiJson(key)}:`,
    parts: parse(text),
  }))
  return (entry) => {
    let line = ''
    for (const { prefix, parts } of fields) line += prefix + jsonOf(parts, entry)
    return line === '' ? '{}\n' : `${line}}\n`
  }
}

function jsonOf(parts: readonly Part[], entry: AccessEntry): string {
  const [first] = parts
  if (parts.length === 1 && first?.read) {
    const value = first.read(entry)
    if (value === undefined) return 'null'
    return typeof value === 'number' ? String(value) : asciiJson(value.slice(0, first.lengthMax))
  }
  let text = ''
  for (const part of parts) text += part.read ? textOf(part.read(entry), part.lengthMax) : part.literal
  return asciiJson(text)
}

function textOf(value: Value, lengthMax: number): string {
  if (value === undefined) return '-'
  return typeof value === 'number' ? String(value) : value.length > lengthMax ? value.slice(0, lengthMax) : value
}

/** What JSON has to escape, or we do to stay within ASCII. Runs as machine code, unlike a loop over the characters that is not hot yet. */
const UNSAFE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/

/** JSON of a text whose characters are octets, in plain ASCII. */
function asciiJson(text: string): string {
  return UNSAFE.test(text) ? escapedJson(text) : `"${text}"`
}

function escapedJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

const OPERATOR = /%([A-Z_]+)(?:\(([^)]*)\))?(?::(\d+))?%/y

function parse(format: string): Part[] {
  const parts: Part[] = []
  let literal = ''
  for (let index = 0; index < format.length;) {
    if (format[index] !== '%') {
      literal += format[index++]
    } else if (format[index + 1] === '%') {
      literal += '%'
      index += 2
    } else {
      if (literal !== '') parts.push({ literal: octets(literal), read: undefined, lengthMax: 0 })
      literal = ''
      OPERATOR.lastIndex = index
      parts.push(operatorPart(format, index))
      index = OPERATOR.lastIndex
    }
  }
  if (literal !== '' || parts.length === 0) parts.push({ literal: octets(literal), read: undefined, lengthMax: 0 })
  return parts
}

/** Text of a person as the octets of its UTF-8. */
function octets(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function operatorPart(format: string, column: number): Part {
  const match = OPERATOR.exec(format)
  if (!match) throw new AccessFormatError('a % begins an operator like %PROTOCOL%; write %% for a percent sign', column)
  const [, name = '', argument, length] = match
  const operator = OPERATORS[name]
  if (!operator) throw new AccessFormatError(`unknown operator %${name}%`, column)
  const read = operator(argument)
  if (!read) throw new AccessFormatError(`%${name}% needs an argument: %${name}(NAME)%`, column)
  return { literal: '', read, lengthMax: length === undefined ? Infinity : Number(length) }
}

const plain =
  (read: Read): Operator =>
  () =>
    read

const header =
  (of: (entry: AccessEntry, name: string) => Value): Operator =>
  (argument) => {
    if (argument === undefined || argument === '') return undefined
    const [first = '', second] = argument.toLowerCase().split('?')
    if (second === undefined) return (entry) => of(entry, first)
    return (entry) => of(entry, first) ?? of(entry, second)
  }

function withoutPort(address: string | undefined): Value {
  if (address === undefined) return undefined
  const colon = address.lastIndexOf(':')
  return colon === -1 ? address : address.slice(0, colon).replace(/^\[|\]$/g, '')
}

function portOf(address: string | undefined): Value {
  return address === undefined ? undefined : Number(address.slice(address.lastIndexOf(':') + 1))
}

const happened = (ms: number): Value => (ms < 0 ? undefined : Math.trunc(ms))

function requestPart(entry: AccessEntry, name: string): Value {
  if (name === ':method') return entry.method
  if (name === ':path') return entry.upstreamPath ?? entry.path
  if (name === 'x-envoy-original-path') return entry.path
  if (name === ':authority') return entry.authority
  return entry.requestHeader(name)
}

function responsePart(entry: AccessEntry, name: string): Value {
  if (name === ':status') return entry.status
  if (name === 'x-envoy-upstream-service-time') return happened(entry.upstreamServiceMs)
  return entry.responseHeader(name)
}

/** Envoy's command operators, and MAPPING and VERSION. */
const OPERATORS: Readonly<Record<string, Operator>> = {
  START_TIME: (argument) => {
    const format = timeFormatter(argument)
    return (entry) => format(entry.startMs)
  },
  REQ: header(requestPart),
  RESP: header(responsePart),
  TRAILER: header(() => undefined),
  PROTOCOL: plain((entry) => entry.protocol),
  RESPONSE_CODE: plain((entry) => entry.status),
  RESPONSE_CODE_DETAILS: plain((entry) => entry.details),
  RESPONSE_FLAGS: plain((entry) => flagText(entry.flags)),
  BYTES_RECEIVED: plain((entry) => entry.bytesIn),
  BYTES_SENT: plain((entry) => entry.bytesOut),
  DURATION: plain((entry) => happened(entry.durationMs)),
  REQUEST_DURATION: plain((entry) => happened(entry.requestMs)),
  RESPONSE_DURATION: plain((entry) => happened(entry.responseMs)),
  RESPONSE_TX_DURATION: plain((entry) =>
    entry.responseMs < 0 ? undefined : happened(entry.durationMs - entry.responseMs),
  ),
  UPSTREAM_HOST: plain((entry) => entry.upstreamHost),
  UPSTREAM_CLUSTER: plain((entry) => entry.upstreamCluster),
  UPSTREAM_LOCAL_ADDRESS: plain((entry) => entry.upstreamLocalAddress),
  UPSTREAM_TRANSPORT_FAILURE_REASON: plain((entry) => entry.upstreamFailure),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: plain((entry) => entry.upstreamAttempts),
  DOWNSTREAM_REMOTE_ADDRESS: plain((entry) => entry.downstreamRemoteAddress),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain((entry) => withoutPort(entry.downstreamRemoteAddress)),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: plain((entry) => entry.downstreamDirectAddress),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: plain((entry) => withoutPort(entry.downstreamDirectAddress)),
  DOWNSTREAM_LOCAL_ADDRESS: plain((entry) => entry.downstreamLocalAddress),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: plain((entry) => withoutPort(entry.downstreamLocalAddress)),
  DOWNSTREAM_LOCAL_PORT: plain((entry) => portOf(entry.downstreamLocalAddress)),
  REQUESTED_SERVER_NAME: plain((entry) => entry.requestedServerName),
  CONNECTION_ID: plain((entry) => entry.connectionId),
  ROUTE_NAME: plain((entry) => entry.mapping),
  MAPPING: plain((entry) => entry.mapping),
  VERSION: plain((entry) => entry.version),
  HOSTNAME: plain(() => process.env['HOSTNAME']),
  /** What serin has no such thing of; Envoy writes a dash for them too, where nothing was set. */
  DYNAMIC_METADATA: plain(() => undefined),
  FILTER_STATE: plain(() => undefined),
  GRPC_STATUS: plain((entry) => entry.responseHeader('grpc-status')),
}
