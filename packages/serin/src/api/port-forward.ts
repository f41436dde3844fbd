/**
 * Port forwarding in the ways clients speak it: kubectl tunnels SPDY through a WebSocket (or upgrades to SPDY itself, when it is
 * older); client libraries use a WebSocket with the subprotocol `v4.channel.k8s.io`, two channels per port, data and error, each
 * beginning with the port.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { createWebSocketStream, WebSocketServer, type WebSocket } from 'ws'
import type { KubeObject } from '../resources/object.ts'
import { StoreError } from '../store/store.ts'
import type { PodConnection } from './pods.ts'
import { serveSpdy, type SpdyStream } from './spdy.ts'

const CHANNEL_PROTOCOLS = ['v4.channel.k8s.io', 'portforward.k8s.io']
const TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io'
const SPDY_PROTOCOL = 'portforward.k8s.io'
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024
const PORTS_MAX = 32

const channels: WebSocketServer = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  maxPayload: MESSAGE_BYTES_MAX,
  handleProtocols: (offered) => CHANNEL_PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
})
/** The name of the tunnel's subprotocol is no token, which `ws` insists on: it is left out of the request and put into the answer. */
const tunnels: WebSocketServer = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  maxPayload: MESSAGE_BYTES_MAX,
})
tunnels.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${TUNNEL_PROTOCOL}`))

type Connect = (port: number) => Promise<Duplex>

/** Throws StoreError as long as nothing was answered. */
export async function servePortForward(connection: PodConnection, pod: KubeObject): Promise<void> {
  const { handlers, request, socket, head } = connection
  if (handlers?.connect === undefined) throw unavailable(handlers?.addressOf?.(pod, undefined))
  const connect: Connect = handlers.connect.bind(handlers, pod)
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  if (request.headers.upgrade?.toLowerCase() === 'spdy/3.1') return upgradeToSpdy(request, socket, connect)
  if (offered.includes(TUNNEL_PROTOCOL)) {
    delete request.headers['sec-websocket-protocol']
    tunnels.handleUpgrade(request, socket, head, (webSocket) => serveStreams(createWebSocketStream(webSocket), connect))
    return
  }
  if (!offered.some((name) => CHANNEL_PROTOCOLS.includes(name))) {
    throw new StoreError(
      'BadRequest',
      `port-forward speaks ${TUNNEL_PROTOCOL}, SPDY/3.1 and ${CHANNEL_PROTOCOLS.join(', ')}`,
    )
  }
  await serveChannels(connection, connect)
}

function unavailable(address: string | undefined): StoreError {
  const where = address === undefined ? '' : `; the pod listens on this machine at ${address}`
  return new StoreError('ServiceUnavailable', `ports of pods are not forwarded: no runtime serves pods here${where}`)
}

function upgradeToSpdy(request: IncomingMessage, socket: Duplex, connect: Connect): void {
  const versions = [request.headers['x-stream-protocol-version'] ?? []].flat().flatMap((text) => text.split(','))
  if (!versions.some((version) => version.trim() === SPDY_PROTOCOL)) {
    throw new StoreError('BadRequest', `port-forward over SPDY speaks ${SPDY_PROTOCOL}`)
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${SPDY_PROTOCOL}\r\n\r\n`,
  )
  serveStreams(socket, connect)
}

/** Every connection to a forwarded port is two streams with one `requestid`: for errors, then for data. */
function serveStreams(connection: Duplex, connect: Connect): void {
  const errors = new Map<string, SpdyStream>()
  serveSpdy(connection, (stream) => {
    const { streamtype, requestid = '', port = '' } = stream.headers
    if (streamtype === 'error') errors.set(requestid, stream)
    else void join(stream, errors.get(requestid), Number(port), connect).finally(() => errors.delete(requestid)) // Tells its errors to the client.
  })
}

async function join(stream: SpdyStream, errors: SpdyStream | undefined, port: number, connect: Connect): Promise<void> {
  const early: (Buffer | undefined)[] = []
  stream.onData = (data) => void early.push(data)
  try {
    const target = await connect(port)
    const give = (data: Buffer | undefined): void => void (data === undefined ? target.end() : target.write(data))
    early.forEach(give)
    stream.onData = give
    await new Promise<void>((resolve) => {
      target.on('data', (chunk: Buffer) => stream.write(chunk))
      target.on('error', () => target.destroy())
      target.on('close', resolve)
    })
  } catch (error) {
    errors?.write(
      Buffer.from(`error forwarding port ${port}: ${error instanceof Error ? error.message : String(error)}`),
    )
  }
  stream.end()
  errors?.end()
}

async function serveChannels({ query, request, socket, head }: PodConnection, connect: Connect): Promise<void> {
  const ports = query
    .getAll('ports')
    .flatMap((text) => text.split(','))
    .map(Number)
  const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65535
  if (ports.length === 0 || ports.length > PORTS_MAX || !ports.every(isPort)) {
    throw new StoreError('BadRequest', 'the query names no valid ports')
  }
  const targets = await Promise.all(ports.map(connect))
  channels.handleUpgrade(request, socket, head, (webSocket) => forward(webSocket, ports, targets))
}

function forward(socket: WebSocket, ports: readonly number[], targets: readonly Duplex[]): void {
  socket.binaryType = 'nodebuffer'
  for (const [index, target] of targets.entries()) {
    const port = Buffer.alloc(2)
    port.writeUInt16LE(ports[index] ?? 0)
    send(socket, index * 2, port)
    send(socket, index * 2 + 1, port)
    target.on('data', (chunk: Buffer) => send(socket, index * 2, chunk))
    target.on('error', (error) => send(socket, index * 2 + 1, Buffer.from(error.message)))
    target.on('close', () => targets.every((other) => other.destroyed) && socket.close(1000))
  }
  socket.on('message', (message: Buffer) => {
    const channel = message[0] ?? 1
    if (channel % 2 === 0) targets[channel / 2]?.write(message.subarray(1))
  })
  socket.on('close', () => targets.forEach((target) => target.destroy()))
  socket.on('error', () => socket.terminate())
}

function send(socket: WebSocket, channel: number, data: Buffer): void {
  if (socket.readyState === socket.OPEN) socket.send(Buffer.concat([Buffer.of(channel), data]))
}
