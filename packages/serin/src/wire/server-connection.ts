/**
 * The server's side of one HTTP/1.1 client connection: heads and bodies in, one answer at a time out, keep-alive, pipelining
 * (the next request waits for the answer to this one), and every time limit a client can hit. Knows no routes.
 */
import { BodyReader } from './body-reader.ts'
import { BAD_CHUNK, BAD_TRAILER, DATA, END, MORE } from './chunked.ts'
import { FAULTS, type Fault } from './fault.ts'
import { CHUNKED, requestFraming, UNFRAMED } from './framing.ts'
import { type Head, NEED_MORE, parseRequestHead, REFUSED } from './head.ts'
import { settingsFollow, startsPreface } from './http2-fields.ts'
import type { Limits } from './limits.ts'
import type { Link, LinkOwner } from './link.ts'
import type { OutBuffer } from './out-buffer.ts'
import { Timer, type TimerWheel } from './timer-wheel.ts'

/** What takes the requests of a connection; called in this order for each: onRequest, onBody…, onBodyEnd or onBodyFault. */
export interface RequestHandler {
  /** `head` is valid only during the call. `framing` is a length or CHUNKED. */
  onRequest(head: Head, framing: number): void
  /** A head, or the framing in it, was refused: answer `fault` and finish without keep-alive. */
  onRefused(fault: Fault): void
  onBody(buffer: Buffer, start: number, end: number): void
  onBodyEnd(): void
  /** The body broke its framing or a limit. */
  onBodyFault(fault: Fault): void
  /** All that this read brought has been handed over: send what was gathered. */
  onReadDone(): void
  /** The client went away, or stopped reading, before its answer was complete. */
  onClientGone(fault: Fault): void
  /** The client has taken all that was written. */
  onClientDrained(): void
}

/** What takes the octets of a connection that was upgraded. */
export interface ClientTunnel {
  onClientOctets(buffer: Buffer, length: number): void
  /** The client's FIN. */
  onClientEnd(): void
  onClientDrained(): void
  onClientGone(fault: Fault): void
}

/** What the connections of one worker share. */
export interface ServerContext {
  readonly limits: Limits
  readonly wheel: TimerWheel
  readonly head: Head
  handlerFor(connection: ServerConnection): RequestHandler
  onConnectionClosed(connection: ServerConnection): void
  /** Takes the link of a client that begins to speak HTTP/2; absent: it is refused. `octets` have been read. */
  onHttp2?(connection: ServerConnection, octets: Buffer): void
  /** An exception while a connection was worked on: the connection is closed, the others serve on. */
  onBug(error: unknown): void
}

type State =
  /** Between two requests. */
  | 'idle'
  /** Part of a head has come. */
  | 'head'
  /** A request is with its handler; its body may still come. */
  | 'exchange'
  /** The answer is out, the rest of the request body is read away so that the connection can be kept. */
  | 'draining'
  /** Upgraded: octets both ways. */
  | 'tunnel'
  /** Our FIN is out; what still comes is read away. */
  | 'lingering'
  | 'closed'

const NOTHING = Buffer.alloc(0)
/** From a preface of HTTP/2 to the SETTINGS that belong to it; clients send both at once. */
const PREFACE_MS = 150

export class ServerConnection<Context extends ServerContext = ServerContext> implements LinkOwner {
  readonly link: Link
  state: State = 'idle'
  requests = 0
  /** Whether this request's answer may be followed by another request. */
  private persistent = true
  private clientCloses = false
  readonly context: Context
  private handler: RequestHandler | null = null
  private tunnel: ClientTunnel | null = null
  private readonly body: BodyReader = new BodyReader()
  private bodyPaused = false
  private bodyWanted = true
  private working = false
  private halfClosed = false
  /** What came and is not consumed: part of a head, or pipelined requests. */
  private pending: Buffer = NOTHING
  private readonly timer: Timer = new Timer(this)
  private readonly writeTimer: Timer = new Timer(this)
  private drainedBytes = 0
  private bodyMark = 0
  private stopping = false
  private givingWay = false
  private sawPreface = false
  private writeMark = 0

