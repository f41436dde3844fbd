/** The console port: plain HTTP for people and scrapers on this machine. `/metrics`, `/livez`, `/readyz`, and a page of text. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

import { formatAddress, type HostPort, isLoopback, listenOn } from './host-port.ts'
import { CONTENT_TYPE } from './metrics/prometheus.ts'

/** Ports after the default one that are tried when it is taken and none was asked for. */
const FREE_PORT_TRIES_MAX = 100
const HEADERS_MS_MAX = 10_000

export interface ConsoleOptions {
  readonly address: HostPort
  /** Takes the next free port instead of failing. */
  readonly anyPort: boolean
  readonly metrics: () => Promise<string>
  /** undefined: ready; else why not. */
  readonly notReadyBecause: () => string | undefined
  /** The text of `/`. */
  readonly page: () => string
}

export interface Console {
  readonly address: HostPort
  stop(): Promise<void>
}

export async function startConsole(options: ConsoleOptions): Promise<Console> {
  const server = createServer((request, response) => {
    void answer(options, request, response).catch(() => {
      response.statusCode = 500
      response.end()
    })
  })
  server.headersTimeout = HEADERS_MS_MAX
  const port = await listen(server, options)
  return {
    address: { host: options.address.host, port },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function listen(server: Server, { address, anyPort }: ConsoleOptions): Promise<number> {
  for (let tries = 0; ; tries++) {
    try {
      return await listenOn(server, { host: address.host, port: address.port === 0 ? 0 : address.port + tries })
    } catch (error) {
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      if (!taken || !anyPort || tries === FREE_PORT_TRIES_MAX) throw error
    }
  }
}

async function answer(options: ConsoleOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('x-content-type-options', 'nosniff')
  if (!isForUs(options, request)) return reply(response, 403, 'this host name or origin is not served here\n')
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD')
    return reply(response, 405, 'only GET and HEAD\n')
  }
  const path = (request.url ?? '/').replace(/\?.*/, '')
  switch (path) {
    case '/metrics':
      return reply(response, 200, await options.metrics(), CONTENT_TYPE)
    case '/livez':
    case '/healthz':
      return reply(response, 200, 'ok')
    case '/readyz': {
      const reason = options.notReadyBecause()
      return reason === undefined ? reply(response, 200, 'ok') : reply(response, 503, `${reason}\n`)
    }
    case '/':
      return reply(response, 200, options.page())
    default:
      return reply(response, 404, 'not found\n')
  }
}

/** A page of a stranger in this machine's browser must not read us: neither by a rebound name nor as another origin. */
function isForUs({ address }: ConsoleOptions, request: IncomingMessage): boolean {
  const host = hostnameOf(request.headers.host)
  if (host === undefined || (!isLoopback(host) && host !== address.host)) return false
  const origin = request.headers.origin
  return origin === undefined || origin === `http://${request.headers.host}`
}

function hostnameOf(header: string | undefined): string | undefined {
  if (header === undefined || !URL.canParse(`http://${header}`)) return undefined
  return new URL(`http://${header}`).hostname.replace(/^\[|\]$/g, '')
}

function reply(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.statusCode = status
  response.setHeader('content-type', type)
  response.end(body)
}

/** `http://127.0.0.1:6441`. Pure. */
export function consoleUrl(address: HostPort): string {
  return `http://${formatAddress(address)}`
}
