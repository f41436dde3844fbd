/**
 * One request's life, top to bottom: admitted, routed, given to a version, sent, answered, counted. Everything a request meets
 * is called from here; the details live beside it. An Exchange is used again for the next request.
 */
import { CELL } from '../metrics/cells.ts'
import { FLAG, type FlagName } from '../metrics/flags.ts'
import type { ClientConnection, ResponseHandler } from '../wire/client-connection.ts'
import { connectionOptions } from '../wire/connection-options.ts'
import { FAULTS, type Fault } from '../wire/fault.ts'
import { CHUNKED } from '../wire/framing.ts'
import { Head } from '../wire/head.ts'
import { fieldText, octetsOf } from '../wire/octets.ts'
import { OutBuffer } from '../wire/out-buffer.ts'
import type { RequestHandler, ServerConnection } from '../wire/server-connection.ts'
import { Timer } from '../wire/timer-wheel.ts'
import { admit, LAST_HOP } from './admission.ts'
import { type Check, editedHead, type Verdict } from './check.ts'
import { clientAddress, forwardedProto } from './client-address.ts'
import type { ClusterState } from './cluster-state.ts'
import { type CompiledChanges, joinChanges } from './compiled-changes.ts'
import type { CompiledDestination, CompiledForward } from './compiled-destination.ts'
import type { Cors } from './cors.ts'
import type { ClientOfListener, DataPlane } from './data-plane.ts'
import type { ConnectionSeeker, EndpointState } from './endpoint.ts'
import { ExchangeRecord } from './exchange-record.ts'
import { readHashKey } from './hash-key.ts'
import { heldRequest, readHeldHead } from './held-head.ts'
import { Hold } from './hold.ts'
import { type LocalReply, writeLocalReply } from './local-reply.ts'
import { type Gzip, GzipBody, type GzipSink } from './gzip.ts'
import { errorBody, withOwnBody } from './error-response.ts'
import { isIdempotent } from './methods.ts'
import { operatorValue } from './operators.ts'
import type { HostPlan } from './plan.ts'
import { type CompiledRedirect, redirectLocation } from './redirect.ts'
import { writeRequestHead, type RequestHeadFacts } from './request-head.ts'
import type { Target } from './request-target.ts'
import {
  clientFraming,
  type ClientFraming,
  type ResponseHeadFacts,
  writeInterimHead,
  writeResponseHead,
  writeSwitchHead,
} from './response-head.ts'
import { Retries } from './retry.ts'
import { findRoute } from './router.ts'
import type { HashKey } from '../model/destination.ts'
import type { Settings } from '../model/settings.ts'
import { castShadow, type ShadowRequest } from './shadow.ts'
import { Tunnel } from './tunnel.ts'
import { chosenUpgrade, switchesTo } from './upgrade.ts'

/** Most heads with our fields; a longer one makes it grow. */
const HEAD_BYTES = 1024
/** A grown buffer is not kept for ever. */
const HEAD_BYTES_KEPT = 8 * 1024

const CONTINUE = octetsOf('HTTP/1.1 100 Continue\r\n\r\n')
const LAST_CHUNK = octetsOf('0\r\n\r\n')
const ACME_CHALLENGE = '/.well-known/acme-challenge/'

const NO_HEAD = new Head(0)

type State =
  | 'unused'
  /** Its head is being looked at. */
  | 'admitted'
  /** It waits for a check (authorization, …). */
  | 'held'
  /** It waits for a connection to its endpoint. */
  | 'connecting'
  /** It waits for its next try. */
  | 'backing-off'
  /** It is on its way; no answer yet. */
  | 'sent'
  /** The answer's head is out. */
  | 'answering'
  | 'tunnel'