  constructor(link: Link, context: Context) {
    this.link = link
    link.owner = this
    this.context = context
  }

  start(): void {
    this.context.wheel.limit(this.timer, this.context.limits.headMs)
    this.link.resume()
  }

  // What the handler calls.

  /** True if nothing speaks against another request after this answer; to be known before the answer's head is written. */
  get keepsAlive(): boolean {
    const { limits } = this.context
    if (!this.persistent || this.stopping || this.requests >= limits.requestsPerConnectionMax) return false
    // A half-closed client gets the answers to what it had sent before.
    if (this.halfClosed && this.pending.length === 0) return false
    return this.body.ended || this.canDrain()
  }

  /** Whether the request's body has been received in full. */
  get bodyEnded(): boolean {
    return this.body.ended
  }

  /** Octets of the request's body so far. */
  get bodyBytes(): number {
    return this.body.bytes
  }

  /** No other request will be taken: `Connection: close`, or faulty framing. */
  forbidReuse(): void {
    this.persistent = false
  }

  /** The same because the client will not send another: `Connection: close`, or HTTP/1.0. */
  closedByClient(): void {
    this.persistent = false
    this.clientCloses = true
  }

  /** HTTP/1.0 with keep-alive. */
  allowReuse(): void {
    this.persistent = true
    this.clientCloses = false
  }

  /** The client waits for a 100 before it sends its body: it gets one, unless the body is there already. */
  continueBody(octets: Uint8Array): void {
    this.bodyWanted = true
    if (!this.body.ended) this.link.writeOctets(octets)
  }

  /** Whether octets have come that no request has consumed. */
  get hasPending(): boolean {
    return this.pending.length > 0
  }

  /** The client waits for a 100: its body may never come, so it cannot be read away. */
  bodyMayNotCome(): void {
    this.bodyWanted = false
  }

  write(out: OutBuffer): void {
    this.link.write(out)
    if (this.link.waitingBytes > 0) this.watchWriting()
  }

  /** The answer is complete. */
  finish(): void {
    this.handler = null
    if (!this.keepsAlive) this.close()
    else if (this.body.ended) this.becomeIdle()
    else this.startDraining()
  }

  /** The answer cannot be completed: the client must see that it is cut off. */
  abort(withReset: boolean): void {
    this.handler = null
    if (withReset) {
      this.link.reset()
      this.closed()
    } else this.destroy()
  }

  pauseBody(): void {
    this.bodyPaused = true
  }

  resumeBody(): void {
    if (!this.bodyPaused) return
    this.bodyPaused = false
    this.workOnPending()
  }

  becomeTunnel(tunnel: ClientTunnel): void {
    this.state = 'tunnel'
    this.handler = null
    this.tunnel = tunnel
    this.context.wheel.clear(this.timer)
    this.context.wheel.clear(this.writeTimer)
    this.link.resume()
  }

  /** FIN, then what still comes is read away for a moment, so that no RST destroys the answer on its way (RFC 9112 §9.6). */
  close(): void {
    if (this.state === 'closed' || this.state === 'lingering') return
    // A client that closes, or said it will, sends nothing more that could cause a RST.
    const silent = this.halfClosed || (this.clientCloses && this.body.ended && this.pending.length === 0)
    this.handler = null
    this.pending = NOTHING
    if (silent && this.link.waitingBytes === 0) {
      this.destroy()
      return
    }
    this.link.end()
    this.state = 'lingering'
    this.drainedBytes = 0
    this.context.wheel.set(this.timer, this.context.limits.lingerMs)
    this.link.resume()
  }

  destroy(): void {
    this.link.destroy()
    this.closed()
  }

  /** Takes no new request; closes at once if idle. */
  /** A client of HTTP/2 sends its SETTINGS with its preface (RFC 9113 §3.4); one that does not is told that it is understood as HTTP/1.1. */
  private workOnPreface(buffer: Buffer, at: number, end: number): number {
    const settings = settingsFollow(buffer, at, end)
    if (settings === true) this.handOver(buffer.subarray(at, end))
    else if (settings === false) this.refuse(FAULTS.badVersion)
    else {
      if (!this.sawPreface) this.context.wheel.set(this.timer, PREFACE_MS)
      this.sawPreface = true
      this.state = 'head'
      return at
    }
    return end
  }

