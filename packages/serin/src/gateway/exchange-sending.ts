/** An Exchange and its upstream: a connection is found, the request goes out, once more if it may, and what can go wrong with it. */
import { CELL } from '../metrics/cells.ts'
import { writeChunk } from '../wire/chunk-writer.ts'
import type { ClientConnection, ResponseHandler } from '../wire/client-connection.ts'
import { type Fault, FAULTS } from '../wire/fault.ts'
import { CHUNKED } from '../wire/framing.ts'
import { octetsOf } from '../wire/octets.ts'
import { OutBuffer } from '../wire/out-buffer.ts'
import { Timer } from '../wire/timer-wheel.ts'
import type { ClusterState } from './cluster-state.ts'
import type { CompiledForward } from './compiled-destination.ts'
import type { ConnectionSeeker, EndpointState } from './endpoint.ts'
import { AnsweringExchange } from './exchange-answer.ts'
import { isIdempotent } from './methods.ts'
import { Retries } from './retry.ts'
import { castShadow } from './shadow.ts'

const LAST_CHUNK = octetsOf('0\r\n\r\n')

export abstract class SendingExchange extends AnsweringExchange implements ResponseHandler, ConnectionSeeker {
  protected pick(cluster: ClusterState): EndpointState | null {
    return this.keyHash < 0 ? cluster.pick() : cluster.pickFor(this.keyHash)
  }

  /** A copy for a shadow, the octets for another try. */
  protected prepareCompanions({ shadow, forward }: CompiledForward, cluster: ClusterState): void {
    const { requestOut, plane } = this
    if (shadow !== null) this.shadow = castShadow(shadow, requestOut, this.peerAddress, plane)
    if (forward.retry) this.retries = new Retries(forward.retry, cluster, plane.limits.bufferedBytesMax)
    this.retries?.keep(requestOut.buffer, 0, requestOut.position)
  }

  protected keepForCompanions(octets: Uint8Array, start: number, end: number): void {
    if (this.retries !== null) this.retries.keep(octets, start, end)
    if (this.shadow !== null) this.shadow.append(octets, start, end)
  }

  protected sendTo(endpoint: EndpointState): void {
    this.endpoint = endpoint
    endpoint.take()
    this.upstreamAttempts++
    this.upstreamHost = endpoint.endpoint.id
    const idle = endpoint.takeIdle()
    if (idle !== null) {
      this.attach(idle)
      if (this.requestEnded) this.flushRequest()
    } else {
      this.state = 'connecting'
      if (!this.requestEnded) this.connection.pauseBody()
      endpoint.open(this)
    }
  }

  onConnection(connection: ClientConnection): void {
    this.attach(connection)
    this.flushRequest()
    this.connection.resumeBody()
  }

  onNoConnection(fault: Fault): void {
    this.releaseEndpoint()
    const meter = this.forward.cluster!.meter
    if (fault === FAULTS.endpointGone) {
      this.sendToOther()
      return
    }
    if (fault === FAULTS.connectTimeout) meter.count(CELL.connectTimeouts)
    else if (fault === FAULTS.connectFailed) meter.count(CELL.connectFailures)
    else meter.count(CELL.pendingOverflows)
    if (this.triesAgain(0, fault)) return
    // Nothing was sent: another endpoint may be asked, whatever the method.
    const other = fault === FAULTS.connectFailed && this.upstreamAttempts === 1 ? this.forward.cluster!.pick() : null
    if (other !== null && other.endpoint.id !== this.upstreamHost) this.sendTo(other)
    else this.fail(fault)
  }

  /** The endpoint left before anything was sent to it. */
  protected sendToOther(): void {
    const endpoint = this.pick(this.forward.cluster!)
    if (endpoint === null) this.fail(FAULTS.noHealthyUpstream)
    else this.sendTo(endpoint)
  }

  protected attach(connection: ClientConnection): void {
    this.upstream = connection
    this.state = 'sent'
    this.sentTime = this.plane.wheel.time
    connection.begin(this, this.method === 'HEAD')
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    if (this.state === 'held') {
      if (this.hold!.take(buffer, start, end)) this.connection.pauseBody()
      return
    }
    const out = this.bodyOut()
    out.reserve(end - start + 16)
    const from = out.position
    if (this.framing === CHUNKED) writeChunk(out, buffer, start, end)
    else out.copy(buffer, start, end)
    if (this.forward.hasCompanions) this.keepForCompanions(out.buffer, from, out.position)
  }

  /** Behind the head; both move to the worker's large buffer when there is a connection to write to. */
  protected bodyOut(): OutBuffer {
    const { requestOut } = this
    const { toUpstream } = this.plane
    if (this.headSent) return toUpstream
    if (this.upstream === null) return requestOut
    this.headSent = true
    toUpstream.reserve(requestOut.position)
    toUpstream.copy(requestOut.buffer, 0, requestOut.position)
    return toUpstream
  }

  onBodyEnd(): void {
    this.requestEnded = true
    this.requestMs = this.plane.wheel.time - this.startTime
    if (this.state === 'held') this.hold!.endBody()
    else if (this.state === 'sent' || this.state === 'connecting' || this.state === 'answering') this.endRequest()
  }

