/** HTTP/2 clients (RFC 9113), by Node's own module: every stream is served like a connection with one request. */
import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { requestHeadOf, type RawFields } from '../wire/http2-fields.ts'
import { Http2ServerLink } from '../wire/http2-server-link.ts'
import type { DataPlane, Guest, ListenerState, SecureClient } from './data-plane.ts'

/** SETTINGS entries in a frame, PINGs and SETTINGS without an answer. */
const SETTINGS_MAX = 32
const PINGS_MAX = 10
/** Frames that do not belong. DATA under way to a stream that was answered early counts too, a window's worth each time, so this is not small. */
const INVALID_FRAMES_MAX = 1000
export class Http2Session implements Guest {
  readonly listener: ListenerState
  readonly peerAddress: string
  handedOver = false
  private readonly plane: DataPlane
  private readonly secure: SecureClient | null
  private readonly session: ServerHttp2Session | null
  private resetsLeft: number
  private refilledAt: number

  constructor(
    plane: DataPlane,
    listener: ListenerState,
    socket: Duplex,
    peerAddress: string,
    secure: SecureClient | null,
  ) {
    this.plane = plane
    this.listener = listener
    this.peerAddress = peerAddress
    this.secure = secure
    this.resetsLeft = plane.limits.http2ResetsMax
    this.refilledAt = plane.wheel.time
    plane.addGuest(this)
    this.session = this.begin(socket)
  }

  /** Null: the client is gone already. */
  private begin(socket: Duplex): ServerHttp2Session | null {
    const { plane } = this
    const limits = plane.plan.clientLimits ?? plane.limits
    const { headBytesMax, fieldsMax, idleMs } = limits
    const options = {
      maxSessionMemory: limits.http2SessionMegabytesMax,
      maxSettings: SETTINGS_MAX,
      maxOutstandingPings: PINGS_MAX,
      maxOutstandingSettings: PINGS_MAX,
      maxSessionInvalidFrames: INVALID_FRAMES_MAX,
      maxHeaderListPairs: fieldsMax,
      settings: {
        maxConcurrentStreams: limits.http2StreamsMax,
        initialWindowSize: limits.http2WindowBytes,
        maxHeaderListSize: headBytesMax,
        enablePush: false,
      },
    }
    let session: ServerHttp2Session
    try {
      session = performServerHandshake(socket, options as Parameters<typeof performServerHandshake>[1])
    } catch {
      socket.destroy()
      plane.removeGuest(this)
      return null
    }
    session.on('stream', (stream: ServerHttp2Stream, _headers: object, flags: number, raw: RawFields) =>
      this.onStream(stream, flags, raw),
    )
    session.on('error', () => session.destroy())
    session.on('close', () => plane.removeGuest(this))
    if (idleMs > 0) session.setTimeout(idleMs, () => session.close())
    if (plane.draining) session.close()
    return session
  }

  /** GOAWAY; streams that are under way are finished. */
  stop(): void {
    this.session?.close()
  }

  destroy(): void {
    this.session?.destroy()
  }

  private onStream(stream: ServerHttp2Stream, flags: number, raw: RawFields): void {
    const { plane, listener, secure } = this
    plane.wheel.touch()
    const bodyless = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
    const head = requestHeadOf(raw, bodyless)
    if (head === null || plane.isFull) {
      stream.on('error', () => undefined)
      stream.close(head === null ? constants.NGHTTP2_PROTOCOL_ERROR : constants.NGHTTP2_REFUSED_STREAM)
      return
    }
    const toHead = head.subarray(0, 5).toString('latin1') === 'HEAD '
    const chunked = !bodyless && !raw.includes('content-length')
    const link = new Http2ServerLink(stream, this.peerAddress, toHead, chunked)
    const connection = plane.serve(link, listener, secure, 'stream')
    link.onAnswered = () => process.nextTick(() => connection.destroy())
    stream.on('close', () => this.noteReset(stream))
    link.listen(bodyless)
    connection.onOctets(head, head.length)
  }

  /** A client that opens streams and resets them makes work for nothing. */
  private noteReset(stream: ServerHttp2Stream): void {
    if (stream.rstCode === constants.NGHTTP2_NO_ERROR || !stream.aborted) return
    const { time } = this.plane.wheel
    const { http2ResetsMax, http2ResetsPerSecond } = this.plane.limits
    const refill = ((time - this.refilledAt) / 1000) * http2ResetsPerSecond
    this.refilledAt = time
    this.resetsLeft = Math.min(http2ResetsMax, this.resetsLeft + refill) - 1
    if (this.resetsLeft < 0 && this.session?.destroyed === false)
      this.session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }
}