  /** The client speaks HTTP/2 (RFC 9113 §3.3): whoever can takes the link over, with what has been read. */
  private handOver(octets: Buffer): void {
    const { context } = this
    if (context.onHttp2 === undefined) {
      this.refuse(FAULTS.badVersion)
      return
    }
    const read = Buffer.from(octets)
    this.state = 'closed'
    context.wheel.remove(this.timer)
    context.wheel.remove(this.writeTimer)
    context.onHttp2(this, read)
  }

  stop(): void {
    this.stopping = true
    if (this.state === 'idle') this.close()
  }

  // What the link calls.

  onOctets(buffer: Buffer, length: number): void {
    this.context.wheel.touch()
    try {
      this.consume(buffer, length)
    } catch (error) {
      this.context.onBug(error)
      this.clientGone(FAULTS.internal)
    }
  }

  private consume(buffer: Buffer, length: number): void {
    if (this.state === 'tunnel') this.tunnel!.onClientOctets(buffer, length)
    else if (this.state === 'lingering') this.discard(length)
    else if (this.pending.length === 0) this.work(buffer, 0, length, false)
    else {
      const joined = Buffer.allocUnsafe(this.pending.length + length)
      this.pending.copy(joined)
      buffer.copy(joined, this.pending.length, 0, length)
      this.pending = joined
      if (this.state === 'head' && !this.worthParsing(length)) this.headIncomplete()
      else this.work(joined, 0, joined.length, true)
    }
  }

  onEnd(): void {
    this.halfClosed = true
    switch (this.state) {
      case 'tunnel':
        this.tunnel!.onClientEnd()
        break
      case 'exchange':
        // A half-closed client still wants its answer (§9.6), unless its request can no longer be completed.
        if (!this.body.ended && this.pending.length === 0) this.clientGone(FAULTS.clientClosed)
        break
      case 'idle':
      case 'head':
      case 'draining':
      case 'lingering':
      case 'closed':
        this.destroy()
        break
    }
  }

  onDrained(): void {
    this.context.wheel.clear(this.writeTimer)
    if (this.handler) this.handler.onClientDrained()
    else if (this.tunnel) this.tunnel.onClientDrained()
    else if (this.state === 'lingering' && (this.halfClosed || this.clientCloses)) this.destroy()
  }

  onClosed(): void {
    const { handler, tunnel } = this
    this.handler = null
    this.closed()
    handler?.onClientGone(FAULTS.clientClosed)
    tunnel?.onClientGone(FAULTS.clientClosed)
  }

  onTimer(timer: Timer): void {
    if (timer === this.writeTimer) this.checkWriting()
    else if (this.state === 'head') this.refuse(this.sawPreface ? FAULTS.badVersion : FAULTS.headTimeout)
    else if (this.state === 'exchange') this.checkBodyRate()
    // A slow reader gets what is left; a stalled one is noticed by `writeTimer`.
    else if (this.state === 'lingering' && this.link.waitingBytes > 0)
      this.context.wheel.set(this.timer, this.context.limits.lingerMs)
    else this.destroy()
  }

  // How octets become requests.

  /** Consumes buffer[start, end); what is left is kept. `own`: the buffer is `pending` itself. */
  private work(buffer: Buffer, start: number, end: number, own: boolean): void {
    this.working = true
    let at = start
    const turnEnd = this.requests + this.context.limits.pipelinedRequestsMax
    // Each turn consumes octets, changes the state, or ends the loop.
    for (;;) {
      const before = at
      const state = this.state
      if (state === 'idle' && at < end && this.requests >= turnEnd) {
        this.giveWay()
        break
      }
      if (state === 'exchange' || state === 'draining') at = this.workOnBody(buffer, at, end)
      else if ((state === 'idle' || state === 'head') && at < end) at = this.workOnHead(buffer, at, end)
      else break
      if (at === before && this.state === state) break
    }
    this.working = false
    this.keep(buffer, at, end, own)
    this.handler?.onReadDone()
  }

