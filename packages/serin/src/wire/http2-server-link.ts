/** A stream of an HTTP/2 client as a Link: HTTP/1.1 octets for the connection that serves it, frames for the client. */
import { constants, type ServerHttp2Stream } from 'node:http2'
import { BodyReader } from './body-reader.ts'
import { DATA, END, MORE } from './chunked.ts'
import { CHUNKED, responseFraming } from './framing.ts'
import { Head, NEED_MORE, parseResponseHead, REFUSED } from './head.ts'
import { fieldsOf, trailersOf } from './http2-fields.ts'
import { DEFAULT_LIMITS, type Limits } from './limits.ts'
import type { Link, LinkOwner } from './link.ts'
import type { OutBuffer } from './out-buffer.ts'

/** Reads our own heads back; what we wrote may be longer than what we take. */
const OWN_LIMITS: Limits = { ...DEFAULT_LIMITS, headBytesMax: 2 ** 20, fieldsMax: 400, trailerBytesMax: 2 ** 16 }
const ownHead = new Head(OWN_LIMITS.fieldsMax)
const LAST_CHUNK = Buffer.from('0\r\n\r\n')
const NOTHING = Buffer.alloc(0)

export class Http2ServerLink implements Link {
  owner!: LinkOwner
  reading = false
  readonly peerAddress: string
  /** The whole answer has been written. */
  onAnswered: () => void = nothing
  private readonly stream: ServerHttp2Stream
  private readonly toHead: boolean
  private readonly chunkedRequest: boolean
  private readonly body: BodyReader = new BodyReader()
  private pending: Buffer = NOTHING
  private sawHead = false
  private answered = false
  private closed = false

  /** `chunkedRequest`: the request's body has no length of its own. */
  constructor(stream: ServerHttp2Stream, peerAddress: string, toHead: boolean, chunkedRequest: boolean) {
    this.stream = stream
    this.peerAddress = peerAddress
    this.toHead = toHead
    this.chunkedRequest = chunkedRequest
    stream.on('error', () => undefined)
    stream.on('close', () => this.lost())
    stream.on('aborted', () => this.lost())
    stream.on('drain', () => this.owner.onDrained())
  }

  /** From now on the request's body is handed over. */
  listen(bodyless: boolean): void {
    if (bodyless) return
    this.stream.on('data', (octets: Buffer) => this.onData(octets))
    this.stream.on('end', () => this.onDataEnd())
    if (!this.reading) this.stream.pause()
  }

  /** A stream's end is told by its frames, never by its connection's. */
  wasReset(): boolean {
    return false
  }

  get waitingBytes(): number {
    return this.closed ? 0 : this.stream.writableLength
  }

  write(out: OutBuffer): void {
    const octets = Buffer.from(out.buffer.subarray(0, out.position))
    out.position = 0
    this.writeOctets(octets)
  }

  writeOctets(octets: Uint8Array): void {
    if (this.closed || this.answered || this.stream.destroyed || this.stream.closed) return
    const given = Buffer.isBuffer(octets) ? octets : Buffer.from(octets)
    let buffer = this.pending.length === 0 ? given : Buffer.concat([this.pending, given])
    this.pending = NOTHING
    while (!this.sawHead) {
      const after = parseResponseHead(ownHead, buffer, 0, buffer.length, OWN_LIMITS)
      if (after === NEED_MORE) {
        this.pending = buffer
        return
      }
      if (after === REFUSED) {
        this.refuse()
        return
      }
      this.respond(ownHead)
      if (this.closed) return
      buffer = buffer.subarray(after)
    }
    this.writeBody(buffer)
  }

  pause(): void {
    this.reading = false
    this.stream.pause()
  }

  resume(): void {
    if (this.closed) return
    this.reading = true
    this.stream.resume()
  }

  /** A FIN means nothing on a stream: its end is the message's. */
  end(): void {
    if (!this.answered) this.destroy()
  }

  destroy(): void {
    if (this.closed) return
    this.closed = true
    if (!this.answered) this.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    // An answer that came early: the rest of the request is not wanted (RFC 9113 §8.1).
    else if (!this.stream.readableEnded) this.stream.close(constants.NGHTTP2_NO_ERROR)
  }

  reset(code: number = constants.NGHTTP2_INTERNAL_ERROR): void {
    this.closed = true
    this.stream.close(code)
  }

  /** What is written is no message of HTTP/2: the stream ends, and whoever writes hears of it. */
  private refuse(): void {
    if (this.closed) return
    this.reset()
    process.nextTick(() => this.owner.onClosed('EPROTO'))
  }

  private onData(octets: Buffer): void {
    if (this.closed) return
    if (!this.chunkedRequest) this.owner.onOctets(octets, octets.length)
    else if (octets.length > 0) {
      const chunk = Buffer.concat([Buffer.from(`${octets.length.toString(16)}\r\n`), octets, Buffer.from('\r\n')])
      this.owner.onOctets(chunk, chunk.length)
    }
  }

  private onDataEnd(): void {
    if (!this.closed && this.chunkedRequest) this.owner.onOctets(LAST_CHUNK, LAST_CHUNK.length)
  }

  private respond(head: Head): void {
    try {
      this.sendHead(head)
    } catch {
      // Node refuses a field that HTTP/2 does not allow.
      this.refuse()
    }
  }

  private sendHead(head: Head): void {
    const fields = { ...fieldsOf(head), ':status': head.status }
    if (head.status < 200) {
      if (head.status !== 101) this.stream.additionalHeaders(fields)
      return
    }
    this.sawHead = true
    const framing = responseFraming(head, this.toHead)
    this.body.begin(framing)
    const endStream = framing === 0
    this.stream.respond(fields, { endStream, waitForTrailers: framing === CHUNKED })
    if (framing === CHUNKED)
      this.stream.once('wantTrailers', () => this.stream.sendTrailers(trailersOf(this.body.trailers)))
    if (endStream) this.complete()
  }

  private writeBody(buffer: Buffer): void {
    let at = 0
    while (!this.body.ended) {
      const outcome = this.body.next(buffer, at, buffer.length, OWN_LIMITS)
      if (outcome === DATA) this.stream.write(buffer.subarray(this.body.dataStart, this.body.dataEnd))
      else if (outcome === MORE) return
      else if (outcome !== END) {
        this.refuse()
        return
      }
      at = this.body.position
    }
    if (this.answered) return
    this.stream.end()
    this.complete()
  }

  private complete(): void {
    this.answered = true
    this.onAnswered()
  }

  private lost(): void {
    if (this.closed) return
    this.closed = true
    this.owner.onClosed('ECONNRESET')
  }
}

function nothing(): void {
  // nobody asked to be told
}
