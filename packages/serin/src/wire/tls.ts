/** TLS on both sides, by Node's own module: a connection that has begun becomes a secure one; a new one is opened secure. */
import { Socket } from 'node:net'
import { connect, type SecureContext, TLSSocket } from 'node:tls'
import type { Link, LinkOwner } from './link.ts'
import { StreamLink } from './stream-link.ts'
import type { TcpHandle } from './tcp.ts'

export interface AcceptOptions {
  readonly secureContext: SecureContext
  /** Ask for a client certificate; one that is given must be good. */
  readonly requestCert: boolean
  /** … and one must be given. */
  readonly requireCert: boolean
  readonly alpn: readonly string[]
}

/** A `net.Socket` on a handle that has been read: `octets` came first. */
export function socketOf(handle: TcpHandle, octets: Buffer): Socket {
  const options = { handle, readable: true, writable: true, allowHalfOpen: true, manualStart: true }
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0])
  if (octets.length > 0) socket.unshift(octets)
  return socket
}

/**
 * Does the server's side of the handshake whose first octets have been read already. `done` is called once, with the socket or with
 * null; the caller ends a handshake that takes too long by destroying what is returned.
 */
export function acceptTls(
  handle: TcpHandle,
  octets: Buffer,
  options: AcceptOptions,
  done: (socket: TLSSocket | null) => void,
): TLSSocket {
  const socket = new TLSSocket(socketOf(handle, octets), {
    isServer: true,
    secureContext: options.secureContext,
    requestCert: options.requestCert,
    rejectUnauthorized: options.requireCert,
    ...(options.alpn.length > 0 && { ALPNProtocols: [...options.alpn] }),
  })
  let open = true
  const settle = (secured: TLSSocket | null): void => {
    if (!open) return
    open = false
    if (secured === null) socket.destroy()
    done(secured)
  }
  socket.once('secure', () => {
    // `tls.Server` would say so; node:http2 waits for it.
    ;(socket as unknown as { secureConnecting: boolean }).secureConnecting = false
    settle(isTrusted(socket, options) ? socket : null)
  })
  socket.on('error', () => settle(null))
  socket.once('close', () => settle(null))
  return socket
}

/** OpenSSL's verdict on the client's certificate: Node leaves it to whoever made the TLSSocket. */
function isTrusted(socket: TLSSocket, { requestCert, requireCert }: AcceptOptions): boolean {
  if (!requestCert) return true
  const given = Object.keys(socket.getPeerCertificate()).length > 0
  if (!given) return !requireCert
  const { _handle: handle } = socket as unknown as { readonly _handle: { verifyError(): Error | null } | null }
  return handle !== null && handle.verifyError() == null
}

export interface OriginateOptions {
  readonly secureContext: SecureContext
  /** '' sends none. */
  readonly serverName: string
  /** The chain is checked against the context's CA; the name in the certificate is not, as in Envoy without a SAN match. */
  readonly verify: boolean
  readonly alpn: readonly string[]
}

/** Opens a secure connection; as `connectTcp`. `error` is 0, or -1 whatever went wrong. */
export function connectTls(
  address: string,
  port: number,
  options: OriginateOptions,
  owner: LinkOwner,
  connected: (link: Link, error: number) => void,
): Link {
  const socket = connect({
    host: address,
    port,
    secureContext: options.secureContext,
    servername: options.serverName,
    rejectUnauthorized: options.verify,
    checkServerIdentity: () => undefined,
    ...(options.alpn.length > 0 && { ALPNProtocols: [...options.alpn] }),
  })
  socket.setNoDelay(true)
  const link = new StreamLink(socket, WAITING)
  let open = true
  const settle = (error: number): void => {
    if (!open) return
    open = false
    link.owner = owner
    connected(link, error)
  }
  socket.once('secureConnect', () => settle(0))
  socket.once('error', () => settle(-1))
  socket.once('close', () => settle(-1))
  return link
}

/** Until the handshake is done nobody hears of the connection. */
const WAITING: LinkOwner = {
  onOctets() {
    // handshake
  },
  onEnd() {
    // 'close' follows
  },
  onDrained() {
    // nothing was written
  },
  onClosed() {
    // told by `connected`
  },
}
