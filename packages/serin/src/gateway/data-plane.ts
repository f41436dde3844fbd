/** What all connections of one worker share: the Plan in use, limits, clock, scratch heads and buffers, counters. */
import { CELL } from '../metrics/cells.ts'
import { Registry } from '../metrics/registry.ts'
import type { AccessLog } from '../metrics/access-log.ts'
import type { Meter } from '../metrics/meter.ts'
import type { ClientContext } from '../wire/client-connection.ts'
import { FAULTS } from '../wire/fault.ts'
import { Head } from '../wire/head.ts'
import type { Link } from '../wire/link.ts'
import type { Limits } from '../wire/limits.ts'
import { OutBuffer } from '../wire/out-buffer.ts'
import { type RequestHandler, ServerConnection } from '../wire/server-connection.ts'
import { READ_BYTES, type TcpHandle, TcpLink } from '../wire/tcp.ts'
import { socketOf } from '../wire/tls.ts'
import { TimerWheel } from '../wire/timer-wheel.ts'
import type { RouteQuery } from './compiled-route.ts'
import { writeLocalReply } from './local-reply.ts'
import { Http2Session } from './http2-listener.ts'
import { FrontDoor } from './front-door.ts'
import {
  EMPTY_PLAN,
  findHost,
  findHostOf,
  type HostPlan,
  type ListenerPlan,
  type Plan,
  type PlanNeeds,
} from './plan.ts'
import type { Target } from './request-target.ts'
import type { Found } from './router.ts'
import type { WorkerPlace } from './split.ts'

/** One read, a head, and the framing of both: what a relayed message can gather before it is sent. */
const OUT_BYTES = READ_BYTES + 32 * 1024
/** One bug in so long is told; all are counted. */
const BUG_TELL_MS = 1000
/** Exchanges that are kept for the next requests. */
const FREE_EXCHANGES_MAX = 4096

export interface DataPlaneOptions {
  readonly limits: Limits
  readonly place: WorkerPlace
  readonly newExchange: (plane: DataPlane) => PooledExchange
}

/** An Exchange as the worker keeps it: used for one request after another. */
export interface PooledExchange extends RequestHandler {
  take(connection: ServerConnection<ClientOfListener>, client: ClientOfListener): void
}

/** A Listener as connections know it: its plan is swapped under them. */
export interface ListenerState {
  plan: ListenerPlan
  readonly port: number
}

/** A connection that is no HTTP/1.1 connection, or not yet. */
export interface Guest {
  readonly listener: ListenerState
  readonly peerAddress: string
  /** Somebody else has its connection now. */
  readonly handedOver: boolean
  /** It should end soon. */
  stop(): void
  destroy(): void
}

/** What TLS said of a connection. */
export interface SecureClient {
  /** Of the Host whose certificate was shown: only that Host is served here, as in Envoy. */
  readonly hostname: string
  readonly serverName: string
}

export class DataPlane implements ClientContext, PlanNeeds {
  readonly limits: Limits
  readonly wheel: TimerWheel = new TimerWheel()
  readonly head: Head
  readonly responseHead: Head
  readonly registry: Registry = new Registry()
  readonly place: WorkerPlace
  readonly meter: Meter
  readonly context: ClientContext = this
  accessLog: AccessLog | null = null
  /** Towards clients, and towards upstreams; empty between two events. */
  readonly toClient: OutBuffer = new OutBuffer(OUT_BYTES, true)
  readonly toUpstream: OutBuffer = new OutBuffer(OUT_BYTES, true)
  readonly query: RouteQuery
  readonly found: Found = { route: null, destination: null }
  readonly target: Target = {
    form: 'origin',
    path: '',
    queryStart: 0,
    end: 0,
    host: '',
    hostNameLength: 0,
    https: false,
  }
  plan: Plan = EMPTY_PLAN
  readonly connections: Set<ServerConnection<ClientOfListener>> = new Set<ServerConnection<ClientOfListener>>()
  /** Connections that speak something else, or have not said yet what. */
  readonly guests: Set<Guest> = new Set<Guest>()
  draining = false
  bugs = 0
  private bugToldAt: number = -Infinity
  /** Under way. */
  requests = 0
  private readonly clients: Map<string, number> = new Map<string, number>()
  private readonly freeExchanges: PooledExchange[] = []
  private connectionId = 0
  private readonly newExchange: (plane: DataPlane) => PooledExchange

  constructor(options: DataPlaneOptions) {
    this.limits = options.limits
    this.place = options.place
    this.newExchange = options.newExchange
    this.head = new Head(options.limits.fieldsMax)
    this.responseHead = new Head(options.limits.fieldsMax)
    this.meter = this.registry.worker(options.place.index)
    this.query = {
      host: '',
      path: '',
      folded: '',
      query: '',
      method: '',
      scheme: 'http',
      head: this.head,
      clientAddress: '',
      number: -1,
    }
  }

  /** A new client connection of a Listener. */
  accept(handle: TcpHandle, listener: ListenerState): void {
    this.wheel.touch()
    const { limits } = this
    const link = new TcpLink(handle)
    listener.plan.meter.count(CELL.connectionsOpened)
    const perClient = limits.connectionsPerClientMax
    const many = perClient > 0 && this.connectionsOf(link.peerAddress) >= perClient
    if (many || this.connections.size + this.guests.size >= limits.connectionsPerWorkerMax) this.refuse(link, listener)
    else if (listener.plan.hasDoor) new FrontDoor(this, listener, link).start()
    else this.serve(link, listener, null)
  }