  private keep(buffer: Buffer, at: number, end: number, own: boolean): void {
    if (at === end || this.state === 'closed' || this.state === 'lingering') {
      this.pending = NOTHING
      if (this.state !== 'exchange') return
      if (this.bodyPaused) this.link.pause()
      else this.link.resume()
      return
    }
    if (own) this.pending = at === 0 ? buffer : buffer.subarray(at, end)
    else this.pending = Buffer.from(buffer.subarray(at, end))
    const waiting = this.state === 'exchange' || this.state === 'draining'
    // A paused body keeps what was read already; a waiting client may pipeline a little.
    if (waiting && (this.bodyPaused || this.pending.length >= this.context.limits.pipelinedBytesMax)) this.link.pause()
  }

  /** Others are served before this client's next pipelined requests. */
  private giveWay(): void {
    this.givingWay = true
    this.link.pause()
    setImmediate(() => {
      this.givingWay = false
      this.context.wheel.touch()
      if (this.state === 'idle') this.workOnPending()
    })
  }

  private workOnPending(): void {
    if (this.working || this.givingWay) return
    const octets = this.pending
    this.pending = NOTHING
    this.work(octets, 0, octets.length, true)
    if (this.state === 'closed' || this.bodyPaused || this.givingWay) return
    if (this.halfClosed) this.afterHalfClose()
    else if (this.pending.length < this.context.limits.pipelinedBytesMax) this.link.resume()
  }

  /** All that a half-closed client sent has been worked on: if it is not enough, nothing more will come. */
  private afterHalfClose(): void {
    if (this.state === 'exchange' && !this.body.ended) this.clientGone(FAULTS.clientClosed)
    else if (this.state === 'idle' || this.state === 'head' || this.state === 'draining') this.destroy()
  }

  /** Whether new octets can have completed a line: then the head is parsed again, from its start. Bounded by `fieldsMax` lines. */
  private worthParsing(added: number): boolean {
    if (this.sawPreface || this.pending.length > this.context.limits.requestLineBytesMax) return true
    const from = this.pending.length - added
    return this.pending.indexOf(10, from) >= 0
  }

  private headIncomplete(): void {
    if (this.pending.length > this.context.limits.headBytesMax) this.refuse(FAULTS.headTooLarge)
  }

  private workOnHead(buffer: Buffer, at: number, end: number): number {
    const { head, limits } = this.context
    const after = parseRequestHead(head, buffer, at, end, limits)
    if (after === NEED_MORE) {
      if (this.state === 'idle') {
        this.state = 'head'
        this.context.wheel.limit(this.timer, limits.headMs)
      }
      return at
    }
    if (after === REFUSED) {
      if (this.requests === 0 && startsPreface(buffer, at, end)) return this.workOnPreface(buffer, at, end)
      this.refuse(head.fault ?? FAULTS.badRequestLine)
      return end
    }
    const framing = requestFraming(head)
    if (framing === UNFRAMED) {
      this.refuse(head.fault ?? FAULTS.badContentLength)
      return end
    }
    if (limits.requestBodyBytesMax > 0 && framing > limits.requestBodyBytesMax) {
      this.refuse(FAULTS.bodyTooLarge)
      return end
    }
    this.beginRequest(head, framing)
    return after
  }

  private beginRequest(head: Head, framing: number): void {
    this.requests++
    this.persistent = true
    this.bodyPaused = false
    this.bodyWanted = true
    this.body.begin(framing)
    this.state = 'exchange'
    if (framing === 0) this.context.wheel.clear(this.timer)
    else {
      this.bodyMark = 0
      this.context.wheel.limit(this.timer, this.context.limits.bodyGraceMs)
    }
    this.handler = this.context.handlerFor(this)
    this.handler.onRequest(head, framing)
    if (framing === 0) this.handler?.onBodyEnd()
  }

