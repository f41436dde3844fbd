/** Reading a request's body, with its limits. */
import type { IncomingMessage } from 'node:http'
import { decodeProtobuf, ProtobufError } from '../resources/kubernetes/protobuf.ts'
import { StoreError } from '../store/store.ts'

/** As a Kubernetes API server's. */
const BODY_BYTES_MAX: number = 3 * 1024 * 1024
export const PROTOBUF = 'application/vnd.kubernetes.protobuf'

/** The body as text; one in protobuf as the JSON it stands for. Throws StoreError `RequestEntityTooLarge`, `BadRequest`. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const octets = await readOctets(request)
  if (request.headers['content-type'] !== PROTOBUF || octets.length === 0) return octets.toString('utf8')
  try {
    return JSON.stringify(decodeProtobuf(octets))
  } catch (error) {
    if (error instanceof ProtobufError)
      throw new StoreError('BadRequest', `the body is not understood: ${error.message}`)
    throw error
  }
}

async function readOctets(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX) throw tooLarge()
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tooLarge(): StoreError {
  return new StoreError('RequestEntityTooLarge', `Request entity too large: limit is ${BODY_BYTES_MAX}`)
}