  /** HTTP/1.1 on a connection that has been let in. */
  serve(
    link: Link,
    listener: ListenerState,
    secure: SecureClient | null,
    speaks: ClientOfListener['speaks'] = 'http1',
  ): ServerConnection<ClientOfListener> {
    const client = new ClientOfListener(this, listener, secure, speaks)
    const connection = new ServerConnection(link, client)
    client.id = ++this.connectionId
    this.connections.add(connection)
    this.countClient(link.peerAddress, 1)
    connection.start()
    if (this.draining) connection.stop()
    return connection
  }

  /** No more is taken. */
  get isFull(): boolean {
    return this.connections.size + this.guests.size >= this.limits.connectionsPerWorkerMax
  }

  addGuest(guest: Guest): void {
    this.guests.add(guest)
    this.countClient(guest.peerAddress, 1)
  }

  removeGuest(guest: Guest): void {
    if (!this.guests.delete(guest)) return
    this.countClient(guest.peerAddress, -1)
    if (!guest.handedOver) guest.listener.plan.meter.count(CELL.connectionsClosed)
  }

  /** Ends the connections that came in by a Listener, after the answers that are due. */
  stopConnectionsOf(listener: ListenerState): void {
    for (const connection of this.connections) if (connection.context.listener === listener) connection.stop()
    for (const guest of this.guests) if (guest.listener === listener) guest.stop()
  }

  forget(connection: ServerConnection<ClientOfListener>): void {
    if (this.connections.delete(connection)) this.countClient(connection.link.peerAddress, -1)
  }

  private countClient(address: string, by: 1 | -1): void {
    if (this.limits.connectionsPerClientMax === 0) return
    const count = this.connectionsOf(address) + by
    if (count > 0) this.clients.set(address, count)
    else this.clients.delete(address)
  }

  /** Whether a new request is refused before anything is done for it. */
  get overloaded(): boolean {
    return this.requests > this.limits.requestsPerWorkerMax || this.wheel.lagMs > this.limits.loopLagMsMax
  }

  get logsResponseHeaders(): boolean {
    return this.accessLog !== null && this.accessLog.responseHeaders.length > 0
  }

  takeExchange(): PooledExchange {
    this.requests++
    return this.freeExchanges.pop() ?? this.newExchange(this)
  }

  giveBack(exchange: PooledExchange): void {
    this.requests--
    if (this.freeExchanges.length < FREE_EXCHANGES_MAX) this.freeExchanges.push(exchange)
  }

  onBug(error: unknown): void {
    // What was gathered belongs to the connection that failed.
    this.toClient.position = 0
    this.toUpstream.position = 0
    this.bugs++
    const now = this.wheel.touch()
    if (now - this.bugToldAt < BUG_TELL_MS) return
    this.bugToldAt = now
    console.error('a request met a bug in the gateway; its connection is closed:', error)
  }

  private connectionsOf(address: string): number {
    return this.clients.get(address) ?? 0
  }

  /** Too many connections: said early and cheaply, and the client is told when to come back. */
  private refuse(link: Link, listener: ListenerState): void {
    const connection = new ServerConnection(link, new ClientOfListener(this, listener, null))
    const fault = FAULTS.tooManyConnections
    listener.plan.meter.count(CELL.connectionsRefused)
    const lines = `retry-after: ${this.limits.retryAfterSeconds}\r\n`
    const conduct = { settings: this.plan.settings, keepsAlive: false, http10: false, toHead: false }
    writeLocalReply(this.toClient, { status: fault.status, body: fault.text, lines }, conduct)
    connection.write(this.toClient)
    // What it sends is read away for a moment, or a RST would take the answer back.
    connection.close()
  }
}

/** What a connection asks of the worker, with the Listener it came in by. */
export class ClientOfListener {
  readonly dataPlane: DataPlane
  readonly listener: ListenerState
  readonly limits: Limits
  readonly wheel: TimerWheel
  readonly head: Head
  /** Null: cleartext. */
  readonly secure: SecureClient | null
  id = 0

  /** A connection of HTTP/1.1, or a stream of HTTP/2. */
  readonly speaks: 'http1' | 'stream'

  constructor(
    dataPlane: DataPlane,
    listener: ListenerState,
    secure: SecureClient | null,
    speaks: 'http1' | 'stream' = 'http1',
  ) {
    this.secure = secure
    this.speaks = speaks
    this.dataPlane = dataPlane
    this.listener = listener
    this.limits = dataPlane.plan.clientLimits ?? dataPlane.limits
    this.wheel = dataPlane.wheel
    this.head = dataPlane.head
  }

  /** The Host that a name stands for on this connection, in the Plan of now. */
  findHost(name: string): HostPlan | null {
    const { plan } = this.listener
    if (this.secure === null) return findHost(plan.hosts, name)
    return plan.tlsHosts === null ? null : findHostOf(plan.tlsHosts, this.secure.hostname, name)
  }

  handlerFor(connection: ServerConnection<ClientOfListener>): PooledExchange {
    const exchange = this.dataPlane.takeExchange()
    exchange.take(connection, this)
    return exchange
  }

  onBug(error: unknown): void {
    this.dataPlane.onBug(error)
  }

  onHttp2(connection: ServerConnection<ClientOfListener>, octets: Buffer): void {
    const { dataPlane, listener, secure } = this
    const { link } = connection
    const { peerAddress } = link
    dataPlane.forget(connection)
    // Over TLS it is agreed on by ALPN, or not at all.
    if (link instanceof TcpLink)
      new Http2Session(dataPlane, listener, socketOf(link.release(), octets), peerAddress, secure)
    else link.destroy()
  }

  onConnectionClosed(connection: ServerConnection<ClientOfListener>): void {
    if (this.speaks === 'http1') this.listener.plan.meter.count(CELL.connectionsClosed)
    this.dataPlane.forget(connection)
  }
}
