/**
 * What a TLS client says before anything is decided: the server's name and the protocols it speaks (RFC 8446 §4.1.2, RFC 6066 §3,
 * RFC 7301). Read here, because certificate, versions and route depend on it. Pure.
 */

export type ClientHello =
  /** Not enough octets yet. */
  | { readonly kind: 'incomplete' }
  /** Something else than TLS. */
  | { readonly kind: 'other' }
  | { readonly kind: 'hello'; readonly serverName: string | null; readonly protocols: readonly string[] }

/** Longer hellos are refused: real ones are below 4 kB. */
export const HELLO_BYTES_MAX: number = 16 * 1024

const HANDSHAKE_RECORD = 22
const CLIENT_HELLO = 1
const RECORD_HEADER_BYTES = 5
const EXTENSION_SERVER_NAME = 0
const EXTENSION_ALPN = 16
const NAME_TYPE_HOST = 0

const OTHER: ClientHello = { kind: 'other' }
const INCOMPLETE: ClientHello = { kind: 'incomplete' }

/** Reads octets[0, …), the first of a connection. A hello may be spread over several records. */
export function readClientHello(octets: Buffer): ClientHello {
  if (octets.length > 0 && octets[0] !== HANDSHAKE_RECORD) return OTHER
  if (octets.length > 1 && octets[1] !== 3) return OTHER
  const message = handshakeOctets(octets)
  if (message.length < 4) return octets.length > HELLO_BYTES_MAX ? OTHER : INCOMPLETE
  if (message[0] !== CLIENT_HELLO) return OTHER
  const length = message.readUIntBE(1, 3)
  if (length > HELLO_BYTES_MAX) return OTHER
  if (message.length < 4 + length) return INCOMPLETE
  try {
    return readBody(new Cursor(message.subarray(4, 4 + length)))
  } catch (error) {
    if (error instanceof RangeError) return OTHER
    throw error
  }
}

/** The payloads of all whole or partial handshake records, joined. */
function handshakeOctets(octets: Buffer): Buffer {
  const parts: Buffer[] = []
  let at = 0
  while (at + RECORD_HEADER_BYTES <= octets.length && octets[at] === HANDSHAKE_RECORD) {
    const length = octets.readUInt16BE(at + 3)
    parts.push(octets.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + length))
    at += RECORD_HEADER_BYTES + length
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

/** Throws a RangeError past the end. */
class Cursor {
  private readonly octets: Buffer
  private at = 0

  constructor(octets: Buffer) {
    this.octets = octets
  }

  get left(): number {
    return this.octets.length - this.at
  }

  number(bytes: number): number {
    const value = this.octets.readUIntBE(this.at, bytes)
    this.at += bytes
    return value
  }

  take(bytes: number): Buffer {
    if (bytes > this.left) throw new RangeError('past the end')
    this.at += bytes
    return this.octets.subarray(this.at - bytes, this.at)
  }

  /** A vector with its length in `bytes` octets before it. */
  vector(bytes: number): Cursor {
    return new Cursor(this.take(this.number(bytes)))
  }
}

function readBody(body: Cursor): ClientHello {
  // legacy_version, random
  body.take(2 + 32)
  // legacy_session_id, cipher_suites, legacy_compression_methods
  body.vector(1)
  body.vector(2)
  body.vector(1)
  let serverName: string | null = null
  let protocols: readonly string[] = []
  const extensions = body.left > 0 ? body.vector(2) : null
  while (extensions !== null && extensions.left > 0) {
    const type = extensions.number(2)
    const content = extensions.vector(2)
    if (type === EXTENSION_SERVER_NAME) serverName = readServerName(content)
    else if (type === EXTENSION_ALPN) protocols = readProtocols(content)
  }
  return { kind: 'hello', serverName, protocols }
}

function readServerName(content: Cursor): string | null {
  const names = content.vector(2)
  while (names.left > 0) {
    const type = names.number(1)
    const name = names.vector(2)
    if (type === NAME_TYPE_HOST) return name.take(name.left).toString('latin1').toLowerCase()
  }
  return null
}

function readProtocols(content: Cursor): string[] {
  const list = content.vector(2)
  const protocols: string[] = []
  while (list.left > 0) {
    const name = list.vector(1)
    protocols.push(name.take(name.left).toString('latin1'))
  }
  return protocols
}
