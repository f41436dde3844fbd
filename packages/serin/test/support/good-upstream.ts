/** An ordinary server that says who it is, and remembers what it was asked. */
import http from 'node:http'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'

export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: http.IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}

export class GoodUpstream {
  readonly seen: Seen[] = []
  readonly sockets: Set<Socket> = new Set<Socket>()
  /** Replaces the answer. */
  answer: ((request: http.IncomingMessage, response: http.ServerResponse, body: Buffer) => void) | null = null
  readonly server: http.Server
  private readonly version: string

  constructor(version: string) {
    this.version = version
    this.server = http.createServer(
      { keepAliveTimeout: 120_000 },
      (request, response) => void this.take(request, response),
    )
    this.server.on('connection', (socket) => {
      this.sockets.add(socket)
      socket.on('close', () => this.sockets.delete(socket))
    })
  }

  async listen(port = 0): Promise<number> {
    this.server.listen(port, '127.0.0.1')
    await once(this.server, 'listening')
    return this.port
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.server.close()
    await once(this.server, 'close')
  }

  private async take(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      return
    }
    const body = Buffer.concat(chunks)
    this.seen.push({
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      body,
    })
    response.setHeader('x-version', this.version)
    if (this.answer) this.answer(request, response, body)
    else response.end(`${this.version} ${request.url}`)
  }
}
