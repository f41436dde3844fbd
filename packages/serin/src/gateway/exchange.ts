/**
 * One request's life, top to bottom:
 *
 * 1. admitted (`admission.ts`), held for checks, routed, given to a version: this file
 * 2. sent: `exchange-sending.ts`
 * 3. answered: `exchange-answer.ts`; or a tunnel (`tunnel.ts`)
 * 4. counted and logged, also where we answer ourselves: `exchange-state.ts`
 *
 * An Exchange is used again for the next request.
 */
import type { HashKey } from '../model/destination.ts'
import { type Fault, FAULTS } from '../wire/fault.ts'
import { CHUNKED } from '../wire/framing.ts'
import { Head } from '../wire/head.ts'
import { fieldText, octetsOf } from '../wire/octets.ts'
import type { RequestHandler, ServerConnection } from '../wire/server-connection.ts'
import { admit, LAST_HOP } from './admission.ts'
import { type Check, editedHead, type Verdict } from './check.ts'
import { clientAddress, forwardedProto } from './client-address.ts'
import { joinChanges } from './compiled-changes.ts'
import type { CompiledDestination, CompiledForward } from './compiled-destination.ts'
import type { Cors } from './cors.ts'
import type { ClientOfListener } from './data-plane.ts'
import { SendingExchange } from './exchange-sending.ts'
import { type ExchangePhase, flagBit } from './exchange-state.ts'
import { isGrpc } from './grpc-reply.ts'
import { readHashKey } from './hash-key.ts'
import { heldRequest, readHeldHead } from './held-head.ts'
import { Hold } from './hold.ts'
import type { HostPlan } from './plan.ts'
import { type CompiledRedirect, redirectLocation } from './redirect.ts'
import { type RequestHeadFacts, writeRequestHead } from './request-head.ts'
import { findRoute } from './router.ts'
import { chosenUpgrade } from './upgrade.ts'

const CONTINUE = octetsOf('HTTP/1.1 100 Continue\r\n\r\n')
const ACME_CHALLENGE = '/.well-known/acme-challenge/'
const NO_HEAD = new Head(0)

export class Exchange extends SendingExchange implements RequestHandler, RequestHeadFacts {
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
    this.grpc = false
    this.requestedServerName = client.secure?.serverName
    this.peerAddress = connection.link.peerAddress
    client.listener.plan.meter.started()
  }

  onRequest(head: Head, framing: number): void {
    this.head = head
    this.framing = framing
    if (this.http2) this.grpc = isGrpc(head)
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
  protected route(head: Head): void {
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

  protected hostForRoutes(port: number): string {
    const { host, hostNameLength } = this.target
    const strip = this.settings.stripHostPort
    if (hostNameLength === host.length || strip === 'none') return host
    if (strip === 'matching' && host.slice(hostNameLength + 1) !== String(port)) return host
    this.target.host = host.slice(0, hostNameLength)
    return this.target.host
  }

  /** Host.requestPolicy.insecure: what is not secure is redirected to https, or has no route. */
  protected refusedAsInsecure({ host }: HostPlan, authority: string): boolean {
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
  protected get ownServiceTime(): string {
    return this.settings.suppressEnvoyHeaders ? '' : 'x-envoy-upstream-service-time: 0\r\n'
  }

  protected redirect(redirect: CompiledRedirect): void {
    const location = fieldText(redirectLocation(redirect, this.proto, this.target.path, this.queryText))
    this.reply({ status: redirect.status, body: '', lines: `location: ${location}\r\n` })
  }

  /** Whether it has to wait: for its body, or for what somebody says of it. */
  protected isHeld(checks: readonly Check[], destination: CompiledDestination, head: Head): boolean {
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

  protected holdFor(check: Check, wants: number, destination: CompiledDestination, forward: CompiledForward): void {
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

  protected onVerdict(verdict: Verdict): void {
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
  protected goOn(octets: Buffer): void {
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

  protected flowAgain(state: ExchangePhase): void {
    if (state !== 'sent' && state !== 'connecting') return
    if (this.requestEnded) this.endRequest()
    else if (state === 'sent') {
      this.flushRequest()
      this.connection.resumeBody()
    }
  }

  /** What came of the body while it was held. */
  protected releaseBody(hold: Hold): void {
    this.hold = null
    const state = this.state
    for (const part of hold.parts) this.onBody(part, 0, part.length)
    this.state = state
  }

  /** Writes the upstream's head and finds a connection to an endpoint. */
  protected forwardTo(forward: CompiledForward, head: Head): void {
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

  protected answeredByCors(cors: Cors, head: Head): boolean {
    const answer = cors.answer(head, this.method)
    if (answer === null) return false
    this.answerChanges = joinChanges(this.answerChanges, answer.changes)
    if (answer.isPreflight) this.reply({ status: 200, body: '' })
    return answer.isPreflight
  }

  protected readKey(key: HashKey): void {
    const { hash, changes } = readHashKey(key, this.head, this.externalAddress)
    this.keyHash = hash
    if (changes !== null) this.answerChanges = joinChanges(this.answerChanges, changes)
  }

  protected retire(): void {
    this.plane.giveBack(this)
  }
}
