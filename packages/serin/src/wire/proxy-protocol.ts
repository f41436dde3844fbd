/** The PROXY protocol's header, version 1 and 2 (haproxy.org, proxy-protocol.txt §2): who a connection comes from, told by a proxy in front. Pure. */
import { isIP } from 'node:net'

export type ProxyHeader =
  | { readonly kind: 'incomplete' }
  /** Something else: such a connection is closed, for it could claim to be anybody. */
  | { readonly kind: 'bad' }
  /** `length` octets are the header. `address`: of the client; null: the proxy speaks for itself (LOCAL, UNKNOWN). */
  | { readonly kind: 'header'; readonly length: number; readonly address: string | null }

const BAD: ProxyHeader = { kind: 'bad' }
const INCOMPLETE: ProxyHeader = { kind: 'incomplete' }

/** "PROXY", addresses, ports and CRLF: the longest line of version 1. */
const LINE_BYTES_MAX = 107
const SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a])
const FIXED_BYTES = 16
/** Addresses and what follows them (TLVs); real ones are below 300. */
const REST_BYTES_MAX = 2048

export function readProxyHeader(octets: Buffer): ProxyHeader {
  const first = octets[0]
  if (first === undefined) return INCOMPLETE
  return first === SIGNATURE[0] ? readBinary(octets) : readLine(octets)
}

function readLine(octets: Buffer): ProxyHeader {
  const start = octets.subarray(0, 6).toString('latin1')
  if (!'PROXY '.startsWith(start)) return BAD
  const end = octets.subarray(0, LINE_BYTES_MAX).indexOf('\r\n')
  if (end < 0) return octets.length >= LINE_BYTES_MAX ? BAD : INCOMPLETE
  const [, family, source, target, sourcePort, targetPort, more] = octets.toString('latin1', 0, end).split(' ')
  const length = end + 2
  if (family === 'UNKNOWN') return { kind: 'header', length, address: null }
  const version = family === 'TCP4' ? 4 : family === 'TCP6' ? 6 : 0
  const good = [source, target].every((address) => isIP(address ?? '') === version && version !== 0)
  const ports = [sourcePort, targetPort].every((port) => /^\d{1,5}$/u.test(port ?? ''))
  return good && ports && more === undefined ? { kind: 'header', length, address: source! } : BAD
}

function readBinary(octets: Buffer): ProxyHeader {
  const known = Math.min(octets.length, SIGNATURE.length)
  if (octets.compare(SIGNATURE, 0, known, 0, known) !== 0) return BAD
  if (octets.length < FIXED_BYTES) return INCOMPLETE
  const command = octets[12]!
  const family = octets[13]! >> 4
  const rest = octets.readUInt16BE(14)
  if (command >> 4 !== 2 || (command & 15) > 1 || rest > REST_BYTES_MAX) return BAD
  const length = FIXED_BYTES + rest
  if (octets.length < length) return INCOMPLETE
  if ((command & 15) === 0 || family === 0) return { kind: 'header', length, address: null }
  const address = octets.subarray(FIXED_BYTES, length)
  if (family === 1 && rest >= 12) return { kind: 'header', length, address: [...address.subarray(0, 4)].join('.') }
  if (family === 2 && rest >= 36) return { kind: 'header', length, address: ipv6Text(address.subarray(0, 16)) }
  return BAD
}

/** Canonical (RFC 5952), as `URL` writes it. */
function ipv6Text(octets: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => octets.readUInt16BE(index * 2).toString(16))
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}
