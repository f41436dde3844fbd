/**
 * The client's side of one HTTP/1.1 connection to an upstream: one request at a time, responses parsed as strictly as requests.
 * It may be used again only if both messages were complete, framed by a length or chunked, and not one octet was left over.
 */
import { BodyReader } from './body-reader.ts'
import { DATA, END, MORE } from './chunked.ts'
import { connectionOptions, OPTION } from './connection-options.ts'
import { FAULTS, type Fault } from './fault.ts'
import { FIELD } from './field-names.ts'
import { responseFraming, UNFRAMED, UNTIL_CLOSE } from './framing.ts'
import { type Head, NEED_MORE, parseResponseHead, REFUSED } from './head.ts'
import type { Limits } from './limits.ts'
import type { Link, LinkOwner } from './link.ts'
import { equalsLower, isDigit, octetsOf } from './octets.ts'
import type { OutBuffer } from './out-buffer.ts'
import type { TimerWheel } from './timer-wheel.ts'

/** What asked for a response. */
export interface ResponseHandler {
  /** A head, final or interim (1xx). `head` is valid only during the call. `framing` is a length, CHUNKED or UNTIL_CLOSE. */
  onResponse(head: Head, framing: number): void
  onResponseBody(buffer: Buffer, start: number, end: number): void
  /** The last octet of the response has been handed over: send it all. */
  onResponseComplete(): void
  /** The connection has been kept or closed: what comes next may use it. */
  onResponseEnd(): void
  /** All that this read brought has been handed over. */
  onResponseReadDone(): void
  /** No complete response will come on this connection, which is closed. */
  onUpstreamFault(fault: Fault): void
  onUpstreamDrained(): void
}

/** What takes the octets of a connection that was upgraded. */
export interface UpstreamTunnel {
  onUpstreamOctets(buffer: Buffer, length: number): void
  /** The upstream's FIN. */
  onUpstreamEnd(): void
  onUpstreamDrained(): void
  onUpstreamGone(): void
}

/** What the upstream connections of one worker share. */
export interface ClientContext {
  readonly limits: Limits
  readonly wheel: TimerWheel
  readonly responseHead: Head
  /** An exception while a connection was worked on: the connection is closed, the others serve on. */
  onBug(error: unknown): void
}

/** Who holds the connection when nobody uses it. */
export interface ConnectionKeeper {
  /** It may carry another request. */
  onReusable(connection: ClientConnection): void
  onConnectionGone(connection: ClientConnection): void
}

type State = 'connecting' | 'idle' | 'busy' | 'tunnel' | 'closed'

const NOTHING = Buffer.alloc(0)
/** What a Link to an upstream of HTTP/2 says of a stream that was not taken. */
export const REFUSED_STREAM = 'REFUSED_STREAM'
/** How long before the announced end a connection is not used any more. */
const KEEP_ALIVE_MARGIN_S = 1
const TIMEOUT = octetsOf('timeout=')
export class ClientConnection implements LinkOwner {
  link!: Link
  state: State = 'connecting'
  requests = 0
  /** On the wheel's clock. */
  openedAt = 0
  /** When the upstream will close it, as it announced (`Keep-Alive: timeout=5`), with a margin; on the wheel's clock. */
  expiresAt: number = Infinity
  readonly keeper: ConnectionKeeper
  private readonly context: ClientContext
  private handler: ResponseHandler | null = null
  private tunnel: UpstreamTunnel | null = null
  private readonly body: BodyReader = new BodyReader()
  private pending: Buffer = NOTHING
  private toHead = false
  private sawHead = false
  private interim = 0
  private requestWritten = false
  private reusable = false
  private sawOctets = false

  constructor(context: ClientContext, keeper: ConnectionKeeper) {
    this.context = context
    this.keeper = keeper
  }

  /** Gives the connection to one request. `toHead`: its method is HEAD. */
  begin(handler: ResponseHandler, toHead: boolean): void {
    this.handler = handler
    this.state = 'busy'
    this.requests++
    this.toHead = toHead
    this.sawHead = false
    this.interim = 0
    this.requestWritten = false
    this.reusable = false
    this.sawOctets = false
  }

  /** Whether any octet of a response has come. */
  get responseBegun(): boolean {
    return this.sawOctets
  }

  /** Octets of the response's body so far. */
  get bodyBytes(): number {
    return this.body.bytes
  }

  /** Trailer fields of the response, each with its CRLF; '' if there are none. */
  get trailers(): string {
    return this.body.trailers
  }

  write(out: OutBuffer): void {
    this.link.write(out)
  }

  /** The whole request has been written. */
  requestComplete(): void {
    this.requestWritten = true
  }

  /** Nobody waits for the response any more. */
  abandon(): void {
    this.handler = null
    this.destroy()
  }

  /** Returns what has come behind the 101. */
  becomeTunnel(tunnel: UpstreamTunnel): Buffer {
    this.state = 'tunnel'
    this.handler = null
    this.tunnel = tunnel
    const octets = this.pending
    this.pending = NOTHING
    return octets
  }

  destroy(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.pending = NOTHING
    this.link.destroy()
    this.keeper.onConnectionGone(this)
  }

  // What the link calls.

  onOctets(buffer: Buffer, length: number): void {
    this.context.wheel.touch()
    try {
      this.consume(buffer, length)
    } catch (error) {
      this.context.onBug(error)
      this.fail(FAULTS.internal)
    }
  }

