/** Reading a request's body, with its limits. */
import type { IncomingMessage } from 'node:http'
import { StoreError } from '../store/store.ts'

/** As a Kubernetes API server's. */
export const BODY_BYTES_MAX: number = 3 * 1024 * 1024

/** Throws StoreError `RequestEntityTooLarge`. */
export async function readBody(request: IncomingMessage): Promise<string> {
  if (Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX) throw tooLarge()
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function tooLarge(): StoreError {
  return new StoreError('RequestEntityTooLarge', `Request entity too large: limit is ${BODY_BYTES_MAX}`)
}
