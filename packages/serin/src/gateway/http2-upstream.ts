/** HTTP/2 connections to one endpoint (`grpc: true`): few sessions, each carrying many requests at once. */
import { type ClientHttp2Session, connect } from 'node:http2'
import { connect as connectNet } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Endpoint } from '../model/cluster.ts'
import { ClientConnection, type ClientContext, type ConnectionKeeper } from '../wire/client-connection.ts'
import { FAULTS, type Fault } from '../wire/fault.ts'
import { Http2ClientLink } from '../wire/http2-client-link.ts'
import { Timer } from '../wire/timer-wheel.ts'
import type { ConnectionSeeker, EndpointConduct } from './endpoint.ts'
import { upstreamContext } from './tls-context.ts'

interface Session {
  readonly session: ClientHttp2Session
  readonly timer: Timer
  active: number
  /** SETTINGS have come: it speaks HTTP/2. */
  ready: boolean
  readonly waiting: ConnectionSeeker[]
}

export class Http2Upstream implements ConnectionKeeper {
  private readonly endpoint: Endpoint
  private readonly context: ClientContext
  private readonly conduct: EndpointConduct
  private readonly sessions: Set<Session> = new Set<Session>()
  private readonly owners: Map<ClientConnection, Session> = new Map<ClientConnection, Session>()

  constructor(endpoint: Endpoint, context: ClientContext, conduct: EndpointConduct) {
    this.endpoint = endpoint
    this.context = context
    this.conduct = conduct
  }

  open(seeker: ConnectionSeeker): void {
    for (const session of this.sessions) {
      if (session.active + session.waiting.length >= streamsMax(session, this.context.limits.http2StreamsMax)) continue
      this.join(session, seeker)
      return
    }
    if (this.conduct.connections >= this.conduct.limits.connectionsMax) seeker.onNoConnection(FAULTS.overflow)
    else this.begin(seeker)
  }

  withdraw(seeker: ConnectionSeeker): void {
    for (const { waiting } of this.sessions) {
      const at = waiting.indexOf(seeker)
      if (at >= 0) waiting.splice(at, 1)
    }
  }

  /** Sessions end with the requests they carry. */
  retire(): void {
    for (const session of this.sessions) {
      if (session.ready) session.session.close()
      else this.failed(session, FAULTS.endpointGone)
    }
  }

  onReusable(connection: ClientConnection): void {
    // One request each: a stream is not used again.
    connection.destroy()
  }

  onConnectionGone(connection: ClientConnection): void {
    const session = this.owners.get(connection)
    if (session) session.active--
    this.owners.delete(connection)
  }

  private join(session: Session, seeker: ConnectionSeeker): void {
    if (session.ready) this.give(session, seeker)
    else session.waiting.push(seeker)
  }

  private give(session: Session, seeker: ConnectionSeeker): void {
    const connection = new ClientConnection(this.context, this)
    const scheme = this.conduct.tls === null ? 'http' : 'https'
    const link = new Http2ClientLink(session.session, scheme, this.endpoint.address)
    link.owner = connection
    connection.link = link
    connection.state = 'idle'
    session.active++
    this.owners.set(connection, session)
    seeker.onConnection(connection)
  }

  private begin(seeker: ConnectionSeeker): void {
    const created = this.connect()
    if (created === null) {
      seeker.onNoConnection(FAULTS.connectFailed)
      return
    }
    const session: Session = {
      session: created,
      active: 0,
      ready: false,
      waiting: [seeker],
      timer: new Timer({ onTimer: () => this.failed(session, FAULTS.connectTimeout) }),
    }
    this.conduct.connections++
    this.sessions.add(session)
    if (this.conduct.connectTimeoutMs > 0) this.context.wheel.set(session.timer, this.conduct.connectTimeoutMs)
    let connected = false
    created.once('connect', () => {
      connected = true
    })
    created.once('remoteSettings', () => this.opened(session))
    created.on('goaway', () => this.sessions.delete(session))
    created.on('error', () => this.failed(session, connected ? FAULTS.upstreamProtocol : FAULTS.connectFailed))
    created.on('close', () => {
      this.conduct.connections--
      this.failed(session, connected ? FAULTS.upstreamProtocol : FAULTS.connectFailed)
    })
    const { idleTimeoutMs } = this.conduct
    if (idleTimeoutMs > 0) created.setTimeout(idleTimeoutMs, () => this.end(session))
  }

  /** No new request; those under way are finished. */
  private end(session: Session): void {
    this.sessions.delete(session)
    session.session.close()
  }

  private connect(): ClientHttp2Session | null {
    const { address, port } = this.endpoint
    const { tls } = this.conduct
    const host = address.includes(':') ? `[${address}]` : address
    const settings = { initialWindowSize: this.context.limits.http2WindowBytes, enablePush: false }
    if (tls === null) {
      return connect(`http://${host}:${port}`, {
        settings,
        createConnection: () => connectNet({ host: address, port, noDelay: true }),
      })
    }
    const secureContext = upstreamContext(tls)
    if (secureContext === null) return null
    const createConnection = (): ReturnType<typeof connectTls> =>
      connectTls({
        host: address,
        port,
        secureContext,
        servername: tls.sni ?? '',
        rejectUnauthorized: tls.verify,
        checkServerIdentity: () => undefined,
        ALPNProtocols: ['h2'],
      })
    return connect(`https://${host}:${port}`, { settings, createConnection })
  }

  private opened(session: Session): void {
    this.context.wheel.touch()
    this.context.wheel.remove(session.timer)
    session.ready = true
    for (const seeker of session.waiting.splice(0)) this.give(session, seeker)
  }

  private failed(session: Session, fault: Fault): void {
    this.sessions.delete(session)
    this.context.wheel.remove(session.timer)
    if (!session.ready) session.session.destroy()
    for (const seeker of session.waiting.splice(0)) seeker.onNoConnection(fault)
  }
}

/** As many as we want, unless the upstream allows fewer; then another session is opened. */
function streamsMax({ session, ready }: Session, wanted: number): number {
  return ready ? Math.min(session.remoteSettings.maxConcurrentStreams ?? wanted, wanted) : wanted
}
