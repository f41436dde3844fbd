/**
 * As much of SPDY/3.1 as port forwarding by kubectl needs, over any byte stream: streams that the client opens, data both ways,
 * ends and resets, pings. No flow control: kubectl's side has none either.
 */
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib'
import type { Duplex } from 'node:stream'
import { SPDY_DICTIONARY } from './spdy-dictionary.ts'

const SYN_STREAM = 1
const SYN_REPLY = 2
const RST_STREAM = 3
const PING = 6
const GOAWAY = 7
const FIN = 1
const VERSION_OCTET = 0x80
const VERSION = 3
const HEAD_BYTES = 8
/** A larger frame ends the connection. */
const FRAME_BYTES_MAX = 4 * 1024 * 1024
const HEADERS_MAX = 64

export interface SpdyStream {
  readonly headers: Readonly<Record<string, string>>
  /** Called with every piece of data, and with undefined at the end. */
  onData: (data: Buffer | undefined) => void
  write(data: Buffer): void
  end(): void
  reset(): void
}

/** Serves one connection; calls back for every stream that the client opens. */
export function serveSpdy(connection: Duplex, onStream: (stream: SpdyStream) => void): void {
  const session = new Session(connection, onStream)
  connection.on('data', (chunk: Buffer) => session.take(chunk))
  connection.on('close', () => session.close())
  connection.on('error', () => connection.destroy())
}

class Session {
  readonly #connection: Duplex
  readonly #onStream: (stream: SpdyStream) => void
  readonly #streams = new Map<number, SpdyStream>()
  readonly #inflate: Inflate = createInflate({ dictionary: SPDY_DICTIONARY })
  readonly #deflate: Deflate = createDeflate({ dictionary: SPDY_DICTIONARY })
  #rest: Buffer = Buffer.alloc(0)
  /** Header blocks share one compression context: they are undone one after the other, and frames wait for that. */
  #busy: Promise<void> = Promise.resolve()

  constructor(connection: Duplex, onStream: (stream: SpdyStream) => void) {
    this.#connection = connection
    this.#onStream = onStream
    for (const codec of [this.#inflate, this.#deflate]) codec.on('error', () => connection.destroy())
  }

  take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= HEAD_BYTES) {
      const length = this.#rest.readUIntBE(5, 3)
      if (length > FRAME_BYTES_MAX) {
        this.#connection.destroy()
        return
      }
      if (this.#rest.length < HEAD_BYTES + length) return
      const head = this.#rest.subarray(0, HEAD_BYTES)
      const body = this.#rest.subarray(HEAD_BYTES, HEAD_BYTES + length)
      this.#rest = this.#rest.subarray(HEAD_BYTES + length)
      this.#busy = this.#busy.then(() => this.#frame(head, body)).catch(() => void this.#connection.destroy())
    }
  }

  close(): void {
    for (const stream of this.#streams.values()) stream.onData(undefined)
    this.#streams.clear()
    this.#inflate.close()
    this.#deflate.close()
  }

  async #frame(head: Buffer, body: Buffer): Promise<void> {
    const flags = head[4] ?? 0
    if (((head[0] ?? 0) & VERSION_OCTET) === 0) return this.#data(head.readUInt32BE(0), flags, body)
    switch (head.readUInt16BE(2)) {
      case SYN_STREAM:
        return this.#open(body, flags)
      case RST_STREAM:
        return this.#data(body.readUInt32BE(0) & 0x7fffffff, FIN, Buffer.alloc(0))
      case PING:
        return this.#control(PING, body)
      case GOAWAY:
        return void this.#connection.end()
      default: // Settings, windows, late headers: nothing here depends on them.
        return undefined
    }
  }

  #data(id: number, flags: number, body: Buffer): void {
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    if (body.length > 0) stream.onData(body)
    if ((flags & FIN) !== 0) stream.onData(undefined)
  }

  async #open(body: Buffer, flags: number): Promise<void> {
    const id = body.readUInt32BE(0) & 0x7fffffff
    const headers = parseHeaders(await through(this.#inflate, body.subarray(10)))
    const none = await through(this.#deflate, Buffer.alloc(4))
    const streamId = Buffer.alloc(4)
    streamId.writeUInt32BE(id)
    const stream: SpdyStream = {
      headers,
      onData: () => {},
      write: (data) => void this.#connection.write(Buffer.concat([frameHead(id, 0, data.length), data])),
      end: () => void this.#connection.write(frameHead(id, FIN, 0)),
      reset: () => {
        this.#streams.delete(id)
        this.#control(RST_STREAM, Buffer.concat([streamId, Buffer.of(0, 0, 0, 5)]))
      },
    }
    this.#streams.set(id, stream)
    this.#control(SYN_REPLY, Buffer.concat([streamId, none]))
    this.#onStream(stream)
    if ((flags & FIN) !== 0) stream.onData(undefined)
  }

  #control(type: number, body: Buffer): void {
    const head = Buffer.alloc(HEAD_BYTES)
    head.writeUInt8(VERSION_OCTET, 0)
    head.writeUInt8(VERSION, 1)
    head.writeUInt16BE(type, 2)
    head.writeUIntBE(body.length, 5, 3)
    this.#connection.write(Buffer.concat([head, body]))
  }
}

function frameHead(id: number, flags: number, length: number): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt32BE(id, 0)
  head.writeUInt8(flags, 4)
  head.writeUIntBE(length, 5, 3)
  return head
}

/** One block through a codec whose context goes on. */
function through(codec: Inflate | Deflate, block: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = []
    const collect = (piece: Buffer): void => void pieces.push(piece)
    codec.on('data', collect)
    codec.once('error', reject)
    codec.write(block, () => {
      codec.flush(constants.Z_SYNC_FLUSH, () => {
        codec.off('data', collect)
        codec.off('error', reject)
        resolve(Buffer.concat(pieces))
      })
    })
  })
}

/** Number of pairs, then names and values, each after its length in four octets. */
function parseHeaders(block: Buffer): Record<string, string> {
  const headers: Record<string, string> = {}
  const count = Math.min(block.readUInt32BE(0), HEADERS_MAX)
  let at = 4
  const next = (): string => {
    const length = block.readUInt32BE(at)
    at += 4 + length
    return block.toString('latin1', at - length, at)
  }
  for (let pair = 0; pair < count; pair += 1) {
    const name = next()
    headers[name] = next()
  }
  return headers
}
