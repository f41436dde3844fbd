/** An Exchange and its answer: relayed as it comes, compressed or replaced where that is asked for, or turned into a tunnel. */
import { writeChunk, writeLastChunk } from '../wire/chunk-writer.ts'
import { connectionOptions } from '../wire/connection-options.ts'
import { type Fault, FAULTS } from '../wire/fault.ts'
import { Head } from '../wire/head.ts'
import { joinChanges } from './compiled-changes.ts'
import { errorBody } from './error-response.ts'
import { ExchangeState } from './exchange-state.ts'
import { type Gzip, GzipBody, type GzipSink } from './gzip.ts'
import {
  clientFraming,
  type ResponseHeadFacts,
  writeInterimHead,
  writeResponseHead,
  writeSwitchHead,
} from './response-head.ts'
import { Tunnel } from './tunnel.ts'
import { switchesTo } from './upgrade.ts'

export abstract class AnsweringExchange extends ExchangeState implements ResponseHeadFacts, GzipSink {
  onResponse(head: Head, framing: number): void {
    this.head = head
    if (head.status === 101) this.switchProtocol(head)
    else if (head.status < 200) this.relayInterim(head)
    else this.relayHead(head, framing)
  }

  protected relayInterim(head: Head): void {
    // 100 was answered by ourselves; a 1.0 client knows no interim responses (RFC 9110 §15.2).
    if (head.status === 100 || this.http10) return
    connectionOptions(head, head.fieldCount)
    writeInterimHead(this.plane.toClient, head)
  }

  protected relayHead(head: Head, framing: number): void {
    const { plane, connection } = this
    if (this.retries !== null && this.triesAgain(head.status, null)) return
    this.state = 'answering'
    this.status = head.status
    this.framing = framing
    this.serviceMs = Math.round(plane.wheel.time - this.sentTime)
    this.upstreamServiceMs = this.serviceMs
    this.responseMs = plane.wheel.time - this.startTime
    if (plane.logsResponseHeaders) this.keepResponseHeaders(plane.accessLog!.responseHeaders, head)
    this.forward.cluster!.meter.upstreamAnswered(this.serviceMs)
    this.destination!.meter.upstreamAnswered(this.serviceMs)
    const bodyless = this.method === 'HEAD' || head.status === 204 || head.status === 304
    this.describesBody = bodyless && head.status !== 204
    this.clientFraming = bodyless ? 'none' : clientFraming(framing, this.http10)
    // An answer before the request was complete: what is still to come of the request has nowhere to go.
    if (this.clientFraming === 'until-close' || !this.requestEnded) connection.forbidReuse()
    if (plane.plan.gzip !== null && this.clientFraming !== 'none') this.prepareGzip(plane.plan.gzip, head)
    this.keepsAlive = connection.keepsAlive
    if (this.forward.forward.errorResponses.length > 0 && this.replaceBody(head.status)) return
    writeResponseHead(plane.toClient, this)
  }

  protected prepareGzip(gzip: Gzip, head: Head): void {
    const { changes, compresses } = gzip.plan(head, this.framing, this.requestHeader('accept-encoding'))
    if (changes !== null) this.answerChanges = joinChanges(this.answerChanges, changes)
    if (!compresses) return
    this.compressor = new GzipBody(this)
    this.clientFraming = this.http10 ? 'until-close' : 'chunked'
    if (this.http10) this.connection.forbidReuse()
  }

  /** error_response_overrides: the head goes on, the upstream's body is read away. */
  protected replaceBody(status: number): boolean {
    const own = errorBody(this.forward.forward.errorResponses, status, this)
    if (own === null) return false
    const { toClient } = this.plane
    this.endCompressor()
    this.answerChanges = joinChanges(this.answerChanges, own.changes)
    this.framing = own.body.length
    this.clientFraming = 'length'
    writeResponseHead(toClient, this)
    this.clientFraming = 'none'
    if (this.method === 'HEAD') return true
    toClient.reserve(own.body.length)
    toClient.octets(own.body)
    this.bytesOut += own.body.length
    return true
  }

  onCompressed(octets: Buffer): void {
    const { plane, connection } = this
    this.addBody(octets, 0, octets.length)
    connection.write(plane.toClient)
    if (connection.link.waitingBytes > plane.limits.bufferedBytesMax) this.compressor?.pause()
  }

  onCompressedEnd(): void {
    this.plane.wheel.touch()
    this.compressor = null
    this.onResponseComplete()
    this.onResponseEnd()
  }

  onCompressorDrained(): void {
    this.upstream?.link.resume()
  }

  onResponseBody(buffer: Buffer, start: number, end: number): void {
    if (this.clientFraming === 'none') return
    if (this.compressor === null) this.addBody(buffer, start, end)
    else if (!this.compressor.write(buffer, start, end)) this.upstream?.link.pause()
  }

  protected addBody(buffer: Buffer, start: number, end: number): void {
    const out = this.plane.toClient
    out.reserve(end - start + 16)
    this.bytesOut += end - start
    if (this.clientFraming === 'chunked') writeChunk(out, buffer, start, end)
    else out.copy(buffer, start, end)
  }

  onResponseReadDone(): void {
    const { plane, connection } = this
    if (plane.toClient.position === 0) return
    connection.write(plane.toClient)
    if (this.state === 'answering') {
      if (connection.link.waitingBytes > plane.limits.bufferedBytesMax) this.upstream?.link.pause()
      if (this.routeTimer.due === 0) this.touchIdle()
    }
  }

  onClientDrained(): void {
    this.compressor?.resume()
    this.upstream?.link.resume()
  }

  onResponseComplete(): void {
    const { plane } = this
    const trailers = this.http2 && this.upstream !== null ? this.upstream.trailers : ''
    this.upstream = null
    if (this.compressor !== null) return
    if (this.clientFraming === 'chunked') writeLastChunk(plane.toClient, trailers)
    this.connection.write(plane.toClient)
  }

  onResponseEnd(): void {
    if (this.compressor !== null) {
      this.releaseEndpoint()
      this.compressor.end()
      return
    }
    this.end()
    this.connection.finish()
    this.retire()
  }

  /** The answer is under way and cannot be completed: the client has to see that. */
  protected breakOff(fault: Fault): void {
    const { plane, connection } = this
    connection.write(plane.toClient)
    this.note(fault)
    this.end()
    connection.abort(this.clientFraming === 'until-close')
    this.retire()
  }

  protected switchProtocol(head: Head): void {
    const { plane, connection, upstream } = this
    if (this.upgrade === '' || !switchesTo(head, this.upgrade) || connection.hasPending) {
      this.abandonUpstream()
      this.fail(FAULTS.upstreamProtocol)
      return
    }
    this.state = 'tunnel'
    this.status = 101
    this.upstream = null
    plane.wheel.clear(this.routeTimer)
    plane.wheel.clear(this.idleTimer)
    writeSwitchHead(plane.toClient, head, this.upgrade, this.settings)
    new Tunnel(plane, connection, upstream!, (bytesIn, bytesOut, fault) => {
      this.bytesIn = bytesIn
      this.bytesOut = bytesOut
      if (fault !== null) this.note(fault)
      this.end()
      this.retire()
    }).begin()
  }

  /** Whether this outcome of a try leads to another one (retry_policy). */
  protected abstract triesAgain(status: number, fault: Fault | null): boolean

  protected abstract abandonUpstream(): void
}
