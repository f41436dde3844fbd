/** A client that sends octets as they are and reads the answer as it is. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { gunzipSync } from 'node:zlib'
import type { CaseRequest, HeaderList } from './case.ts'

export interface Answer {
  readonly status: number
  readonly headers: HeaderList
  readonly body: string
}

export interface ConnectOptions {
  readonly host: string
  readonly port: number
  readonly source: string
  readonly tls?: CaseRequest['tls']
}

/** Nothing takes longer; a case that hangs fails. */
const ANSWER_MS_MAX = 10_000

export class ConnectionFailure extends Error {
  readonly kind: 'refused' | 'tls' | 'closed'

  constructor(kind: ConnectionFailure['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

export class RawConnection {
  readonly #socket: Socket
  #buffer: Buffer = Buffer.alloc(0)
  #ended = false
  #wake: (() => void) | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
      this.#wake?.()
    })
    const end = (): void => {
      this.#ended = true
      this.#wake?.()
    }
    socket.on('end', end).on('close', end).on('error', end)
  }

  static async open({ host, port, source, tls }: ConnectOptions): Promise<RawConnection> {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const plain = connect({ host, port, localAddress: source, noDelay: true })
      plain.once('connect', () => resolve(plain))
      plain.once('error', (error) => reject(new ConnectionFailure('refused', error.message)))
    })
    if (tls === undefined) return new RawConnection(socket)
    const secure = await new Promise<TLSSocket>((resolve, reject) => {
      const fail = (error?: Error): void =>
        reject(new ConnectionFailure('tls', error?.message ?? 'closed in the handshake'))
      const wrapped = connectTls({
        socket,
        rejectUnauthorized: false,
        ...(tls.sni !== undefined && { servername: tls.sni }),
        ...(tls.max_version !== undefined && { maxVersion: `TLSv${tls.max_version}` as 'TLSv1.2' }),
        ...(tls.alpn !== undefined && { ALPNProtocols: [...tls.alpn] }),
      })
      wrapped.once('secureConnect', () => resolve(wrapped))
      wrapped.once('error', fail)
      wrapped.once('close', () => fail())
    })
    return new RawConnection(secure)
  }

  /** Of a TLS connection. */
  get session(): { certificate: string; tls_version: string | null; alpn: string | null } {
    const socket = this.#socket as TLSSocket
    const { alpnProtocol } = socket
    return {
      certificate: String(socket.getPeerCertificate().subject.CN),
      tls_version: socket.getProtocol(),
      alpn: typeof alpnProtocol === 'string' ? alpnProtocol : null,
    }
  }

  async exchange(octets: Buffer, method: string): Promise<Answer> {
    this.#socket.write(octets)
    return this.#readAnswer(method)
  }

  /** After a 101: sends, and reads as many octets back. */
  async echo(text: string): Promise<string> {
    const octets = Buffer.from(text, 'latin1')
    this.#socket.write(octets)
    return (await this.#take(octets.length)).toString('latin1')
  }

  close(): void {
    this.#socket.destroy()
  }

  async #readAnswer(method: string): Promise<Answer> {
    const head = await this.#readHead()
    const [statusLine = '', ...lines] = head.split('\r\n')
    const status = Number(statusLine.split(' ')[1])
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    })
    if (status >= 100 && status < 200 && status !== 101) return this.#readAnswer(method)
    const body = await this.#readBody(status, headers, method)
    const text = (valueOf(headers, 'content-encoding') === 'gzip' ? gunzipSync(body) : body).toString('utf8')
    return { status, headers, body: text }
  }

  async #readHead(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf('\r\n\r\n')
      if (end !== -1) return (await this.#take(end + 4)).toString('latin1').slice(0, -4)
      if (this.#ended) throw new ConnectionFailure('closed', 'no answer')
      await this.#more()
    }
  }

  async #readBody(status: number, headers: HeaderList, method: string): Promise<Buffer> {
    if (method === 'HEAD' || status === 204 || status === 304 || status === 101) return Buffer.alloc(0)
    if (valueOf(headers, 'transfer-encoding') === 'chunked') return this.#readChunks()
    const length = valueOf(headers, 'content-length')
    if (length !== undefined) return this.#take(Number(length))
    while (!this.#ended) await this.#more()
    return this.#take(this.#buffer.length)
  }

  async #readChunks(): Promise<Buffer> {
    const parts: Buffer[] = []
    for (;;) {
      const size = Number.parseInt(await this.#readLine(), 16)
      if (size > 0) parts.push(await this.#take(size))
      else while ((await this.#readLine()) !== '');
      if (size === 0) return Buffer.concat(parts)
      await this.#readLine()
    }
  }

  async #readLine(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf('\r\n')
      if (end !== -1) return (await this.#take(end + 2)).toString('latin1').slice(0, -2)
      if (this.#ended) throw new ConnectionFailure('closed', 'the answer was cut off')
      await this.#more()
    }
  }

  async #take(length: number): Promise<Buffer> {
    while (this.#buffer.length < length) {
      if (this.#ended) throw new ConnectionFailure('closed', 'the answer was cut off')
      await this.#more()
    }
    const taken = this.#buffer.subarray(0, length)
    this.#buffer = this.#buffer.subarray(length)
    return taken
  }

  async #more(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve
        timer = setTimeout(() => reject(new Error('no answer in time')), ANSWER_MS_MAX)
      })
    } finally {
      clearTimeout(timer)
    }
  }
}

export function valueOf(headers: HeaderList, name: string): string | undefined {
  return headers.find(([key]) => key.toLowerCase() === name)?.[1]
}

/** The request's octets, `{i}` replaced. */
export function octetsOf(request: CaseRequest, index: number): Buffer {
  if (request.raw !== undefined) return Buffer.from(request.raw, 'latin1')
  const { method = 'GET', path = '/', http = '1.1', headers = [], body, fill } = request
  const lines = [`${method} ${path} HTTP/${http}`, ...headers.map(([name, value]) => `${name}: ${value}`)]
  if (fill !== undefined) lines.push(`${fill.header}: ${'x'.repeat(fill.length)}`)
  if (body !== undefined) lines.push(`content-length: ${Buffer.byteLength(body)}`)
  const text = `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`
  return Buffer.from(text.replaceAll('{i}', String(index)), 'latin1')
}
