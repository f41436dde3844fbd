/**
 * Port forwarding over WebSocket with the subprotocol `v4.channel.k8s.io`, as the client libraries speak it: two streams per port,
 * data and error, each beginning with the port. kubectl tunnels SPDY through a WebSocket instead: refused, with the pod's address.
 */
import type { Duplex } from 'node:stream'
import type { KubeObject } from '../resources/object.ts'
import { StoreError } from '../store/store.ts'
import { WebSocketServer, type WebSocket } from 'ws'
import type { PodConnection } from './pods.ts'

const PROTOCOLS = ['v4.channel.k8s.io', 'portforward.k8s.io']
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024
const PORTS_MAX = 32

const server: WebSocketServer = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  maxPayload: MESSAGE_BYTES_MAX,
  handleProtocols: (offered) => PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
})

/** Throws StoreError as long as nothing was answered. */
export async function servePortForward(
  { handlers, query, request, socket, head }: PodConnection,
  pod: KubeObject,
): Promise<void> {
  const ports = query
    .getAll('ports')
    .flatMap((text) => text.split(','))
    .map(Number)
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  const isSpoken = offered.some((name) => PROTOCOLS.includes(name))
  if (handlers?.connect === undefined || !isSpoken) {
    const address = handlers?.addressOf?.(pod, ports[0])
    throw new StoreError(
      'BadRequest',
      address === undefined
        ? 'port-forward is not served over SPDY; a pod here listens on an address of this machine: see its status.podIP and ports'
        : `port-forward is not served over SPDY and not needed here: the pod listens on this machine at ${address}`,
    )
  }
  if (
    ports.length === 0 ||
    ports.length > PORTS_MAX ||
    ports.some((port) => !Number.isInteger(port) || port < 1 || port > 65535)
  ) {
    throw new StoreError('BadRequest', 'the query names no valid ports')
  }
  const connect = handlers.connect.bind(handlers)
  const targets = await Promise.all(ports.map((port) => connect(pod, port)))
  server.handleUpgrade(request, socket, head, (webSocket) => forward(webSocket, ports, targets))
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
