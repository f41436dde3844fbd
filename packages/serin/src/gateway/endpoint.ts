/** One address of a Cluster in one worker: its connections, and who waits for one. */
import type { CircuitBreaker, Endpoint, UpstreamTls } from '../model/cluster.ts'
import { ClientConnection, type ClientContext, type ConnectionKeeper } from '../wire/client-connection.ts'
import { FAULTS, type Fault } from '../wire/fault.ts'
import type { Link, LinkOwner } from '../wire/link.ts'
import { connectTcp, TcpLink } from '../wire/tcp.ts'
import { connectTls } from '../wire/tls.ts'
import { Timer } from '../wire/timer-wheel.ts'
import { Http2Upstream } from './http2-upstream.ts'
import { upstreamContext } from './tls-context.ts'

/** Who asks for a connection. */
export interface ConnectionSeeker {
  /** A connection is ready: `begin` and write. */
  onConnection(connection: ClientConnection): void
  onNoConnection(fault: Fault): void
}

/** What an endpoint needs to know of its Cluster; the same object while the Cluster lives. */
export interface EndpointConduct {
  connectTimeoutMs: number
  idleTimeoutMs: number
  /** A connection older than this is not used again; 0: no limit. */
  lifetimeMs: number
  /** TCP probes on a connection that has been silent for so long; 0: none. How many, and how far apart, the kernel says. */
  keepAliveSeconds: number
  limits: CircuitBreaker
  /** Requests go over HTTP/2. */
  http2: boolean
  /** How connections are secured; null: they are not. */
  tls: UpstreamTls | null
  /** Connections of all endpoints of the cluster. */
  connections: number
  pending: number
  /** Requests under way. */
  requests: number
  /** Of them, retries. */
  retries: number
}

/** A connection that is being opened, and for whom. */
interface Attempt {
  readonly timer: Timer
  readonly connection: ClientConnection
  seeker: ConnectionSeeker | null
}

export class EndpointState implements ConnectionKeeper {
  readonly endpoint: Endpoint
  /** Requests that are under way; least-request balancers look at it. */
  active = 0
  private readonly context: ClientContext
  private readonly conduct: EndpointConduct
  /** Last in, first out: the rest of them gets old and is closed. */
  private readonly idle: ClientConnection[] = []
  private readonly waiting: ConnectionSeeker[] = []
  private readonly attempts: Set<Attempt> = new Set<Attempt>()
  /** Open ones and those being opened. */
  private connections = 0
  private retired = false
  private http2: Http2Upstream | null = null
  private readonly idleTimer: Timer = new Timer(this)
  /** How many of the idle connections were not used since the timer was set. */
  private idleUnused = 0

  constructor(endpoint: Endpoint, context: ClientContext, conduct: EndpointConduct) {
    this.endpoint = endpoint
    this.context = context
    this.conduct = conduct
  }

  /** A request is given to it … */
  take(): void {
    this.active++
    this.conduct.requests++
  }

  /** … and over. */
  release(): void {
    this.active--
    this.conduct.requests--
  }

  /** A pooled connection, begun by nobody yet, or null. */
  takeIdle(): ClientConnection | null {
    let connection = this.idle.pop() ?? null
    // The upstream said that it closes about now; those below were used before this one.
    for (
      ;
      connection !== null && connection.expiresAt <= this.context.wheel.time;
      connection = this.idle.pop() ?? null
    ) {
      connection.destroy()
    }
    if (this.idle.length < this.idleUnused) this.idleUnused = this.idle.length
    return connection
  }

  /** Opens a connection for `seeker`, or lets it wait for one where there are as many as there may be. */
  open(seeker: ConnectionSeeker): void {
    const { conduct } = this
    if (conduct.http2) {
      this.http2 ??= new Http2Upstream(this.endpoint, this.context, conduct)
      this.http2.open(seeker)
      return
    }
    // In Envoy a request is pending while its connection is opened, too: with no room for one, nobody ever gets through.
    if (conduct.limits.pendingRequestsMax === 0) seeker.onNoConnection(FAULTS.overflow)
    // An endpoint without any gets one all the same: what waited here would wait for ever.
    else if (conduct.connections >= conduct.limits.connectionsMax && this.connections > 0) {
      const full = this.waiting.length >= this.context.limits.queuedPerEndpointMax
      if (full || conduct.pending >= conduct.limits.pendingRequestsMax) seeker.onNoConnection(FAULTS.overflow)
      else {
        this.waiting.push(seeker)
        conduct.pending++
      }
    } else this.connect(seeker)
  }

