/** Echo servers: real upstreams on loopback that answer with what they got, and obey the request's query and headers. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server as NetServer } from 'node:net'
import type { Duplex } from 'node:stream'
import type { UpstreamRequest } from './case.ts'
import { CERTIFICATE, KEY } from './certificate.ts'

/** A request that an echo server got. */
export interface EchoRecord extends UpstreamRequest {
  readonly instance: number
}

interface Behaviour {
  readonly statuses: readonly number[]
  readonly delaysMs: readonly number[]
  readonly headers: readonly (readonly [string, string])[]
  readonly close: boolean
}

/** One server that takes another name for each case. */
export class EchoServer {
  readonly port: number
  readonly isTls: boolean
  readonly #server: NetServer
  #name = ''
  #instance = 0
  #pool: EchoPool | undefined

  private constructor(server: NetServer, isTls: boolean) {
    this.#server = server
    this.isTls = isTls
    this.port = (server.address() as AddressInfo).port
  }

  static async start(isTls: boolean): Promise<EchoServer> {
    const options = { maxHeaderSize: 128 * 1024, keepAliveTimeout: 60_000 }
    const server: Server = isTls ? createTlsServer({ ...options, cert: CERTIFICATE, key: KEY }) : createServer(options)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    const echo = new EchoServer(server, isTls)
    server.on('request', (request, response) => void echo.#answer(request, response))
    server.on('upgrade', (request, socket, head) => echo.#upgrade(request, socket, head))
    server.on('clientError', (error, socket) => echo.#refuse(error, socket))
    return echo
  }

  become(name: string, instance: number, pool: EchoPool): void {
    this.#name = name
    this.#instance = instance
    this.#pool = pool
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pool = this.#pool!
    const record = this.#record(request)
    const index = pool.records.push(record) - 1
    let bodyLength = 0
    for await (const chunk of request) bodyLength += (chunk as Buffer).length
    const complete = bodyLength === 0 ? record : { ...record, body_length: bodyLength }
    pool.records[index] = complete
    const { statuses, delaysMs, headers, close } = this.#behaviour(request)
    const attempt = pool.attempt(this.#name, request.url ?? '')
    const delayMs = delaysMs[Math.min(attempt, delaysMs.length - 1)] ?? 0
    if (delayMs > 0) await pool.sleep(delayMs)
    if (close) return void request.socket.destroy()
    const body = JSON.stringify(complete)
    const status = statuses[Math.min(attempt, statuses.length - 1)] ?? 200
    const names = [
      ['content-type', 'application/json'],
      ['content-length', String(Buffer.byteLength(body))],
      ['x-echo-service', this.#name],
      ['x-echo-record', String(index)],
      ...headers,
    ]
    response.sendDate = false
    response.writeHead(status, names.flat())
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  #record(request: IncomingMessage): EchoRecord {
    const headers: Record<string, string[]> = {}
    const names: string[] = []
    for (let index = 0; index < request.rawHeaders.length; index += 2) {
      const name = request.rawHeaders[index]!
      names.push(name)
      ;(headers[name.toLowerCase()] ??= []).push(request.rawHeaders[index + 1]!)
    }
    return {
      service: this.#name,
      method: request.method ?? '',
      path: request.url ?? '',
      headers,
      header_names: names,
      instance: this.#instance,
      ...(this.isTls && { tls: true }),
    }
  }

  #behaviour(request: IncomingMessage): Behaviour {
    const query = new URLSearchParams((request.url ?? '').split('?')[1] ?? '')
    const asked = (name: string): string[] => {
      const values = request.headers[name]
      const list = values === undefined ? [] : [values].flat()
      return list.flatMap((value) => this.#mine(value))
    }
    const numbers = (text: string | null | undefined): number[] => (text == null ? [] : text.split(',').map(Number))
    const headers = [...query.getAll('rh'), ...asked('x-echo-rh')].map((text): [string, string] => {
      const colon = text.indexOf(':')
      return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()]
    })
    const [status] = asked('x-echo-status')
    const [delay] = asked('x-echo-delay-ms')
    return {
      statuses: numbers(status ?? query.get('status_seq') ?? query.get('status')),
      delaysMs: numbers(delay ?? query.get('delay_seq') ?? query.get('delay_ms')),
      headers,
      close: query.get('close') === '1',
    }
  }

  /** `401@auth:3000` is for that service only. */
  #mine(value: string): string[] {
    const [, text, service] = /^(.*)@([^@/\s]+:\d+)$/.exec(value) ?? []
    if (service === undefined) return [value]
    return service === this.#name ? [text!] : []
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const index = this.#pool!.records.push(this.#record(request)) - 1
    socket.on('error', () => socket.destroy())
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
      socket.end(
        `HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-echo-service: ${this.#name}\r\nx-echo-record: ${index}\r\nconnection: close\r\n\r\n`,
      )
      return
    }
    const lines = [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `x-echo-service: ${this.#name}`,
      `x-echo-record: ${index}`,
    ]
    if (request.headers['sec-websocket-key'] !== undefined)
      lines.push('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    if (head.length > 0) socket.write(head)
    socket.pipe(socket)
  }

  #refuse(error: Error & { rawPacket?: Buffer }, socket: Duplex): void {
    if (error.rawPacket?.toString('latin1').startsWith('PRI * HTTP/2.0') === true) {
      this.#pool?.records.push({ service: this.#name, method: 'PRI', path: '*', headers: {}, instance: this.#instance })
    }
    socket.destroy()
  }

  async stop(): Promise<void> {
    ;(this.#server as Server).closeAllConnections()
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
  }
}

/** The echo servers of one lane of cases. */
export class EchoPool {
  records: EchoRecord[] = []
  readonly #free = new Map<boolean, EchoServer[]>([
    [true, []],
    [false, []],
  ])
  #used: EchoServer[] = []
  #attempts = new Map<string, number>()
  readonly #sleeps = new Set<NodeJS.Timeout>()

  /** A server that answers under this name. */
  async take(name: string, instance: number, isTls: boolean): Promise<EchoServer> {
    const server = this.#free.get(isTls)!.pop() ?? (await EchoServer.start(isTls))
    server.become(name, instance, this)
    this.#used.push(server)
    return server
  }

  /** Forgets names and requests; the servers can be taken again. */
  reset(): void {
    for (const server of this.#used) this.#free.get(server.isTls)!.push(server)
    this.#used = []
    this.records = []
    this.#attempts = new Map()
  }

  /** How many requests of this `seq_id` the service had before. */
  attempt(service: string, url: string): number {
    const id = new URLSearchParams(url.split('?')[1] ?? '').get('seq_id') ?? url
    const key = `${service} ${id}`
    const attempt = this.#attempts.get(key) ?? 0
    this.#attempts.set(key, attempt + 1)
    return attempt
  }

  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#sleeps.delete(timer)
        resolve()
      }, ms)
      this.#sleeps.add(timer)
    })
  }

  async stop(): Promise<void> {
    for (const timer of this.#sleeps) clearTimeout(timer)
    const all = [...this.#used, ...[...this.#free.values()].flat()]
    await Promise.all(all.map((server) => server.stop()))
  }
}
