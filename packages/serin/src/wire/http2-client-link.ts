/** A request on an HTTP/2 session as a Link: HTTP/1.1 octets from and to the connection that uses it, frames to the upstream. */
import { type ClientHttp2Session, type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2'
import { BodyReader } from './body-reader.ts'
import { DATA, END, MORE } from './chunked.ts'
import { REFUSED_STREAM } from './client-connection.ts'
import { requestFraming } from './framing.ts'
import { Head, NEED_MORE, parseRequestHead, REFUSED } from './head.ts'
import { fieldsOf, type RawFields, responseHeadOf, trailerLines } from './http2-fields.ts'
import { DEFAULT_LIMITS, type Limits } from './limits.ts'
import type { Link, LinkOwner } from './link.ts'
import { latin1 } from './octets.ts'
import type { OutBuffer } from './out-buffer.ts'

const OWN_LIMITS: Limits = { ...DEFAULT_LIMITS, headBytesMax: 2 ** 20, requestLineBytesMax: 2 ** 20, fieldsMax: 400 }
const ownHead = new Head(OWN_LIMITS.fieldsMax)
const NOTHING = Buffer.alloc(0)
const WITH_LENGTH = 'content-length'

export class Http2ClientLink implements Link {
  owner!: LinkOwner
  reading = true
  readonly peerAddress: string
  private readonly session: ClientHttp2Session
  private readonly scheme: string
  private stream: ClientHttp2Stream | null = null
  private readonly body: BodyReader = new BodyReader()
  private pending: Buffer = NOTHING
  private toHead = false
  private chunkedAnswer = false
  private trailers = ''
  private done = false
  /** Octets of the answer that are still to come, where its length is known; else -1. */
  private left = -1
  private closed = false

  constructor(session: ClientHttp2Session, scheme: string, peerAddress: string) {
    this.session = session
    this.scheme = scheme
    this.peerAddress = peerAddress
  }

  /** A stream's end is told by its frames, never by its connection's. */
  wasReset(): boolean {
    return false
  }

  get waitingBytes(): number {
    return this.stream?.writableLength ?? 0
  }

  write(out: OutBuffer): void {
    const octets = Buffer.from(out.buffer.subarray(0, out.position))
    out.position = 0
    this.writeOctets(octets)
  }

  writeOctets(octets: Uint8Array): void {
    if (this.closed) return
    const given = Buffer.isBuffer(octets) ? octets : Buffer.from(octets)
    let buffer = this.pending.length === 0 ? given : Buffer.concat([this.pending, given])
    this.pending = NOTHING
    if (this.stream === null) {
      const after = parseRequestHead(ownHead, buffer, 0, buffer.length, OWN_LIMITS)
      if (after === NEED_MORE) {
        this.pending = buffer
        return
      }
      if (after === REFUSED || !this.request(ownHead)) {
        // Not at once: whoever writes is not done with its own work.
        process.nextTick(() => this.lost('EPROTO'))
        return
      }
      buffer = buffer.subarray(after)
    }
    this.writeBody(buffer)
  }

  pause(): void {
    this.reading = false
    this.stream?.pause()
  }

  resume(): void {
    this.reading = true
    this.stream?.resume()
  }

  end(): void {
    this.stream?.end()
  }

  destroy(): void {
    if (this.closed) return
    this.closed = true
    if (!this.done) this.stream?.close(constants.NGHTTP2_CANCEL)
  }

  reset(): void {
    this.destroy()
  }

  private request(head: Head): boolean {
    const method = latin1(head.buffer, head.methodStart, head.methodEnd)
    const framing = requestFraming(head)
    this.toHead = method === 'HEAD'
    this.body.begin(framing)
    const fields = fieldsOf(head)
    const headers = {
      ...fields,
      // It tells a gRPC server that trailers are understood.
      te: 'trailers',
      ':method': method,
      ':path': latin1(head.buffer, head.targetStart, head.targetEnd),
      ':scheme': this.scheme,
      ':authority': head.value(head.hostIndex),
    }
    try {
      this.stream = this.session.request(headers, { endStream: framing === 0 })
    } catch {
      // The session is closing, or Node refuses a field.
      return false
    }
    this.listen(this.stream)
    return true
  }

  private listen(stream: ClientHttp2Stream): void {
    stream.on('headers', (headers: IncomingHttpHeaders, _flags: number, raw: RawFields) =>
      this.onHeaders(Number(headers[':status']), raw),
    )
    stream.on('response', (headers: IncomingHttpHeaders, flags: number, raw: RawFields) =>
      this.onResponse(Number(headers[':status']), flags, raw),
    )
    stream.on('trailers', (_headers: IncomingHttpHeaders, _flags: number, raw: RawFields) => {
      this.trailers = trailerLines(raw)
    })
    stream.on('data', (octets: Buffer) => this.onData(octets))
    stream.on('end', () => this.onEnd())
    stream.on('drain', () => this.owner.onDrained())
    const gone = (): void =>
      this.lost(stream.rstCode === constants.NGHTTP2_REFUSED_STREAM ? REFUSED_STREAM : 'ECONNRESET')
    stream.on('error', gone)
    stream.on('close', gone)
  }

  private onHeaders(status: number, raw: RawFields): void {
    this.give(responseHeadOf(status, raw, true, this.toHead))
  }

  private onResponse(status: number, flags: number, raw: RawFields): void {
    const bodyless = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
    const head = responseHeadOf(status, raw, bodyless, this.toHead)
    this.chunkedAnswer = !bodyless && !this.toHead && !raw.includes(WITH_LENGTH) && status !== 204 && status !== 304
    const length = raw.indexOf(WITH_LENGTH)
    this.left = length < 0 ? -1 : Number(raw[length + 1])
    if (bodyless || this.left === 0) this.done = true
    this.give(head)
  }

  private onData(octets: Buffer): void {
    if (octets.length === 0) return
    if (this.left > 0) {
      this.left -= octets.length
      // Its end is told before END_STREAM is; that is no reason to cancel it.
      if (this.left === 0) this.done = true
    }
    if (!this.chunkedAnswer) this.give(octets)
    else this.give(Buffer.concat([Buffer.from(`${octets.length.toString(16)}\r\n`), octets, Buffer.from('\r\n')]))
  }

  private onEnd(): void {
    this.done = true
    if (this.chunkedAnswer) this.give(Buffer.from(`0\r\n${this.trailers}\r\n`, 'latin1'))
  }

  private give(octets: Buffer): void {
    if (!this.closed) this.owner.onOctets(octets, octets.length)
  }

  private writeBody(buffer: Buffer): void {
    const { body, stream } = this
    let at = 0
    if (stream === null || stream.writableEnded) return
    while (!body.ended) {
      const outcome = body.next(buffer, at, buffer.length, OWN_LIMITS)
      if (outcome === DATA) stream.write(Buffer.from(buffer.subarray(body.dataStart, body.dataEnd)))
      else if (outcome === MORE) return
      else if (outcome !== END) {
        process.nextTick(() => this.lost('EPROTO'))
        return
      }
      at = body.position
    }
    stream.end()
  }

  private lost(code: string): void {
    if (this.closed) return
    this.closed = true
    this.stream?.close(constants.NGHTTP2_CANCEL)
    this.owner.onClosed(code)
  }
}
