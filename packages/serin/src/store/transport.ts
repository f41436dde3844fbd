/** Requests to an API server over pooled connections. Knows URLs and tokens, no resources. */
import { readFileSync } from 'node:fs'
import { Agent as PlainAgent, type IncomingMessage, request as requestPlain } from 'node:http'
import { Agent, request } from 'node:https'
import { text } from 'node:stream/consumers'

import type { Connection } from './kubeconfig.ts'

/** A server that takes longer hangs; a watch has no such limit. */
const ANSWER_MS_MAX = 60_000
/** A peer that has vanished without a word is found out by TCP after about this long. */
const KEEPALIVE_MS = 15_000

export interface TransportRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly accept?: string
  readonly contentType?: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly signal?: AbortSignal
}

export interface TransportAnswer {
  readonly status: number
  readonly text: string
  readonly headers: IncomingMessage['headers']
}

export class Transport {
  readonly connection: Connection
  readonly #agent: Agent | PlainAgent

  constructor(connection: Connection) {
    this.connection = connection
    const { ca, cert, key, serverName, insecure } = connection
    const common = { keepAlive: true, keepAliveMsecs: KEEPALIVE_MS, noDelay: true }
    this.#agent = connection.server.startsWith('http:')
      ? new PlainAgent(common)
      : new Agent({
          ...common,
          ...(ca !== undefined && { ca }),
          ...(cert !== undefined && { cert }),
          ...(key !== undefined && { key }),
          ...(serverName !== undefined && { servername: serverName }),
          ...(insecure === true && { rejectUnauthorized: false }),
        })
  }

  /** The whole answer, whatever its status. Rejects with the socket's error when there is none. */
  async ask(path: string, options: TransportRequest = {}): Promise<TransportAnswer> {
    const response = await this.#send(path, options, ANSWER_MS_MAX)
    return { status: response.statusCode ?? 0, headers: response.headers, text: await text(response) }
  }

  /** The answer as it comes: a watch, or a log that is followed. */
  open(path: string, options: TransportRequest = {}): Promise<IncomingMessage> {
    return this.#send(path, options, 0)
  }

  close(): void {
    this.#agent.destroy()
  }

  async #send(path: string, options: TransportRequest, timeoutMs: number): Promise<IncomingMessage> {
    try {
      return await this.#sendOnce(path, options, timeoutMs)
    } catch (error) {
      // The server closed an idle connection while we took it: it has not seen the request.
      if (!(error instanceof ClosedWhileIdle)) throw error
      return this.#sendOnce(path, options, timeoutMs)
    }
  }

  #sendOnce(path: string, options: TransportRequest, timeoutMs: number): Promise<IncomingMessage> {
    const url = new URL(this.connection.server + path)
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, value)
    }
    const body = options.body === undefined ? undefined : JSON.stringify(options.body)
    const send = url.protocol === 'http:' ? requestPlain : request
    return new Promise((resolve, reject) => {
      const outgoing = send(
        url,
        {
          method: options.method ?? 'GET',
          agent: this.#agent,
          headers: this.#headers(options, body),
          ...(options.signal !== undefined && { signal: options.signal }),
        },
        resolve,
      )
      if (timeoutMs > 0) {
        outgoing.setTimeout(timeoutMs, () => outgoing.destroy(new Error(`no answer in ${timeoutMs / 1000} s`)))
      }
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        const isStale = outgoing.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
        reject(isStale ? new ClosedWhileIdle(error) : error)
      })
      outgoing.end(body)
    })
  }

  #headers({ accept, contentType }: TransportRequest, body: string | undefined): Record<string, string> {
    const { token, tokenFile } = this.connection
    const bearer = tokenFile === undefined ? token : readFileSync(tokenFile, 'utf8').trim()
    return {
      accept: accept ?? 'application/json',
      'user-agent': 'serin',
      ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
      ...(body !== undefined && {
        'content-type': contentType ?? 'application/json',
        'content-length': String(Buffer.byteLength(body)),
      }),
    }
  }
}

class ClosedWhileIdle extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause })
    this.name = 'ClosedWhileIdle'
  }
}