  /** The last of it goes out, and the time for its answer begins. */
  protected endRequest(): void {
    if (this.framing === CHUNKED) {
      const out = this.bodyOut()
      out.reserve(LAST_CHUNK.length)
      out.octets(LAST_CHUNK)
      this.keepForCompanions(LAST_CHUNK, 0, LAST_CHUNK.length)
    }
    this.flushRequest()
    const { timeoutMs, idleTimeoutMs } = this.forward.forward
    if (timeoutMs > 0) this.plane.wheel.set(this.routeTimer, timeoutMs)
    else if (idleTimeoutMs > 0) this.plane.wheel.set(this.idleTimer, idleTimeoutMs)
  }

  onReadDone(): void {
    if (this.state === 'sent' || this.state === 'answering') this.flushRequest()
  }

  protected flushRequest(): void {
    const { upstream } = this
    if (this.shadow !== null) this.shadow.flush(this.requestEnded)
    if (upstream === null) return
    if (!this.headSent) {
      this.headSent = true
      upstream.write(this.requestOut)
    } else if (this.plane.toUpstream.position > 0) upstream.write(this.plane.toUpstream)
    if (this.requestEnded) {
      upstream.requestComplete()
      if (this.retries !== null && this.retries.tryTimeoutMs > 0)
        this.plane.wheel.set(this.tryTimer, this.retries.tryTimeoutMs)
    } else {
      if (upstream.link.waitingBytes > this.plane.limits.bufferedBytesMax) this.connection.pauseBody()
      this.touchIdle()
    }
  }

  onUpstreamDrained(): void {
    this.connection.resumeBody()
  }

  onUpstreamFault(fault: Fault): void {
    const reused = this.upstream !== null && this.upstream.requests > 1 && !this.upstream.responseBegun
    this.upstream = null
    if (this.state === 'answering') this.breakOff(fault)
    else {
      this.releaseEndpoint()
      if (reused && fault === FAULTS.upstreamClosed && this.mayResend()) this.resend()
      else if (!this.triesAgain(0, fault)) this.fail(fault)
    }
  }

  /** The idle connection was closed as we wrote: what has no body and no effect twice may go out once more (RFC 9112 §9.3.1). */
  protected mayResend(): boolean {
    return this.requestEnded && this.framing === 0 && this.upstreamAttempts === 1 && isIdempotent(this.method)
  }

  protected resend(): void {
    const endpoint = this.forward.cluster!.pick()
    if (endpoint === null) {
      this.fail(FAULTS.noHealthyUpstream)
      return
    }
    this.forward.cluster!.meter.count(CELL.retries)
    this.endpoint = endpoint
    endpoint.take()
    this.upstreamAttempts++
    this.upstreamHost = endpoint.endpoint.id
    this.requestOut.position = 0
    this.requestOut.copy(this.sentHead, 0, this.sentHeadLength)
    this.headSent = false
    this.state = 'connecting'
    // A fresh connection, not another one that may be closing.
    endpoint.open(this)
  }

  /** Whether this outcome of a try leads to another one (retry_policy). */
  protected triesAgain(status: number, fault: Fault | null): boolean {
    const { retries } = this
    if (retries === null || !this.requestEnded || !retries.next(status, fault)) return false
    this.abandonUpstream()
    this.state = 'backing-off'
    this.plane.wheel.set(this.tryTimer, retries.backOffMs)
    return true
  }

  protected tryAgain(): void {
    const { due } = this.routeTimer
    this.retries!.write(this.requestOut, due === 0 ? 0 : due - this.plane.wheel.time)
    this.headSent = false
    this.sendToOther()
  }

  /** per_try_timeout. */
  protected endTry(): void {
    const fault = FAULTS.upstreamPerTryTimeout
    this.forward.cluster!.meter.count(CELL.perTryTimeouts)
    this.abandonUpstream()
    if (!this.triesAgain(0, fault)) this.fail(fault)
  }

  onBodyFault(fault: Fault): void {
    this.abandonUpstream()
    if (this.state === 'answering') this.breakOff(fault)
    else this.fail(fault)
  }

  onClientGone(fault: Fault): void {
    this.abandonUpstream()
    this.note(fault)
    this.end()
    this.retire()
  }

  onTimer(timer: Timer): void {
    this.plane.wheel.touch()
    if (this.state === 'unused' || this.state === 'tunnel') return
    if (timer === this.tryTimer) {
      if (this.state === 'backing-off') this.tryAgain()
      else if (this.state === 'sent') this.endTry()
      return
    }
    const fault = timer === this.routeTimer ? FAULTS.upstreamTimeout : FAULTS.streamIdle
    this.forward.cluster!.meter.count(CELL.timeouts)
    this.abandonUpstream()
    if (this.state === 'answering') this.breakOff(fault)
    else this.fail(fault)
  }

  protected abandonUpstream(): void {
    if (this.state === 'connecting') this.endpoint?.withdraw(this)
    this.upstream?.abandon()
    this.upstream = null
    this.releaseEndpoint()
    this.plane.toUpstream.position = 0
  }
}
