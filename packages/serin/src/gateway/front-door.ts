/**
 * What a new connection speaks, where a Listener allows more than cleartext HTTP: TLS (its certificate chosen by server name), HTTP in
 * cleartext on the same port, or the protocol of a TCPMapping; and who it comes from, where a proxy in front says so.
 */
import type { TLSSocket } from 'node:tls'
import { type ClientHello, readClientHello } from '../wire/client-hello.ts'
import { readProxyHeader } from '../wire/proxy-protocol.ts'
import type { LinkOwner } from '../wire/link.ts'
import { StreamLink } from '../wire/stream-link.ts'
import type { TcpLink } from '../wire/tcp.ts'
import { type AcceptOptions, acceptTls } from '../wire/tls.ts'
import { Timer } from '../wire/timer-wheel.ts'
import type { DataPlane, Guest, ListenerState } from './data-plane.ts'
import { Http2Session } from './http2-listener.ts'
import { findHost, type HostPlan } from './plan.ts'
import { TcpProxy } from './tcp-proxy.ts'
import { findTcpRoute } from './tcp-route.ts'
import { downstreamContext } from './tls-context.ts'

type Hello = Extract<ClientHello, { kind: 'hello' }>

export class FrontDoor implements Guest, LinkOwner {
  readonly listener: ListenerState
  readonly peerAddress: string
  private readonly plane: DataPlane
  private readonly link: TcpLink
  /** Hello, or handshake, or both, must be over in time. */
  private readonly timer: Timer = new Timer(this)
  private gathered: Buffer = Buffer.alloc(0)
  private handshake: TLSSocket | null = null
  private over = false
  private expectsProxy: boolean
  handedOver = false

  constructor(plane: DataPlane, listener: ListenerState, link: TcpLink) {
    this.plane = plane
    this.listener = listener
    this.link = link
    this.peerAddress = link.peerAddress
    this.expectsProxy = listener.plan.listener.proxyProtocol
    link.owner = this
    plane.addGuest(this)
  }

  start(): void {
    if (!this.expectsProxy && this.listener.plan.listener.protocol === 'tcp') this.proxy('')
    else {
      this.plane.wheel.limit(this.timer, this.plane.limits.headMs)
      this.link.resume()
    }
  }

  stop(): void {
    this.destroy()
  }

  destroy(): void {
    if (this.over) return
    if (this.handshake) this.handshake.destroy()
    else this.link.destroy()
    this.leave()
  }

  onTimer(): void {
    this.destroy()
  }

  onOctets(buffer: Buffer, length: number): void {
    this.gathered = Buffer.concat([this.gathered, buffer.subarray(0, length)])
    if (this.expectsProxy && !this.readProxy()) return
    const { protocol } = this.listener.plan.listener
    if (protocol === 'http') this.serveCleartext()
    else if (protocol === 'tcp') this.proxy('')
    else if (this.gathered.length > 0) this.lookAtHello()
  }

  /** False: its header is not here yet, or is none. */
  private readProxy(): boolean {
    const header = readProxyHeader(this.gathered)
    if (header.kind === 'bad') this.destroy()
    if (header.kind !== 'header') return false
    this.expectsProxy = false
    this.gathered = this.gathered.subarray(header.length)
    if (header.address !== null) this.link.claim(header.address)
    return true
  }

  private lookAtHello(): void {
    const hello = readClientHello(this.gathered)
    if (hello.kind === 'other') this.serveCleartext()
    else if (hello.kind === 'hello') this.secure(hello)
  }

  onEnd(): void {
    this.destroy()
  }

  onDrained(): void {
    // nothing is written here
  }

  onClosed(): void {
    this.leave()
  }

  private serveCleartext(): void {
    const { plane, link, listener, gathered } = this
    const { protocol } = listener.plan.listener
    if (protocol !== 'https' && protocol !== 'http') {
      this.destroy()
      return
    }
    this.handedOver = true
    const connection = plane.serve(link, listener, null)
    this.leave()
    if (gathered.length > 0) connection.onOctets(gathered, gathered.length)
  }

  /** The certificate of the Host that the server name stands for; without one the connection is closed, as Envoy does. */
  private secure(hello: Hello): void {
    const { plan } = this.listener
    const host = plan.tlsHosts === null ? null : findHost(plan.tlsHosts, hello.serverName ?? '')
    const options = host === null ? null : acceptOptions(host, hello)
    if (host === null || options === null) {
      this.destroy()
      return
    }
    const { peerAddress } = this.link
    const handle = this.link.release()
    this.handshake = acceptTls(handle, this.gathered, options, (socket) => {
      if (socket === null) this.leave()
      else this.secured(socket, host, hello, peerAddress)
    })
  }

  private secured(socket: TLSSocket, host: HostPlan, hello: Hello, peerAddress: string): void {
    const { plane, listener } = this
    if (this.over) {
      socket.destroy()
      return
    }
    plane.wheel.touch()
    const tcp = listener.plan.tcp === null ? null : findTcpRoute(listener.plan.tcp, hello.serverName ?? '')
    this.handedOver = true
    const secure = { hostname: host.host.hostname, serverName: hello.serverName ?? '' }
    if (!tcp && socket.alpnProtocol === 'h2') {
      new Http2Session(plane, listener, socket, peerAddress, secure)
      this.leave()
      return
    }
    const link = new StreamLink(socket, this, peerAddress)
    if (tcp) new TcpProxy(plane, listener, link, tcp)
    else if (listener.plan.listener.protocol === 'https') plane.serve(link, listener, secure)
    else link.destroy()
    this.leave()
  }

  private proxy(serverName: string): void {
    const { plane, listener, link } = this
    const route = listener.plan.tcp === null ? null : findTcpRoute(listener.plan.tcp, serverName)
    if (route === null) {
      this.destroy()
      return
    }
    this.handedOver = true
    new TcpProxy(plane, listener, link, route, this.gathered)
    this.leave()
  }

  private leave(): void {
    if (this.over) return
    this.over = true
    this.plane.wheel.remove(this.timer)
    this.plane.removeGuest(this)
  }
}

/** Null: the certificate cannot be used. */
function acceptOptions({ host }: HostPlan, hello: Hello): AcceptOptions | null {
  const { tls } = host
  const secureContext = tls ? downstreamContext(tls) : null
  if (!tls || secureContext === null) return null
  // Where nothing fits, nothing is negotiated (Envoy); OpenSSL would end the handshake.
  const protocol = tls.alpn.find((name) => hello.protocols.includes(name))
  return {
    secureContext,
    requestCert: tls.ca !== undefined || tls.clientCertRequired,
    requireCert: tls.clientCertRequired,
    alpn: protocol === undefined ? [] : [protocol],
  }
}
