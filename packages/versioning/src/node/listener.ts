/** A `fetch` handler as a listener for `node:http`. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import type { VersionedApi } from '../fetch/versioned.ts'

export type NodeListener = (incoming: IncomingMessage, outgoing: ServerResponse) => void

/** `createServer(listener(api))`. Bodies are streamed both ways; a client that goes away aborts the request's `signal`. */
export function listener(api: Pick<VersionedApi, 'fetch'>): NodeListener {
  return (incoming, outgoing) => {
    // What happens is answered or ends the connection; there is nobody left to be told.
    void serve(api, incoming, outgoing).catch(() => outgoing.destroy())
  }
}

async function serve(
  api: Pick<VersionedApi, 'fetch'>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const aborter = new AbortController()
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) aborter.abort()
  })
  const request = toRequest(incoming, aborter.signal)
  if (request === undefined) {
    outgoing.writeHead(400).end()
    return
  }
  const response = await api.fetch(request)
  outgoing.statusCode = response.status
  for (const [name, value] of response.headers) if (name !== 'set-cookie') outgoing.setHeader(name, value)
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) outgoing.setHeader('set-cookie', cookies)
  if (response.body === null) outgoing.end()
  else await pipeline(Readable.fromWeb(response.body as ReadableStream), outgoing)
}

/** undefined: the request line or `Host` make no URL, or the method is one that `fetch` does not know (TRACE). */
function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request | undefined {
  const { method = 'GET', url = '/', headers } = incoming
  const address = `http://${headers.host ?? 'localhost'}${url.startsWith('/') ? url : '/'}`
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((item): [string, string] => [name, item]),
  )
  const framed = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  const hasBody = framed && method !== 'GET' && method !== 'HEAD'
  try {
    return new Request(address, {
      method,
      headers: lines.filter(([name]) => !name.startsWith(':')),
      signal,
      ...(hasBody ? { body: Readable.toWeb(incoming), duplex: 'half' } : {}),
    } as RequestInit)
  } catch {
    return undefined
  }
}
