/** A small HTTP server on a Unix socket, and its client: how the gateway process answers the control process. */
import { createServer, request, type Server } from 'node:http'
import { chmodSync, rmSync } from 'node:fs'
import { CONTENT_TYPE } from './metrics/prometheus.ts'

/** The other side is on this machine: longer than this means it hangs. */
const ANSWER_MS_MAX = 5_000

export interface TextAnswer {
  readonly status: number
  readonly body: string
}

/** Answers GET requests; `answer` gets the path and returns undefined for 404. */
export function createTextServer(answer: (path: string) => Promise<TextAnswer | undefined>): Server {
  return createServer((incoming, response) => {
    void reply().catch((error: unknown) => {
      response.statusCode = 500
      response.end(`${String(error)}\n`)
    })
    async function reply(): Promise<void> {
      const found = await answer(incoming.url ?? '/')
      response.statusCode = found?.status ?? 404
      response.setHeader('content-type', CONTENT_TYPE)
      response.end(found?.body ?? 'not found\n')
    }
  })
}

/** Listens on a socket that only its owner may open. A socket left over by a process that died is replaced. */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  chmodSync(path, 0o600)
}

/** Asks over a Unix socket. Rejects when nobody answers. */
export function getOverSocket(socketPath: string, path: string): Promise<TextAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, timeout: ANSWER_MS_MAX, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      response.on('error', reject)
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer from ${socketPath} in ${ANSWER_MS_MAX} ms`)))
    outgoing.on('error', reject)
    outgoing.end()
  })
}