  /** The seeker went away before it had a connection. */
  withdraw(seeker: ConnectionSeeker): void {
    this.http2?.withdraw(seeker)
    const at = this.waiting.indexOf(seeker)
    if (at >= 0) {
      this.waiting.splice(at, 1)
      this.conduct.pending--
    }
    for (const attempt of this.attempts) if (attempt.seeker === seeker) attempt.seeker = null
  }

  /** The endpoint left the Cluster: idle connections go now, busy ones when their request is over. */
  retire(): void {
    this.retired = true
    this.http2?.retire()
    for (const connection of this.idle.splice(0)) connection.destroy()
    this.context.wheel.remove(this.idleTimer)
    for (const seeker of this.waiting.splice(0)) {
      this.conduct.pending--
      seeker.onNoConnection(FAULTS.endpointGone)
    }
    // Nothing was sent on what is still being opened: those requests go elsewhere.
    for (const attempt of this.attempts) this.failed(attempt, FAULTS.endpointGone)
  }

  get idleCount(): number {
    return this.idle.length
  }

  onReusable(connection: ClientConnection): void {
    const seeker = this.waiting.shift()
    if (seeker) {
      this.conduct.pending--
      seeker.onConnection(connection)
      return
    }
    const { lifetimeMs } = this.conduct
    const old = lifetimeMs > 0 && this.context.wheel.time - connection.openedAt > lifetimeMs
    if (old || this.retired || this.idle.length >= this.context.limits.idlePerEndpointMax) {
      connection.destroy()
      return
    }
    if (this.idle.push(connection) === 1) this.watchIdle()
  }

  onConnectionGone(connection: ClientConnection): void {
    this.conduct.connections--
    this.connections--
    const at = this.idle.lastIndexOf(connection)
    if (at >= 0) this.idle.splice(at, 1)
    if (this.idleUnused > this.idle.length) this.idleUnused = this.idle.length
    if (this.waiting.length > 0 && this.conduct.connections < this.conduct.limits.connectionsMax) {
      this.conduct.pending--
      this.connect(this.waiting.shift()!)
    }
  }

  /** Idle for a whole period: closed. */
  onTimer(timer: Timer): void {
    if (timer !== this.idleTimer) return
    for (const connection of this.idle.splice(0, this.idleUnused)) connection.destroy()
    this.idleUnused = 0
    if (this.idle.length > 0) this.watchIdle()
  }

  private watchIdle(): void {
    const ms = this.conduct.idleTimeoutMs
    if (ms === 0) return
    this.idleUnused = this.idle.length
    if (this.idleTimer.due === 0) this.context.wheel.set(this.idleTimer, ms)
  }

  private connect(seeker: ConnectionSeeker): void {
    const connection = new ClientConnection(this.context, this)
    const attempt: Attempt = {
      connection,
      seeker,
      timer: new Timer({ onTimer: () => this.failed(attempt, FAULTS.connectTimeout) }),
    }
    this.conduct.connections++
    this.connections++
    const link = this.connectLink(connection, (opened, error) => this.connected(attempt, opened, error))
    if (typeof link === 'string') {
      this.conduct.connections--
      this.connections--
      seeker.onNoConnection(FAULTS.connectFailed)
      return
    }
    connection.link = link
    this.attempts.add(attempt)
    if (this.conduct.connectTimeoutMs > 0) this.context.wheel.set(attempt.timer, this.conduct.connectTimeoutMs)
  }

  /** A link that is being opened, or the name of an error. */
  private connectLink(owner: LinkOwner, connected: (link: Link, error: number) => void): Link | string {
    const { address, port } = this.endpoint
    const { tls } = this.conduct
    if (tls === null) return connectTcp(address, port, owner, connected)
    const secureContext = upstreamContext(tls)
    if (secureContext === null) return 'ERR_TLS_CERTIFICATE'
    return connectTls(
      address,
      port,
      { secureContext, serverName: tls.sni ?? '', verify: tls.verify, alpn: tls.alpn },
      owner,
      connected,
    )
  }

  private connected(attempt: Attempt, link: Link, error: number): void {
    this.context.wheel.touch()
    if (error !== 0) {
      this.failed(attempt, FAULTS.connectFailed)
      return
    }
    this.attempts.delete(attempt)
    this.context.wheel.remove(attempt.timer)
    const { connection, seeker } = attempt
    connection.state = 'idle'
    connection.openedAt = this.context.wheel.time
    if (this.conduct.keepAliveSeconds > 0 && link instanceof TcpLink) link.setKeepAlive(this.conduct.keepAliveSeconds)
    if (seeker) seeker.onConnection(connection)
    else this.onReusable(connection)
    link.resume()
  }

  private failed(attempt: Attempt, fault: Fault): void {
    if (!this.attempts.delete(attempt)) return
    this.context.wheel.remove(attempt.timer)
    attempt.connection.destroy()
    attempt.seeker?.onNoConnection(fault)
  }
}