  private consume(buffer: Buffer, length: number): void {
    if (this.state === 'tunnel') this.tunnel!.onUpstreamOctets(buffer, length)
    // Octets on an idle connection are no answer to anything (RFC 9112 §9.2).
    else if (this.state !== 'busy') this.destroy()
    else if (this.pending.length === 0) this.work(buffer, length)
    else {
      const joined = Buffer.allocUnsafe(this.pending.length + length)
      this.pending.copy(joined)
      buffer.copy(joined, this.pending.length, 0, length)
      this.pending = NOTHING
      if (buffer.indexOf(10) < 0 && joined.length <= this.context.limits.headBytesMax) this.pending = joined
      else this.work(joined, joined.length)
    }
  }

  onEnd(): void {
    if (this.state === 'tunnel') this.tunnel!.onUpstreamEnd()
    else if (this.state === 'busy' && this.sawHead && this.body.endsWithClose && !this.link.wasReset())
      this.complete(false)
    else this.lost()
  }

  onDrained(): void {
    this.handler?.onUpstreamDrained()
    this.tunnel?.onUpstreamDrained()
  }

  onClosed(code: string): void {
    // The upstream has done nothing with it (RFC 9113 §8.7).
    if (code === REFUSED_STREAM && this.state !== 'closed') this.fail(FAULTS.streamRefused)
    else this.lost()
  }

  // How octets become a response.

  private work(buffer: Buffer, length: number): void {
    this.sawOctets = true
    let at = 0
    while (this.state === 'busy') {
      const before = at
      if (!this.sawHead) at = this.workOnHead(buffer, at, length)
      else at = this.workOnBody(buffer, at, length)
      if (at === before && !(this.sawHead && this.body.ended)) break
    }
    this.handler?.onResponseReadDone()
  }

  private workOnHead(buffer: Buffer, at: number, end: number): number {
    if (at === end) return at
    const { responseHead: head, limits } = this.context
    const after = parseResponseHead(head, buffer, at, end, limits)
    if (after === NEED_MORE) {
      this.pending = Buffer.from(buffer.subarray(at, end))
      return at
    }
    const framing = after === REFUSED ? UNFRAMED : responseFraming(head, this.toHead)
    if (framing === UNFRAMED) {
      this.fail(FAULTS.upstreamProtocol)
      return end
    }
    if (head.status < 200 && head.status !== 101) this.interimResponse(head)
    else this.finalResponse(head, framing, buffer, after, end)
    return after
  }

  private interimResponse(head: Head): void {
    if (++this.interim > this.context.limits.interimResponsesMax) this.fail(FAULTS.upstreamProtocol)
    else this.handler?.onResponse(head, 0)
  }

  private finalResponse(head: Head, framing: number, buffer: Buffer, after: number, end: number): void {
    this.sawHead = true
    this.body.begin(framing)
    const options = connectionOptions(head, this.context.limits.connectionOptionsMax)
    if (head.has(FIELD.keepAlive)) this.readKeepAlive(head)
    this.reusable = head.minor === 1 && framing !== UNTIL_CLOSE && options >= 0 && (options & OPTION.close) === 0
    // A tunnel's first octets must be there when the handler switches.
    if (head.status === 101) this.pending = Buffer.from(buffer.subarray(after, end))
    this.handler?.onResponse(head, framing)
  }

  /** A request written as the upstream closes is lost, or must be sent twice: better not to come near that moment. */
  private readKeepAlive(head: Head): void {
    const seconds = keepAliveSeconds(head)
    if (seconds >= 0) this.expiresAt = this.context.wheel.time + Math.max(seconds - KEEP_ALIVE_MARGIN_S, 0) * 1000
  }

  private workOnBody(buffer: Buffer, start: number, end: number): number {
    const { body } = this
    if (body.ended) {
      this.complete(start === end)
      return end
    }
    const outcome = body.next(buffer, start, end, this.context.limits)
    if (outcome === DATA) this.handler?.onResponseBody(buffer, body.dataStart, body.dataEnd)
    else if (outcome !== MORE && outcome !== END) {
      this.fail(FAULTS.upstreamBadBody)
      return end
    }
    return body.position
  }

  /** `clean`: nothing was left over. */
  private complete(clean: boolean): void {
    const { handler } = this
    const reuse = clean && this.reusable && this.requestWritten && this.link.waitingBytes === 0
    handler?.onResponseComplete()
    if (reuse && this.requests < this.context.limits.requestsPerUpstreamConnectionMax) {
      this.handler = null
      this.state = 'idle'
      // Back-pressure may have stopped it; an idle connection is always watched.
      this.link.resume()
      // First back to the pool, then the news: the next request may come out of it.
      this.keeper.onReusable(this)
    } else {
      this.handler = null
      this.destroy()
    }
    handler?.onResponseEnd()
  }

  private fail(fault: Fault): void {
    const { handler, tunnel } = this
    this.handler = null
    this.destroy()
    handler?.onUpstreamFault(fault)
    tunnel?.onUpstreamGone()
  }

  private lost(): void {
    if (this.state === 'closed') return
    if (this.sawHead) this.fail(FAULTS.upstreamTruncated)
    else this.fail(this.sawOctets ? FAULTS.upstreamProtocol : FAULTS.upstreamClosed)
  }
}

/** The number of `timeout=` in a Keep-Alive field, or -1. */
function keepAliveSeconds(head: Head): number {
  const index = head.find(FIELD.keepAlive)
  const end = head.valueEnd(index)
  for (let at = head.valueStart(index); at + TIMEOUT.length < end; at++) {
    if (!equalsLower(head.buffer, at, at + TIMEOUT.length, TIMEOUT)) continue
    let seconds = 0
    for (let digit = at + TIMEOUT.length; digit < end && isDigit(head.buffer[digit]!) && seconds < 1e6; digit++) {
      seconds = seconds * 10 + head.buffer[digit]! - 0x30
    }
    return seconds
  }
  return -1
}
