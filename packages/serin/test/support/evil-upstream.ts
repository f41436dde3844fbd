/** An upstream that notes every octet it gets, answers well by default, and does as it is told otherwise. */
import net from 'node:net'
import { once } from 'node:events'

/** What the upstream does with the next connection's first request. */
export interface Script {
  /** Octets, latin1. */
  readonly raw: string
  /** When they are sent: at accept, when the head is there, or when the whole request is. */
  readonly when: 'accept' | 'head' | 'request'
  readonly end: 'keep' | 'close' | 'rst'
  /** Sent later, on the idle connection. */
  readonly idleRaw?: string
}

export interface UpstreamConnection {
  /** All octets received, latin1. */
  received: string
  /** Requests that were answered. */
  answered: number
  closed: boolean
  readonly socket: net.Socket
}

const IDLE_RAW_MS = 60

export class EvilUpstream {
  readonly connections: UpstreamConnection[] = []
  script: Script | null = null
  /** Octets of the answer to `/big`. */
  bigBytes: number = 8 * 1024 * 1024
  private readonly server: net.Server = net.createServer({ allowHalfOpen: false }, (socket) => this.accepted(socket))

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    return (this.server.address() as net.AddressInfo).port
  }

  get port(): number {
    return (this.server.address() as net.AddressInfo).port
  }

  /** What every connection since `reset` has received. */
  get received(): string {
    return this.connections.map((connection) => connection.received).join('')
  }

  /** Forgets what was; open connections stay with their future octets. */
  reset(): void {
    for (const connection of this.connections) connection.received = ''
    this.connections.splice(0, this.connections.length, ...this.connections.filter((connection) => !connection.closed))
    this.script = null
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy()
    this.server.close()
    await once(this.server, 'close')
  }

  private accepted(socket: net.Socket): void {
    const connection: UpstreamConnection = { received: '', answered: 0, closed: false, socket }
    this.connections.push(connection)
    socket.setNoDelay(true)
    let pending = ''
    if (this.script?.when === 'accept') this.play(connection, this.takeScript()!)
    socket.on('data', (octets: Buffer) => {
      const text = octets.toString('latin1')
      connection.received += text
      pending = this.answer(connection, pending + text)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      connection.closed = true
    })
  }

  private takeScript(): Script | null {
    const { script } = this
    this.script = null
    return script
  }

  /** Answers the requests that `pending` begins with; returns what is left. Tolerant on purpose: it reads what it can. */
  private answer(connection: UpstreamConnection, pending: string): string {
    let rest = pending
    for (;;) {
      const headEnd = rest.indexOf('\r\n\r\n')
      if (headEnd < 0) return rest
      const head = rest.slice(0, headEnd + 2)
      if (this.script?.when === 'head') {
        this.play(connection, this.takeScript()!)
        connection.answered++
        return ''
      }
      const bodyEnd = endOfBody(rest, head, headEnd + 4)
      if (bodyEnd < 0) return rest
      connection.answered++
      if (this.script?.when === 'request') this.play(connection, this.takeScript()!)
      else this.answerWell(connection, head)
      rest = rest.slice(bodyEnd)
    }
  }

  private answerWell({ socket }: UpstreamConnection, head: string): void {
    const [method = '', target = ''] = head.split(' ')
    if (target.endsWith('/big')) {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${this.bigBytes}\r\n\r\n`)
      socket.write(Buffer.alloc(this.bigBytes, 'b'))
      return
    }
    const body = `ok ${method} ${target}`
    socket.write(
      `HTTP/1.1 200 OK\r\nX-Answer: ${target}\r\nContent-Length: ${body.length}\r\n\r\n${method === 'HEAD' ? '' : body}`,
      'latin1',
    )
  }

  private play({ socket }: UpstreamConnection, script: Script): void {
    const { raw, end, idleRaw } = script
    if (raw !== '') socket.write(raw, 'latin1')
    if (idleRaw !== undefined) setTimeout(() => socket.write(idleRaw, 'latin1'), IDLE_RAW_MS)
    if (end === 'close') socket.end()
    // A moment, so that the octets arrive before the reset takes them back.
    else if (end === 'rst') setTimeout(() => socket.resetAndDestroy(), 20)
  }
}

function endOfBody(text: string, head: string, start: number): number {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length !== undefined) return text.length >= start + Number(length) ? start + Number(length) : -1
  if (!/\r\ntransfer-encoding:[^\r]*chunked/i.test(head)) return start
  for (let at = start; ;) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd < 0) return -1
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    if (size === 0) {
      const end = text.indexOf('\r\n\r\n', lineEnd)
      return end < 0 ? -1 : end + 4
    }
    at = lineEnd + 2 + size + 2
    if (Number.isNaN(at) || at > text.length) return -1
  }
}
