/** One unary gRPC call to a Cluster, over the gateway's own HTTP/2 connections (github.com/grpc/grpc, PROTOCOL-HTTP2). */
import type { ClusterState } from './cluster-state.ts'
import type { EndpointState } from './endpoint.ts'
import { SideRequest, type SideAnswer, type SideNeeds } from './side-request.ts'

export interface GrpcCallOptions {
  readonly cluster: ClusterState
  /** Of the cluster; absent: any. */
  readonly endpoint?: EndpointState
  /** Absent: the cluster's name. */
  readonly authority?: string
  /** `/package.Service/Method`. */
  readonly path: string
  readonly message: Uint8Array
  readonly timeoutMs: number
  readonly needs: SideNeeds
  /** Called once; null: no message with status 0 came in time. */
  readonly done: (message: Uint8Array | null) => void
}

/** A flag octet and the message's length. */
const PREFIX_BYTES = 5

/** Returns how to call it off. */
export function callGrpc(options: GrpcCallOptions): () => void {
  const { cluster, endpoint, authority, path, message, timeoutMs, needs, done } = options
  const body = Buffer.alloc(PREFIX_BYTES + message.length)
  body.writeUInt32BE(message.length, 1)
  body.set(message, PREFIX_BYTES)
  const lines = [
    `POST ${path} HTTP/1.1`,
    `host: ${authority ?? authorityOf(cluster)}`,
    'content-type: application/grpc',
    ...(timeoutMs > 0 ? [`grpc-timeout: ${timeoutMs}m`] : []),
    'user-agent: serin',
    `content-length: ${body.length}`,
  ]
  const octets = Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body])
  const side = new SideRequest({
    cluster,
    ...(endpoint && { endpoint }),
    octets,
    timeoutMs,
    needs,
    done: (answer) => done(messageOf(answer)),
  })
  side.start()
  return () => side.cancel()
}

function authorityOf({ cluster }: ClusterState): string {
  return cluster.source.kind === 'dns' ? `${cluster.source.hostname}:${cluster.source.port}` : cluster.statName
}

/** Exactly one message, uncompressed, with grpc-status 0. */
function messageOf(answer: SideAnswer | null): Uint8Array | null {
  if (answer === null || answer.status !== 200) return null
  const status = [...answer.fields, ...answer.trailers].find(([name]) => name === 'grpc-status')?.[1]
  const { body } = answer
  if (status !== '0' || body.length < PREFIX_BYTES || body[0] !== 0) return null
  return body.readUInt32BE(1) === body.length - PREFIX_BYTES ? body.subarray(PREFIX_BYTES) : null
}