  private workOnBody(buffer: Buffer, start: number, end: number): number {
    const { body } = this
    if (body.ended || this.bodyPaused) return start
    const { limits } = this.context
    const outcome = body.next(buffer, start, end, limits)
    if (outcome === DATA) {
      if (limits.requestBodyBytesMax > 0 && body.bytes > limits.requestBodyBytesMax) this.bodyFault(FAULTS.bodyTooLarge)
      else if (this.state === 'draining') this.discard(body.dataEnd - body.dataStart)
      else this.handler?.onBody(buffer, body.dataStart, body.dataEnd)
    } else if (outcome !== MORE && outcome !== END) {
      this.bodyFault(
        outcome === BAD_CHUNK ? FAULTS.badChunk : outcome === BAD_TRAILER ? FAULTS.badTrailer : FAULTS.headTooLarge,
      )
      return end
    }
    if (body.ended) this.bodyComplete()
    return body.position
  }

  private bodyComplete(): void {
    this.context.wheel.clear(this.timer)
    if (this.state === 'draining') this.becomeIdle()
    else if (this.state === 'exchange') this.handler?.onBodyEnd()
  }

  private bodyFault(fault: Fault): void {
    this.persistent = false
    const { handler } = this
    if (this.state === 'draining' || !handler) this.close()
    else handler.onBodyFault(fault)
  }

  // How a connection goes on, and ends.

  private becomeIdle(): void {
    this.state = 'idle'
    if (this.stopping) {
      this.close()
      return
    }
    this.context.wheel.limit(this.timer, this.context.limits.idleMs)
    if (this.pending.length > 0) this.workOnPending()
    else if (!this.working) {
      if (this.halfClosed) this.destroy()
      else this.link.resume()
    }
  }

  /** Only a body that is on its way and small: else closing is cheaper. */
  private canDrain(): boolean {
    const { remaining } = this.body
    return this.bodyWanted && (remaining === CHUNKED || remaining <= this.context.limits.drainBytesMax)
  }

  private startDraining(): void {
    this.state = 'draining'
    this.drainedBytes = 0
    this.bodyPaused = false
    this.context.wheel.limit(this.timer, this.context.limits.bodyGraceMs)
    this.workOnPending()
  }

  private discard(bytes: number): void {
    const { lingerBytesMax, drainBytesMax } = this.context.limits
    this.drainedBytes += bytes
    if (this.state === 'lingering' && this.drainedBytes > lingerBytesMax) this.destroy()
    else if (this.state === 'draining' && this.drainedBytes > drainBytesMax) this.close()
  }

  private checkBodyRate(): void {
    if (this.body.ended || !this.handler) return
    const { limits, wheel } = this.context
    const enough = this.body.bytes - this.bodyMark >= (limits.bodyBytesPerSecondMin * limits.bodyGraceMs) / 1000
    // Where we do not read, because the upstream does not, the client is not to blame.
    if (enough || this.bodyPaused) {
      this.bodyMark = this.body.bytes
      wheel.limit(this.timer, limits.bodyGraceMs)
    } else this.bodyFault(FAULTS.bodyTimeout)
  }

  private watchWriting(): void {
    if (this.writeTimer.due !== 0) return
    this.writeMark = this.link.waitingBytes
    this.context.wheel.limit(this.writeTimer, this.context.limits.writeStallMs)
  }

  /** A client that takes octets, however slowly, is not stalled. */
  private checkWriting(): void {
    const waiting = this.link.waitingBytes
    if (waiting === 0) return
    if (waiting < this.writeMark) this.watchWriting()
    else if (this.handler || this.tunnel) this.clientGone(FAULTS.clientStalled)
    else this.destroy()
  }

  private clientGone(fault: Fault): void {
    const { handler, tunnel } = this
    this.handler = null
    this.destroy()
    handler?.onClientGone(fault)
    tunnel?.onClientGone(fault)
  }

  /** A local answer to what never became a request. */
  private refuse(fault: Fault): void {
    this.requests++
    this.persistent = false
    this.body.begin(0)
    this.state = 'exchange'
    this.pending = NOTHING
    this.context.wheel.clear(this.timer)
    const handler = this.context.handlerFor(this)
    this.handler = handler
    handler.onRefused(fault)
  }

  private closed(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.tunnel = null
    this.pending = NOTHING
    this.context.wheel.remove(this.timer)
    this.context.wheel.remove(this.writeTimer)
    this.context.onConnectionClosed(this)
  }
}
