/**
 * Clients that keep asking, as the demo and the tests need them: on raw sockets, so that a reset, a refused connection
 * and a late answer are seen as what they are and are never retried in silence.
 */
import { connect, type Socket } from 'node:net'

/** Longer than any answer of an example may take; then the request counts as failed. */
const ANSWER_MS_MAX = 10_000
/** Why requests failed: only so many different reasons are kept. */
const REASONS_MAX = 20

export interface LoadOptions {
  readonly host: string
  readonly port: number
  readonly path: string
  /** keep-alive: one connection for many requests; close: a new connection for each. */
  readonly connection: 'keep-alive' | 'close'
  readonly clients: number
  /** Pause between two requests of one client. Default: 0. */
  readonly pauseMs?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sees every answer. */
  readonly onAnswer?: (answer: Answer) => void
}

export interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
  /** `performance.now()` just before the request was written. */
  readonly sentAtMs: number
  readonly latencyMs: number
}

export interface LoadResult {
  readonly requests: number
  readonly failed: number
  readonly reasons: readonly string[]
}

export interface Load {
  readonly requests: number
  readonly failed: number
  /** Answers by their bodies. */
  readonly bodies: ReadonlyMap<string, number>
  /** Lets the requests under way finish. */
  stop(): Promise<LoadResult>
}

class Counts implements Load {
  requests = 0
  failed = 0
  stopping = false
  readonly bodies: Map<string, number> = new Map()
  readonly reasons: Map<string, number> = new Map()
  clients: Promise<unknown> = Promise.resolve()

  async stop(): Promise<LoadResult> {
    this.stopping = true
    await this.clients
    return {
      requests: this.requests,
      failed: this.failed,
      reasons: [...this.reasons].map(([reason, count]) => `${count} × ${reason}`),
    }
  }

  answered(answer: Answer): void {
    this.requests++
    if (answer.status >= 500) this.#fail(`${answer.status} ${answer.body.trim()}`)
    this.bodies.set(answer.body, (this.bodies.get(answer.body) ?? 0) + 1)
  }

  broke(error: Error): void {
    this.requests++
    this.#fail((error as NodeJS.ErrnoException).code ?? error.message)
  }

  #fail(reason: string): void {
    this.failed++
    if (this.reasons.size < REASONS_MAX || this.reasons.has(reason)) {
      this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1)
    }
  }
}

/** Starts the clients; they ask until they are stopped. */
export function startLoad(options: LoadOptions): Load {
  const counts = new Counts()
  counts.clients = Promise.all(Array.from({ length: options.clients }, () => runClient(options, counts)))
  return counts
}

async function runClient(options: LoadOptions, counts: Counts): Promise<void> {
  let connection: Connection | undefined
  while (!counts.stopping) {
    try {
      connection ??= await Connection.open(options)
      const answer = await connection.ask(requestText(options))
      counts.answered(answer)
      options.onAnswer?.(answer)
      if (options.connection === 'close' || /^connection: close$/im.test(answer.head)) {
        connection.end()
        connection = undefined
      }
    } catch (error) {
      counts.broke(error as Error)
      connection?.end()
      connection = undefined
      // A gateway that is not there must not make this a busy loop.
      await pause(10)
    }
    if ((options.pauseMs ?? 0) > 0) await pause(options.pauseMs!)
  }
  connection?.end()
}

/** Asks once, on a connection of its own. */
export async function askOnce(options: Pick<LoadOptions, 'host' | 'port' | 'path' | 'headers'>): Promise<Answer> {
  const connection = await Connection.open(options)
  try {
    return await connection.ask(requestText({ ...options, connection: 'close' }))
  } finally {
    connection.end()
  }
}

/** Asks `count` times, one after the other, over one connection. */
export async function askMany(
  options: Pick<LoadOptions, 'host' | 'port' | 'path' | 'headers'> & { readonly count: number },
): Promise<readonly Answer[]> {
  const connection = await Connection.open(options)
  try {
    const answers: Answer[] = []
    const text = requestText({ ...options, connection: 'keep-alive' })
    for (let index = 0; index < options.count; index++) answers.push(await connection.ask(text))
    return answers
  } finally {
    connection.end()
  }
}

function requestText(options: Pick<LoadOptions, 'host' | 'port' | 'path' | 'headers' | 'connection'>): string {
  const headers = { host: `${options.host}:${options.port}`, connection: options.connection, ...options.headers }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${options.path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

/** One connection, one request at a time. Understands what the examples answer: Content-Length or chunked. */
class Connection {
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void; sentAtMs: number } | undefined
  #broken: Error | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#look()
    })
    socket.on('error', (error) => this.#break(error))
    socket.on('close', () => this.#break(new Error('connection closed without an answer')))
    socket.setTimeout(ANSWER_MS_MAX, () => {
      if (this.#waiting !== undefined) socket.destroy(new Error(`no answer in ${ANSWER_MS_MAX / 1000} s`))
    })
  }

  static open({ host, port }: { host: string; port: number }): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new Connection(socket))
      })
    })
  }

  ask(text: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) {
        reject(this.#broken)
        return
      }
      this.#waiting = { resolve, reject, sentAtMs: performance.now() }
      this.#socket.write(text)
    })
  }

  end(): void {
    this.#socket.destroy()
  }

  #look(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    const found = readAnswer(this.#received)
    if (found === undefined) return
    this.#received = this.#received.subarray(found.bytes)
    this.#waiting = undefined
    const { sentAtMs } = waiting
    waiting.resolve({ ...found.answer, sentAtMs, latencyMs: performance.now() - sentAtMs })
  }

  #break(error: Error): void {
    this.#broken ??= error
    this.#waiting?.reject(this.#broken)
    this.#waiting = undefined
  }
}

interface Found {
  readonly bytes: number
  readonly answer: Pick<Answer, 'status' | 'head' | 'body'>
}

function readAnswer(received: Buffer): Found | undefined {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const head = received.toString('latin1', 0, headEnd)
  const status = Number(head.slice(9, 12))
  const length = /^content-length: *(\d+)/im.exec(head)?.[1]
  const start = headEnd + 4
  if (length !== undefined) {
    const end = start + Number(length)
    if (received.length < end) return undefined
    return { bytes: end, answer: { status, head, body: received.toString('utf8', start, end) } }
  }
  if (/^transfer-encoding: *chunked/im.test(head)) return readChunked(received, { status, head, start })
  return { bytes: start, answer: { status, head, body: '' } }
}

function readChunked(
  received: Buffer,
  { status, head, start }: { status: number; head: string; start: number },
): Found | undefined {
  let at = start
  let body = ''
  for (;;) {
    const lineEnd = received.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(received.toString('latin1', at, lineEnd), 16)
    const next = lineEnd + 2 + size + 2
    if (received.length < next) return undefined
    body += received.toString('utf8', lineEnd + 2, lineEnd + 2 + size)
    at = next
    if (size === 0) return { bytes: at, answer: { status, head, body } }
  }
}
