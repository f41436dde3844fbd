/** What an Exchange knows of its request, how it answers by itself, and how it is counted in the end. */
import { CELL } from '../metrics/cells.ts'
import { FLAG, type FlagName } from '../metrics/flags.ts'
import type { Settings } from '../model/settings.ts'
import type { ClientConnection } from '../wire/client-connection.ts'
import type { Fault } from '../wire/fault.ts'
import { Head } from '../wire/head.ts'
import { latin1 } from '../wire/octets.ts'
import { OutBuffer } from '../wire/out-buffer.ts'
import type { ServerConnection } from '../wire/server-connection.ts'
import { Timer } from '../wire/timer-wheel.ts'
import type { Check } from './check.ts'
import type { CompiledChanges } from './compiled-changes.ts'
import type { CompiledForward } from './compiled-destination.ts'
import type { ClientOfListener, DataPlane } from './data-plane.ts'
import type { EndpointState } from './endpoint.ts'
import { withOwnBody } from './error-response.ts'
import { ExchangeRecord } from './exchange-record.ts'
import { GzipBody } from './gzip.ts'
import { grpcReply } from './grpc-reply.ts'
import { Hold } from './hold.ts'
import { type LocalReply, writeLocalReply } from './local-reply.ts'
import { operatorValue } from './operators.ts'
import type { Target } from './request-target.ts'
import type { ClientFraming } from './response-head.ts'
import { Retries } from './retry.ts'
import type { ShadowRequest } from './shadow.ts'

/** Most heads with our fields; a longer one makes it grow. */
const HEAD_BYTES = 1024
/** A grown buffer is not kept for ever. */
const HEAD_BYTES_KEPT = 8 * 1024

export type ExchangePhase =
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

export abstract class ExchangeState extends ExchangeRecord {
  protected state: ExchangePhase = 'unused'
  protected readonly plane: DataPlane
  protected connection!: ServerConnection
  protected client!: ClientOfListener
  protected upstream: ClientConnection | null = null
  protected endpoint: EndpointState | null = null
  protected readonly requestOut: OutBuffer = new OutBuffer(HEAD_BYTES)
  protected headSent = false
  protected requestEnded = false
  protected sentTime = 0
  protected readonly routeTimer: Timer = new Timer(this)
  protected readonly idleTimer: Timer = new Timer(this)
  /** Of one try, or before the next. */
  protected readonly tryTimer: Timer = new Timer(this)
  protected keyHash = -1
  protected retries: Retries | null = null
  protected shadow: ShadowRequest | null = null
  protected checks: readonly Check[] | null = null
  protected checked = 0
  /** The one random number of this request. */
  protected number = -1
  protected hold: Hold | null = null
  protected compressor: GzipBody | null = null

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

  /** Path and query as they came, for who asks later: the target belongs to the next request then. */
  protected keepPath(): void {
    this.path = this.target.path + this.queryText
  }

  /** The query as it came, with its `?`. */
  protected get queryText(): string {
    const { queryStart, end } = this.target
    return queryStart === end ? '' : latin1(this.head.buffer, queryStart, end)
  }

  protected touchIdle(): void {
    const { idleTimeoutMs } = this.forward.forward
    if (idleTimeoutMs > 0) this.plane.wheel.set(this.idleTimer, idleTimeoutMs)
  }

  protected endCompressor(): void {
    this.compressor?.cancel()
    this.compressor = null
  }

  /** Answers what went wrong. */
  protected fail(fault: Fault): void {
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

  protected note(fault: Fault): void {
    this.flags |= flagBit(fault.flag)
    this.details = fault.code
    if (fault.side === 'upstream') this.upstreamFailure = fault.code
  }

  /** Answers without an upstream. */
  protected reply(given: LocalReply): void {
    const { plane, connection, settings, http10 } = this
    const forward = this.destination?.action.kind === 'forward' ? this.destination.action : null
    const bodies = forward === null ? settings.defaultErrorResponses : forward.forward.errorResponses
    if (forward === null && bodies !== undefined && this.method !== '') this.keepPath()
    const worded = this.grpc ? grpcReply(given) : given
    const reply = bodies === undefined ? worded : withOwnBody(worded, bodies, this)
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
    this.retire()
  }

  protected releaseEndpoint(): void {
    if (this.endpoint === null) return
    this.endpoint.release()
    this.endpoint = null
  }

  protected endCompanions(): void {
    this.plane.wheel.clear(this.tryTimer)
    this.retries?.end()
    this.retries = null
    if (!this.requestEnded) this.shadow?.abandon()
    this.shadow = null
  }

  protected end(): void {
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

  /** A time limit has passed. */
  abstract onTimer(timer: Timer): void

  /** Its life is over: it may be used for another request. */
  protected abstract retire(): void
}

/** The bit of a fault's flag; 0 for `-`. */
export function flagBit(flag: string): number {
  return FLAG[flag as FlagName] ?? 0
}
