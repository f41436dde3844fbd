/**
 * `kubectl exec` over WebSocket (subprotocols `v4.channel.k8s.io` and `v5.channel.k8s.io`): the first octet of every message names
 * the stream.
 */
import type { KubeObject } from '../resources/object.ts'
import { StoreError } from '../store/store.ts'
import { WebSocketServer, type WebSocket } from 'ws'
import type { ExecOptions, ExecSession, PodConnection } from './pods.ts'
import { statusOf } from './status.ts'

const STDIN = 0
const STDOUT = 1
const STDERR = 2
const ERROR = 3
const RESIZE = 4
/** Version 5: the rest of the message names a stream that its sender has ended. */
const CLOSE = 255

const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
/** A larger message ends the connection. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024
/** The output waits while this much is not sent yet. */
const UNSENT_BYTES_MAX = 1024 * 1024
const UNSENT_CHECK_MS = 5

const server: WebSocketServer = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  maxPayload: MESSAGE_BYTES_MAX,
  handleProtocols: (offered) => PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
})

/** Throws StoreError as long as nothing was answered. */
export async function serveExec(
  connection: PodConnection,
  exec: (pod: KubeObject, options: ExecOptions) => Promise<ExecSession>,
  pod: KubeObject,
  options: ExecOptions,
): Promise<void> {
  const offered = (connection.request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  if (!offered.some((name) => PROTOCOLS.includes(name))) {
    throw new StoreError('BadRequest', `exec speaks the WebSocket subprotocols ${PROTOCOLS.join(', ')}`)
  }
  const session = await exec(pod, options)
  server.handleUpgrade(connection.request, connection.socket, connection.head, (socket) => void run(socket, session)) // Ends by itself.
}

async function run(socket: WebSocket, session: ExecSession): Promise<void> {
  socket.binaryType = 'nodebuffer'
  socket.on('message', (message: Buffer) => receive(session, message))
  socket.on('close', () => session.kill())
  socket.on('error', () => socket.terminate())
  session.stdin?.on('error', () => {}) // The command does not read: what it was sent is lost, as in a pipe.
  try {
    const [code] = await Promise.all([
      session.exit,
      pump(socket, STDOUT, session.stdout),
      pump(socket, STDERR, session.stderr),
    ])
    send(socket, ERROR, Buffer.from(JSON.stringify(exitStatus(code))))
  } catch (error) {
    send(socket, ERROR, Buffer.from(JSON.stringify(statusOf(error))))
  }
  socket.close(1000)
}

function receive(session: ExecSession, message: Buffer): void {
  const [channel] = message
  const rest = message.subarray(1)
  if (channel === STDIN) session.stdin?.write(rest)
  else if (channel === CLOSE && rest[0] === STDIN) session.stdin?.end()
  else if (channel === RESIZE) resize(session, rest)
}

function resize(session: ExecSession, message: Buffer): void {
  try {
    const { Width, Height } = JSON.parse(message.toString()) as { Width: number; Height: number }
    if (Number.isInteger(Width) && Number.isInteger(Height)) session.resize?.(Width, Height)
  } catch {
    // Not a size: a terminal of the old size goes on.
  }
}

async function pump(socket: WebSocket, channel: number, source: ExecSession['stdout']): Promise<void> {
  if (source === undefined) return
  for await (const chunk of source as AsyncIterable<Buffer>) {
    send(socket, channel, chunk)
    while (socket.bufferedAmount > UNSENT_BYTES_MAX && socket.readyState === socket.OPEN) {
      await new Promise((resolve) => setTimeout(resolve, UNSENT_CHECK_MS))
    }
  }
}

function send(socket: WebSocket, channel: number, data: Buffer): void {
  if (socket.readyState === socket.OPEN) socket.send(Buffer.concat([Buffer.of(channel), data]))
}

function exitStatus(code: number): unknown {
  if (code === 0) return { metadata: {}, status: 'Success' }
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  }
}
