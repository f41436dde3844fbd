/** The server's side of a connection with a handler of our own behind it, over real sockets in this process. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { once } from 'node:events'
import { afterEach, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { FAULTS, type Fault } from './fault.ts'
import { Head } from './head.ts'
import { DEFAULT_LIMITS, type Limits } from './limits.ts'
import { OutBuffer } from './out-buffer.ts'
import { type RequestHandler, ServerConnection, type ServerContext } from './server-connection.ts'
import { type TcpHandle, TcpLink } from './tcp.ts'
import { TimerWheel } from './timer-wheel.ts'

/** Answers what it is asked, or does as it is told. */
class Answering implements RequestHandler {
  readonly connection: ServerConnection
  readonly seen: string[]
  private readonly out = new OutBuffer(4096)
  private target = ''
  private body = ''

  constructor(connection: ServerConnection, seen: string[]) {
    this.connection = connection
    this.seen = seen
  }

  onRequest(head: Head): void {
    this.target = head.buffer.toString('latin1', head.targetStart, head.targetEnd)
    if (this.target === '/throw') throw new Error('on purpose')
    if (this.target === '/at-once') this.answer('200 OK')
  }

  onRefused(fault: Fault): void {
    this.answer(`${fault.status} ${fault.code}`)
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    this.body += buffer.toString('latin1', start, end)
  }

  onBodyEnd(): void {
    if (this.target !== '/at-once') this.answer('200 OK')
  }

  onBodyFault(fault: Fault): void {
    this.answer(`${fault.status} ${fault.code}`)
  }

  onReadDone(): void {
    // everything is sent at once
  }

  onClientGone(fault: Fault): void {
    this.seen.push(`gone: ${fault.code}`)
  }

  onClientDrained(): void {
    // nothing waits
  }

  private answer(status: string): void {
    this.seen.push(`${this.target} ${this.body}`)
    const close = this.connection.keepsAlive ? '' : 'connection: close\r\n'
    this.out.latin1(`HTTP/1.1 ${status}\r\n${close}content-length: 0\r\n\r\n`)
    this.connection.write(this.out)
    this.connection.finish()
  }
}

let server: net.Server | undefined
let connections: ServerConnection[] = []

afterEach(() => {
  server?.close()
  for (const connection of connections) connection.destroy()
  connections = []
})

/** Listens with `limits`; returns the port and what the handlers saw. */
async function serve(
  limits: Partial<Limits> = {},
): Promise<{ readonly port: number; readonly seen: string[]; readonly bugs: unknown[] }> {
  const seen: string[] = []
  const bugs: unknown[] = []
  const context: ServerContext = {
    limits: { ...DEFAULT_LIMITS, ...limits },
    wheel: new TimerWheel(),
    head: new Head(DEFAULT_LIMITS.fieldsMax),
    handlerFor: (connection) => new Answering(connection, seen),
    onConnectionClosed: () => seen.push('closed'),
    onBug: (error) => bugs.push(error),
  }
  server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  // As the worker does: the handle itself, without a net.Socket around it.
  const handle = (server as unknown as { readonly _handle: TcpHandle })._handle
  handle.onconnection = (_status, client) => {
    const connection = new ServerConnection(new TcpLink(client), context)
    connections.push(connection)
    connection.start()
  }
  return { port: (server.address() as net.AddressInfo).port, seen, bugs }
}

async function talk(port: number, text: string, end = true): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1' })
  let received = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    received += chunk
  })
  socket.write(text, 'latin1')
  if (end) socket.end()
  await once(socket, 'close')
  return received
}

/** The client sees the end before the server has noted it. */
async function closed(seen: readonly string[], times = 1): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop
  while (seen.filter((what) => what === 'closed').length < times) await pause(5)
}

test('requests in one read are answered in order, each with its own body', async () => {
  const { port, seen } = await serve()
  const answer = await talk(
    port,
    'POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\noneGET /2 HTTP/1.1\r\nHost: a\r\n\r\n',
  )
  assert.equal(answer.split('HTTP/1.1 200 OK').length - 1, 2)
  await closed(seen)
  assert.deepEqual(seen, ['/1 one', '/2 ', 'closed'])
})

test('hundreds of pipelined requests are all answered, with others served in between', async () => {
  const { port, seen } = await serve({ pipelinedRequestsMax: 4 })
  const many = talk(port, 'GET /many HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(500))
  while (seen.length === 0) {
    // oxlint-disable-next-line no-await-in-loop
    await pause(0)
  }
  await talk(port, 'GET /other HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.equal((await many).split('HTTP/1.1 200 OK').length - 1, 500)
  assert.equal(seen.filter((what) => what === '/many ').length, 500)
})

test('a body that nobody wants is read away, and the next request found behind it', async () => {
  const { port, seen } = await serve()
  const body = 'GET /evil HTTP/1.1\r\nHost: a\r\n\r\n'
  await talk(
    port,
    `POST /at-once HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}GET /2 HTTP/1.1\r\nHost: a\r\n\r\n`,
  )
  await closed(seen)
  assert.deepEqual(seen, ['/at-once ', '/2 ', 'closed'])
})

test('a body too large to be read away ends the connection with the answer', async () => {
  const { port, seen } = await serve({ drainBytesMax: 10 })
  const answer = await talk(port, 'POST /at-once HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n123', false)
  assert.match(answer, /connection: close/)
  await closed(seen)
  assert.deepEqual(seen, ['/at-once ', 'closed'])
})

test('so many requests and no more are taken on one connection', async () => {
  const { port, seen } = await serve({ requestsPerConnectionMax: 2 })
  await talk(port, 'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3), false)
  await closed(seen)
  assert.deepEqual(seen, ['/1 ', '/1 ', 'closed'])
})

test('a bug met by one connection closes it; the others serve on', async () => {
  const { port, seen, bugs } = await serve()
  const answer = await talk(port, 'GET /throw HTTP/1.1\r\nHost: a\r\n\r\n', false)
  assert.equal(answer, '')
  assert.equal(bugs.length, 1)
  await closed(seen)
  assert.deepEqual(seen, ['closed', `gone: ${FAULTS.internal.code}`])
  assert.match(await talk(port, 'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 200 OK/)
})

test('a connection without a request is closed when its time is over; one with part of a head gets 408', async () => {
  const { port, seen } = await serve({ headMs: 60, idleMs: 60 })
  assert.equal(await talk(port, '', false), '')
  assert.match(await talk(port, 'GET / HT', false), /^HTTP\/1\.1 408 head-timeout/)
  await closed(seen, 2)
  assert.deepEqual(seen, ['closed', ' ', 'closed'])
})

test('a stopping connection that is idle closes; one that is not answers first', async () => {
  const { port, seen } = await serve()
  const idle = talk(port, '', false)
  const busy = talk(port, 'POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe', false)
  while (connections.length < 2 || connections.every(({ state }) => state !== 'exchange')) {
    // oxlint-disable-next-line no-await-in-loop
    await pause(5)
  }
  for (const connection of connections) connection.stop()
  assert.equal(await idle, '')
  connections.find(({ state }) => state === 'exchange')!.destroy()
  await busy
  await closed(seen, 2)
})
