/**
 * The messages of Envoy's authorization and rate limit services, as far as they are used here: field numbers are those of the public
 * definitions (envoy.service.auth.v3, envoy.service.ratelimit.v3, envoy.config.core.v3, google.rpc). What is not known is read over.
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

export type Field = readonly [name: string, value: string]

export interface CheckRequest {
  readonly sourceAddress: string
  readonly sourcePort: number
  readonly id: string
  readonly method: string
  readonly headers: readonly Field[]
  readonly path: string
  readonly host: string
  readonly scheme: string
  readonly size: number
  readonly protocol: string
  readonly body: string
  readonly startMs: number
  readonly contextExtensions: readonly Field[]
}

export interface HeaderOption {
  readonly name: string
  readonly value: string
  /** false: it replaces what is there. */
  readonly append: boolean
}

export interface CheckResponse {
  /** google.rpc.Code; 0 is yes. */
  readonly code: number
  readonly denied: { readonly status: number; readonly headers: readonly HeaderOption[]; readonly body: string } | null
  readonly headers: readonly HeaderOption[]
  readonly headersToRemove: readonly string[]
  readonly responseHeaders: readonly HeaderOption[]
}

export const CHECK_PATH = '/envoy.service.auth.v3.Authorization/Check'
export const RATE_LIMIT_PATH = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit'

export interface RateLimitResponse {
  readonly overLimit: boolean
  readonly responseHeaders: readonly Field[]
  readonly requestHeaders: readonly Field[]
  readonly body: Uint8Array
}

/** RateLimitResponse.Code. */
const OVER_LIMIT = 2

type Write = (writer: BinaryWriter) => void

/** Field `number` as an embedded message. */
function message(writer: BinaryWriter, number: number, write: Write): void {
  writer.tag(number, WireType.LengthDelimited).fork()
  write(writer)
  writer.join()
}

function text(writer: BinaryWriter, number: number, value: string): void {
  if (value !== '') writer.tag(number, WireType.LengthDelimited).string(value)
}

function entries(writer: BinaryWriter, number: number, fields: readonly Field[]): void {
  for (const [name, value] of fields) {
    message(writer, number, (entry) => {
      text(entry, 1, name)
      text(entry, 2, value)
    })
  }
}

export function encodeCheckRequest(request: CheckRequest): Uint8Array {
  const writer = new BinaryWriter()
  message(writer, 1, (attributes) => {
    message(attributes, 1, (source) => writeAddress(source, request.sourceAddress, request.sourcePort))
    message(attributes, 4, (outer) => {
      message(outer, 1, (time) => {
        time.tag(1, WireType.Varint).int64(Math.floor(request.startMs / 1000))
        time.tag(2, WireType.Varint).int32((request.startMs % 1000) * 1_000_000)
      })
      message(outer, 2, (http) => writeHttp(http, request))
    })
    entries(attributes, 10, request.contextExtensions)
  })
  return writer.finish()
}

/** Peer.address.socket_address. */
function writeAddress(peer: BinaryWriter, address: string, port: number): void {
  message(peer, 1, (outer) =>
    message(outer, 1, (socket) => {
      text(socket, 2, address)
      socket.tag(3, WireType.Varint).uint32(port)
    }),
  )
}

function writeHttp(http: BinaryWriter, request: CheckRequest): void {
  text(http, 1, request.id)
  text(http, 2, request.method)
  entries(http, 3, request.headers)
  text(http, 4, request.path)
  text(http, 5, request.host)
  text(http, 6, request.scheme)
  http.tag(9, WireType.Varint).int64(request.size)
  text(http, 10, request.protocol)
  text(http, 11, request.body)
}

export function encodeRateLimitRequest(domain: string, descriptors: readonly (readonly Field[])[]): Uint8Array {
  const writer = new BinaryWriter()
  text(writer, 1, domain)
  for (const descriptor of descriptors) message(writer, 2, (inner) => entries(inner, 1, descriptor))
  writer.tag(3, WireType.Varint).uint32(1)
  return writer.finish()
}

/** What to do with each field; others are read over. */
type Fields = Readonly<Record<number, (reader: BinaryReader) => void>>

/** @throws RangeError where the octets are no message */
function read(octets: Uint8Array, fields: Fields): void {
  const reader = new BinaryReader(octets)
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag()
    const field = fields[number]
    if (field) field(reader)
    else reader.skip(type, number)
  }
}

export function decodeCheckResponse(octets: Uint8Array): CheckResponse {
  let code = 0
  let denied: CheckResponse['denied'] = null
  const headers: HeaderOption[] = []
  const headersToRemove: string[] = []
  const responseHeaders: HeaderOption[] = []
  read(octets, {
    1: (reader) => read(reader.bytes(), { 1: (status) => (code = status.int32()) }),
    2: (reader) => (denied = readDenied(reader.bytes())),
    3: (reader) =>
      read(reader.bytes(), {
        2: (ok) => headers.push(readOption(ok.bytes())),
        5: (ok) => headersToRemove.push(ok.string()),
        6: (ok) => responseHeaders.push(readOption(ok.bytes())),
      }),
  })
  return { code, denied, headers, headersToRemove, responseHeaders }
}

function readDenied(octets: Uint8Array): NonNullable<CheckResponse['denied']> {
  let status = 0
  let body = ''
  const headers: HeaderOption[] = []
  read(octets, {
    1: (reader) => read(reader.bytes(), { 1: (inner) => (status = inner.int32()) }),
    2: (reader) => headers.push(readOption(reader.bytes())),
    3: (reader) => (body = reader.string()),
  })
  return { status, headers, body }
}

/** HeaderValueOption; without `append` the value replaces what is there, as in Envoy's filter. */
function readOption(octets: Uint8Array): HeaderOption {
  let field: Field = ['', '']
  let append = false
  read(octets, {
    1: (reader) => (field = readHeader(reader.bytes())),
    2: (reader) => read(reader.bytes(), { 1: (inner) => (append = inner.bool()) }),
  })
  return { name: field[0], value: field[1], append }
}

/** HeaderValue. */
function readHeader(octets: Uint8Array): Field {
  let name = ''
  let value = ''
  read(octets, {
    1: (reader) => (name = reader.string()),
    2: (reader) => (value = reader.string()),
    3: (reader) => (value = Buffer.from(reader.bytes()).toString('latin1')),
  })
  return [name, value]
}

export function decodeRateLimitResponse(octets: Uint8Array): RateLimitResponse {
  let overLimit = false
  let body: Uint8Array = new Uint8Array()
  const responseHeaders: Field[] = []
  const requestHeaders: Field[] = []
  read(octets, {
    1: (reader) => (overLimit = reader.int32() === OVER_LIMIT),
    3: (reader) => responseHeaders.push(readHeader(reader.bytes())),
    4: (reader) => requestHeaders.push(readHeader(reader.bytes())),
    5: (reader) => (body = reader.bytes()),
  })
  return { overLimit, responseHeaders, requestHeaders, body }
}
