/** The gateway's own answers to gRPC clients: they read no status but gRPC's, in a head without a body (Trailers-Only). Pure. */
import { FIELD } from '../wire/field-names.ts'
import type { Head } from '../wire/head.ts'
import type { LocalReply } from './local-reply.ts'

/** Of google.rpc.Code. */
const UNKNOWN = 2
/** As gRPC's own table and Envoy translate HTTP's statuses (http-grpc-status-mapping.md). */
const CODES: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
}
/** A message is a header's value. */
const MESSAGE_CHARACTERS_MAX = 1024

/** `application/grpc`, with a suffix or parameters or without. */
export function isGrpc(head: Head): boolean {
  const index = head.find(FIELD.contentType)
  return index >= 0 && /^application\/grpc(?:$|[+;])/iu.test(head.value(index))
}

/** The same answer in gRPC's words. */
export function grpcReply({ status, body, lines = '' }: LocalReply): LocalReply {
  const message = encodedMessage(body.toString().slice(0, MESSAGE_CHARACTERS_MAX))
  const code = status === 200 ? 0 : (CODES[status] ?? UNKNOWN)
  const own = `content-type: application/grpc\r\ngrpc-status: ${code}\r\n${message === '' ? '' : `grpc-message: ${message}\r\n`}`
  return { status: 200, body: '', lines: `${lines}${own}` }
}

/** Percent-encoding of all but visible ASCII without `%` (PROTOCOL-HTTP2, Status-Message). */
function encodedMessage(text: string): string {
  let encoded = ''
  for (const octet of Buffer.from(text)) {
    const plain = octet >= 0x20 && octet <= 0x7e && octet !== 0x25
    encoded += plain ? String.fromCharCode(octet) : `%${octet.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}