export class Exchange
  extends ExchangeRecord
  implements RequestHandler, ResponseHandler, ConnectionSeeker, RequestHeadFacts, ResponseHeadFacts, GzipSink
{
  private state: State = 'unused'
  private readonly plane: DataPlane
  private connection!: ServerConnection
  private client!: ClientOfListener
  private upstream: ClientConnection | null = null
  private endpoint: EndpointState | null = null
  private readonly requestOut: OutBuffer = new OutBuffer(HEAD_BYTES)
  private headSent = false
  private requestEnded = false
  private sentTime = 0
  private readonly routeTimer: Timer = new Timer(this)
  private readonly idleTimer: Timer = new Timer(this)
  /** Of one try, or before the next. */
  private readonly tryTimer: Timer = new Timer(this)
  private keyHash = -1
  private retries: Retries | null = null
  private shadow: ShadowRequest | null = null
  private checks: readonly Check[] | null = null
  private checked = 0
  /** The one random number of this request. */
  private number = -1
  private hold: Hold | null = null
  private compressor: GzipBody | null = null

  // Facts for the heads (request-head.ts, response-head.ts); valid while they are written.
  head!: Head
  forward!: CompiledForward
  settings!: Settings
  peerAddress = ''
  externalAddress = ''
  proto = 'http'
  framing = 0
  upgrade = ''
  maxForwards = -1
  endpointHost = ''
  clientFraming: ClientFraming = 'none'
  keepsAlive = true
  serviceMs = 0
  describesBody = false
  answerChanges: CompiledChanges | null = null

  constructor(plane: DataPlane) {
    super()
    this.plane = plane
  }

  get target(): Target {
    return this.plane.target
  }

  get changes(): CompiledForward['responseChanges'] {
    return this.forward.responseChanges
  }

  get versionLines(): Uint8Array | null {
    return this.destination!.versionLines
  }

  get privateCache(): boolean {
    return this.destination!.privateCache
  }

  get hidesServiceTime(): boolean {
    // Envoy does not measure an upgrade.
    return this.forward.hidesServiceTime || this.upgrade !== ''
  }

  operatorValue(operator: string, argument: string | undefined): string | null {
    return operatorValue(this, this.head, operator, argument)
  }

  /** Begins a new life with the next request of a connection. */
  take(connection: ServerConnection, client: ClientOfListener): void {
    this.resetRecord()
    this.state = 'admitted'
    this.connection = connection
    this.client = client
    this.settings = this.plane.plan.settings
    this.headSent = false
    this.requestEnded = false
    this.requestOut.position = 0
    this.upgrade = ''
    this.maxForwards = -1
    this.answerChanges = null
    this.keyHash = -1
    this.number = -1
    this.checks = this.plane.plan.checks
    this.startTime = this.plane.wheel.time
    this.startMs = Date.now()
    this.connectionId = client.id
    this.http2 = client.speaks === 'stream'
    this.peerAddress = connection.link.peerAddress
    client.listener.plan.meter.started()
  }

  // 1. The request: admitted, routed, forwarded.

  onRequest(head: Head, framing: number): void {
    this.head = head
    this.framing = framing
    const { limits, overloaded } = this.plane
    const fault = admit(this, head, this.connection, limits) ?? (overloaded ? FAULTS.overload : null)
    if (fault !== null) this.fail(fault)
    else if (this.target.form === 'asterisk') this.reply({ status: 200, body: '' })
    else if (this.maxForwards === LAST_HOP) this.reply({ status: this.method === 'TRACE' ? 405 : 200, body: '' })
    else this.route(head)
    // It is another's head now.
    this.head = NO_HEAD
  }

  onRefused(fault: Fault): void {
    this.fail(fault)
  }

  /** Finds the version and does what it says. */
  private route(head: Head): void {
    const { plane, target, settings } = this
    const { listener } = this.client.listener.plan
    const hops = listener.trustedHops
    this.externalAddress = clientAddress(head, this.peerAddress, hops, settings.useRemoteAddress)
    this.proto = forwardedProto(head, this.client.secure !== null, hops, settings.useRemoteAddress)
    this.downstreamRemoteAddress = this.externalAddress
    const host = this.hostForRoutes(listener.port)
    if (plane.accessLog !== null) this.keepPath()

    const { ipFilter } = plane.plan
    if (ipFilter !== null && !ipFilter.admits(this.peerAddress, this.externalAddress)) {
      this.fail(FAULTS.addressRefused)
      return
    }
    const hostPlan = this.client.findHost(host)
    if (hostPlan === null) {
      this.fail(FAULTS.noRoute)
      return
    }
    if (target.https && this.client.secure === null) {
      this.connection.forbidReuse()
      this.reply({ status: 403, body: '' })
      return
    }
    const { query, found } = plane
    query.host = host
    query.path = target.path
    query.folded = ''
    query.query =
      target.queryStart < target.end ? head.buffer.toString('latin1', target.queryStart + 1, target.end) : ''
    query.method = this.method
    query.scheme = this.proto
    query.clientAddress = this.externalAddress
    query.number = this.number
    findRoute(hostPlan.router, query, found)
    this.number = query.number
    const { destination } = found
    if (destination === null) {
      this.fail(FAULTS.noRoute)
      return
    }
    if (hostPlan.host.insecure !== 'route' && this.refusedAsInsecure(hostPlan, host)) return
    if (this.checks !== null && this.isHeld(this.checks, destination, head)) return
    this.destination = destination
    destination.meter.started()
    const { action } = destination
    if (action.kind === 'forward') this.forwardTo(action, head)
    else if (action.kind === 'respond')
      this.reply({ status: action.status, body: action.body, lines: this.ownServiceTime })
    else this.redirect(action)
  }

  private hostForRoutes(port: number): string {
    const { host, hostNameLength } = this.target
    const strip = this.settings.stripHostPort
    if (hostNameLength === host.length || strip === 'none') return host
    if (strip === 'matching' && host.slice(hostNameLength + 1) !== String(port)) return host
    this.target.host = host.slice(0, hostNameLength)
    return this.target.host
  }

  /** Host.requestPolicy.insecure: what is not secure is redirected to https, or has no route. */
  private refusedAsInsecure({ host }: HostPlan, authority: string): boolean {
    const { securityModel } = this.client.listener.plan.listener
    const secure = securityModel === 'secure' || (securityModel === 'xfp' && this.proto === 'https')
    if (secure || this.target.path.startsWith(ACME_CHALLENGE)) return false
    if (host.insecure === 'reject') this.fail(FAULTS.noRoute)
    else {
      const { target } = this
      const name = authority.endsWith(':80') ? authority.slice(0, -3) : authority
      const location = `https://${name}${target.path}${this.queryText}`
      this.reply({ status: 301, body: '', lines: `location: ${location}\r\n` })
    }
    return true
  }

  /** The gateway's own pages look as if they came from a service behind it, as in Emissary. */
  private get ownServiceTime(): string {
    return this.settings.suppressEnvoyHeaders ? '' : 'x-envoy-upstream-service-time: 0\r\n'
  }

  private redirect(redirect: CompiledRedirect): void {
    const location = fieldText(redirectLocation(redirect, this.proto, this.target.path, this.queryText))
    this.reply({ status: redirect.status, body: '', lines: `location: ${location}\r\n` })
  }

  /** Path and query as they came, for who asks later: the target belongs to the next request then. */
  private keepPath(): void {
    this.path = this.target.path + this.queryText
  }

  /** The query as it came, with its `?`. */
  private get queryText(): string {
    return this.head.buffer.toString('latin1', this.target.queryStart, this.target.end)
  }

  /** Whether it has to wait: for its body, or for what somebody says of it. */
  private isHeld(checks: readonly Check[], destination: CompiledDestination, head: Head): boolean {
    const { action } = destination
    if (action.kind !== 'forward' || action.cors?.answer(head, this.method)?.isPreflight === true) return false
    while (this.checked < checks.length) {
      const check = checks[this.checked++]!
      const wants = check.wants(action, this.framing)
      if (wants < 0) continue
      this.holdFor(check, wants, destination, action)
      return true
    }
    return false
  }

  private holdFor(check: Check, wants: number, destination: CompiledDestination, forward: CompiledForward): void {
    const { head, before } = { head: this.head, before: this.hold }
    this.state = 'held'
    this.forward = forward
    const request = heldRequest(this, this.queryText)
    const onVerdict = (verdict: Verdict): void => this.onVerdict(verdict)
    const hold = new Hold({ check, destination, request, wants, before, onVerdict })
    this.hold = hold
    const needsBody = wants > 0 && !hold.bodyEnded
    // Later nobody waits for a 100 any more, whoever asks for the body.
    if (before === null && head.expectCount > 0 && !this.http10) this.connection.continueBody(CONTINUE)
    if (!needsBody) this.connection.pauseBody()
    hold.askIfReady()
  }

  private onVerdict(verdict: Verdict): void {
    const { destination, request } = this.hold!.options
    if (verdict.kind === 'pass') {
      if (verdict.answerChanges) this.answerChanges = joinChanges(this.answerChanges, verdict.answerChanges)
      this.goOn(editedHead(request.head, verdict))
      return
    }
    this.destination = destination
    destination.meter.started()
    this.details = verdict.code
    this.flags |= flagBit(verdict.flag)
    this.reply(verdict.reply)
  }

  /** With the head as the check left it: it may choose another route now, as in Envoy. */
  private goOn(octets: Buffer): void {
    const { plane } = this
    const { head } = plane
    plane.wheel.touch()
    this.head = head
    this.state = 'admitted'
    if (!readHeldHead(head, octets, this.target, this.settings, this.method)) {
      this.fail(FAULTS.badField)
      return
    }
    this.route(head)
    this.head = NO_HEAD
    this.flowAgain(this.state)
  }

  private flowAgain(state: State): void {
    if (state !== 'sent' && state !== 'connecting') return
    if (this.requestEnded) this.endRequest()
    else if (state === 'sent') {
      this.flushRequest()
      this.connection.resumeBody()
    }
  }

  /** What came of the body while it was held. */
  private releaseBody(hold: Hold): void {
    this.hold = null
    const state = this.state
    for (const part of hold.parts) this.onBody(part, 0, part.length)
    this.state = state
  }

  /** Writes the upstream's head and finds a connection to an endpoint. */
  private forwardTo(forward: CompiledForward, head: Head): void {
    this.forward = forward
    if (forward.needsPath) this.keepPath()
    const { cluster } = forward
    if (cluster === null) {
      this.fail(FAULTS.noCluster)
      return
    }
    this.upstreamCluster = cluster.cluster.name
    if (this.upgrade !== '') {
      const chosen = chosenUpgrade(head, forward.forward.upgrades)
      if (chosen === null) {
        this.fail(FAULTS.upgradeRefused)
        return
      }
      this.upgrade = chosen
    }
    if (forward.cors !== null && this.answeredByCors(forward.cors, head)) return
    if (cluster.isFull) {
      this.fail(FAULTS.overflow)
      return
    }
    if (forward.forward.hash !== undefined) this.readKey(forward.forward.hash)
    const endpoint = this.pick(cluster)
    if (endpoint === null) {
      this.fail(FAULTS.noHealthyUpstream)
      return
    }
    this.endpointHost =
      cluster.cluster.source.kind === 'dns' ? cluster.cluster.source.hostname : endpoint.endpoint.address
    if (this.hold?.bodyEnded === true && this.framing === CHUNKED) this.framing = this.hold.bytes
    writeRequestHead(this.requestOut, this)
    this.sentHead = this.requestOut.buffer
    this.sentHeadLength = this.requestOut.position
    cluster.meter.started()
    if (forward.hasCompanions) this.prepareCompanions(forward, cluster)
    if (this.hold !== null) this.releaseBody(this.hold)
    if (head.expectCount > 0 && !this.http10 && this.hold === null) this.connection.continueBody(CONTINUE)
    this.sendTo(endpoint)
  }

  private answeredByCors(cors: Cors, head: Head): boolean {
    const answer = cors.answer(head, this.method)
    if (answer === null) return false
    this.answerChanges = joinChanges(this.answerChanges, answer.changes)
    if (answer.isPreflight) this.reply({ status: 200, body: '' })
    return answer.isPreflight
  }

  private readKey(key: HashKey): void {
    const { hash, changes } = readHashKey(key, this.head, this.externalAddress)
    this.keyHash = hash
    if (changes !== null) this.answerChanges = joinChanges(this.answerChanges, changes)
  }

  private pick(cluster: ClusterState): EndpointState | null {
    return this.keyHash < 0 ? cluster.pick() : cluster.pickFor(this.keyHash)
  }

  /** A copy for a shadow, the octets for another try. */
  private prepareCompanions({ shadow, forward }: CompiledForward, cluster: ClusterState): void {
    const { requestOut, plane } = this
    if (shadow !== null) this.shadow = castShadow(shadow, requestOut, this.peerAddress, plane)
    if (forward.retry) this.retries = new Retries(forward.retry, cluster, plane.limits.bufferedBytesMax)
    this.retries?.keep(requestOut.buffer, 0, requestOut.position)
  }

  private keepForCompanions(octets: Uint8Array, start: number, end: number): void {
    if (this.retries !== null) this.retries.keep(octets, start, end)
    if (this.shadow !== null) this.shadow.append(octets, start, end)
  }

  private sendTo(endpoint: EndpointState): void {
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

  // 2. A connection to the upstream: the request goes out.

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
  private sendToOther(): void {
    const endpoint = this.pick(this.forward.cluster!)
    if (endpoint === null) this.fail(FAULTS.noHealthyUpstream)
    else this.sendTo(endpoint)
  }

  private attach(connection: ClientConnection): void {
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
  private bodyOut(): OutBuffer {
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
  private endRequest(): void {
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

  private flushRequest(): void {
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

  private touchIdle(): void {
    const { idleTimeoutMs } = this.forward.forward
    if (idleTimeoutMs > 0) this.plane.wheel.set(this.idleTimer, idleTimeoutMs)
  }

  // 3. The answer: relayed as it comes.

  onResponse(head: Head, framing: number): void {
    this.head = head
    if (head.status === 101) this.switchProtocol(head)
    else if (head.status < 200) this.relayInterim(head)
    else this.relayHead(head, framing)
  }

  private relayInterim(head: Head): void {
    // 100 was answered by ourselves; a 1.0 client knows no interim responses (RFC 9110 §15.2).
    if (head.status === 100 || this.http10) return
    connectionOptions(head, head.fieldCount)
    writeInterimHead(this.plane.toClient, head)
  }

  private relayHead(head: Head, framing: number): void {
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

  private prepareGzip(gzip: Gzip, head: Head): void {
    const { changes, compresses } = gzip.plan(head, this.framing, this.requestHeader('accept-encoding'))
    if (changes !== null) this.answerChanges = joinChanges(this.answerChanges, changes)
    if (!compresses) return
    this.compressor = new GzipBody(this)
    this.clientFraming = this.http10 ? 'until-close' : 'chunked'
    if (this.http10) this.connection.forbidReuse()
  }

  /** error_response_overrides: the head goes on, the upstream's body is read away. */
  private replaceBody(status: number): boolean {
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

  // What the compressor calls: octets of the answer on their way to the client.

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

  private endCompressor(): void {
    this.compressor?.cancel()
    this.compressor = null
  }

  onResponseBody(buffer: Buffer, start: number, end: number): void {
    if (this.clientFraming === 'none') return
    if (this.compressor === null) this.addBody(buffer, start, end)
    else if (!this.compressor.write(buffer, start, end)) this.upstream?.link.pause()
  }

  private addBody(buffer: Buffer, start: number, end: number): void {
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
    this.plane.giveBack(this)
  }

  // 4. What can go wrong.

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
  private mayResend(): boolean {
    return this.requestEnded && this.framing === 0 && this.upstreamAttempts === 1 && isIdempotent(this.method)
  }

  private resend(): void {
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
  private triesAgain(status: number, fault: Fault | null): boolean {
    const { retries } = this
    if (retries === null || !this.requestEnded || !retries.next(status, fault)) return false
    this.abandonUpstream()
    this.state = 'backing-off'
    this.plane.wheel.set(this.tryTimer, retries.backOffMs)
    return true
  }

  private tryAgain(): void {
    const { due } = this.routeTimer
    this.retries!.write(this.requestOut, due === 0 ? 0 : due - this.plane.wheel.time)
    this.headSent = false
    this.sendToOther()
  }

  /** per_try_timeout. */
  private endTry(): void {
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
    this.plane.giveBack(this)
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

  private abandonUpstream(): void {
    if (this.state === 'connecting') this.endpoint?.withdraw(this)
    this.upstream?.abandon()
    this.upstream = null
    this.releaseEndpoint()
    this.plane.toUpstream.position = 0
  }

  /** The answer is under way and cannot be completed: the client has to see that. */
  private breakOff(fault: Fault): void {
    const { plane, connection } = this
    connection.write(plane.toClient)
    this.note(fault)
    this.end()
    connection.abort(this.clientFraming === 'until-close')
    plane.giveBack(this)
  }

  /** Answers what went wrong. */
  private fail(fault: Fault): void {
    this.note(fault)
    if (fault.side === 'client' && fault.status !== 417 && fault.status !== 403)
      this.client.listener.plan.meter.count(CELL.protocolErrors)
    const lines =
      fault.flag === 'UO'
        ? 'x-envoy-overloaded: true\r\n'
        : fault.flag === 'OM'
          ? `retry-after: ${this.plane.limits.retryAfterSeconds}\r\n`
          : ''
    this.reply({ status: fault.status, body: this.retries === null ? fault.text : this.retries.textOf(fault), lines })
  }

  private note(fault: Fault): void {
    this.flags |= flagBit(fault.flag)
    this.details = fault.code
    if (fault.side === 'upstream') this.upstreamFailure = fault.code
  }

  /** Answers without an upstream. */
  private reply(given: LocalReply): void {
    const { plane, connection, settings, http10 } = this
    const forward = this.destination?.action.kind === 'forward' ? this.destination.action : null
    const bodies = forward === null ? settings.defaultErrorResponses : forward.forward.errorResponses
    if (forward === null && bodies !== undefined && this.method !== '') this.keepPath()
    const reply = bodies === undefined ? given : withOwnBody(given, bodies, this)
    this.status = reply.status
    writeLocalReply(plane.toClient, reply, {
      settings,
      http10,
      keepsAlive: connection.keepsAlive,
      toHead: this.method === 'HEAD',
      changes: forward === null ? null : forward.responseChanges,
      answerChanges: this.answerChanges,
      values: this,
    })
    this.bytesOut = this.method === 'HEAD' ? 0 : reply.body.length
    connection.write(plane.toClient)
    this.end()
    connection.finish()
    plane.giveBack(this)
  }

  // 5. A tunnel: it goes on by itself, and is counted when it ends.

  private switchProtocol(head: Head): void {
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
      plane.giveBack(this)
    }).begin()
  }

  // 6. Counted and logged.

  private releaseEndpoint(): void {
    if (this.endpoint === null) return
    this.endpoint.release()
    this.endpoint = null
  }

  private endCompanions(): void {
    this.plane.wheel.clear(this.tryTimer)
    this.retries?.end()
    this.retries = null
    if (!this.requestEnded) this.shadow?.abandon()
    this.shadow = null
  }

  private end(): void {
    const { plane, status, flags } = this
    const { wheel } = plane
    wheel.clear(this.routeTimer)
    wheel.clear(this.idleTimer)
    this.releaseEndpoint()
    if (this.retries !== null || this.shadow !== null) this.endCompanions()
    this.endCompressor()
    this.hold?.cancel()
    this.hold = null
    this.checked = 0
    this.state = 'unused'
    this.durationMs = wheel.time - this.startTime
    if (this.bytesIn === 0) this.bytesIn = this.connection.bodyBytes
    const { durationMs, bytesIn, bytesOut } = this
    this.client.listener.plan.meter.ended(status, durationMs, bytesIn, bytesOut, flags)
    this.destination?.meter.ended(status, durationMs, bytesIn, bytesOut, flags)
    if (this.sentHeadLength > 0) this.forward.cluster!.meter.ended(status, durationMs, bytesIn, bytesOut, flags)
    plane.accessLog?.write(this)
    if (this.requestOut.buffer.length > HEAD_BYTES_KEPT) this.requestOut.shrink(HEAD_BYTES)
  }
}

/** The bit of a fault's flag; 0 for `-`. */
function flagBit(flag: string): number {
  return FLAG[flag as FlagName] ?? 0
}

/** chunk-size CRLF data CRLF. */
function writeChunk(out: OutBuffer, buffer: Buffer, start: number, end: number): void {
  if (start === end) return
  out.hex(end - start)
  out.crlf()
  out.copy(buffer, start, end)
  out.crlf()
}

/** `trailers`: only for a client that takes them. */
function writeLastChunk(out: OutBuffer, trailers: string): void {
  if (trailers === '') {
    out.octets(LAST_CHUNK)
    return
  }
  out.reserve(trailers.length + LAST_CHUNK.length)
  out.latin1(`0\r\n${trailers}\r\n`)
}
