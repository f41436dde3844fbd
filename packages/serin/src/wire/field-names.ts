/** Field names the gateway has an opinion on, as small numbers, found by a hash that the head parser computes on the way. */
import { equalsLower, LOWER, octetsOf } from './octets.ts'

/** 0 is every other name. */
export const FIELD = {
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  expect: 5,
  upgrade: 6,
  te: 7,
  trailer: 8,
  keepAlive: 9,
  proxyConnection: 10,
  proxyAuthorization: 11,
  proxyAuthenticate: 12,
  http2Settings: 13,
  proxy: 14,
  xForwardedFor: 15,
  xForwardedProto: 16,
  xForwardedHost: 17,
  xForwardedPort: 18,
  forwarded: 19,
  xRealIp: 20,
  xRequestId: 21,
  via: 22,
  maxForwards: 23,
  cookie: 24,
  userAgent: 25,
  date: 26,
  server: 27,
  authorization: 28,
  secWebsocketKey: 29,
  upstreamServiceTime: 30,
  cacheControl: 31,
  setCookie: 32,
  contentType: 33,
  origin: 34,
  /** Any `x-envoy-…` without a number of its own. */
  xEnvoy: 35,
  /** Not sent on: named by Connection, or an underscore alias of a field above. */
  dropped: 36,
  /** Says who a client of TLS is: only a proxy may, and what a client sends of it ends here (Envoy's SANITIZE). */
  xForwardedClientCert: 37,
} as const

const NAMES: readonly (readonly [string, number])[] = [
  ['host', FIELD.host],
  ['content-length', FIELD.contentLength],
  ['transfer-encoding', FIELD.transferEncoding],
  ['connection', FIELD.connection],
  ['expect', FIELD.expect],
  ['upgrade', FIELD.upgrade],
  ['te', FIELD.te],
  ['trailer', FIELD.trailer],
  ['keep-alive', FIELD.keepAlive],
  ['proxy-connection', FIELD.proxyConnection],
  ['proxy-authorization', FIELD.proxyAuthorization],
  ['proxy-authenticate', FIELD.proxyAuthenticate],
  ['http2-settings', FIELD.http2Settings],
  ['proxy', FIELD.proxy],
  ['x-forwarded-for', FIELD.xForwardedFor],
  ['x-forwarded-proto', FIELD.xForwardedProto],
  ['x-forwarded-host', FIELD.xForwardedHost],
  ['x-forwarded-port', FIELD.xForwardedPort],
  ['x-forwarded-client-cert', FIELD.xForwardedClientCert],
  ['forwarded', FIELD.forwarded],
  ['x-real-ip', FIELD.xRealIp],
  ['x-request-id', FIELD.xRequestId],
  ['via', FIELD.via],
  ['max-forwards', FIELD.maxForwards],
  ['cookie', FIELD.cookie],
  ['user-agent', FIELD.userAgent],
  ['date', FIELD.date],
  ['server', FIELD.server],
  ['authorization', FIELD.authorization],
  ['sec-websocket-key', FIELD.secWebsocketKey],
  ['x-envoy-upstream-service-time', FIELD.upstreamServiceTime],
  ['cache-control', FIELD.cacheControl],
  ['set-cookie', FIELD.setCookie],
  ['content-type', FIELD.contentType],
  ['origin', FIELD.origin],
]

/** Hash of a name in lower case; the head parser computes the same octet by octet. */
export function nameHash(lower: Uint8Array): number {
  let hash = 0
  for (const octet of lower) hash = (Math.imul(hash, 31) + octet) | 0
  return hash
}

const TABLE_SIZE = 1024

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 5)) & (TABLE_SIZE - 1)
}

/** Number of the name by hash, and its octets to be sure. Collisions among our own names are refused at start. */
const TABLE = new Uint8Array(TABLE_SIZE)
const OCTETS: Uint8Array[] = [new Uint8Array()]
for (const [name, field] of NAMES) {
  OCTETS[field] = octetsOf(name)
  const slot = slotOf(nameHash(OCTETS[field]))
  if (TABLE[slot] !== 0) throw new Error(`field names collide at ${name}: choose another slotOf`)
  TABLE[slot] = field
}

const X_ENVOY = octetsOf('x-envoy-')

/** The number of the name in buffer[start, end) whose lower-case hash is `hash`. */
export function fieldOf(buffer: Uint8Array, start: number, end: number, hash: number): number {
  const field = TABLE[slotOf(hash)]!
  if (field !== 0 && equalsLower(buffer, start, end, OCTETS[field]!)) return field
  if (end - start > X_ENVOY.length && LOWER[buffer[start]!] === 0x78 && buffer[start + 1] === 0x2d) {
    if (equalsLower(buffer, start, start + X_ENVOY.length, X_ENVOY)) return FIELD.xEnvoy
  }
  return 0
}

/** The same for a name with underscores for hyphens (`Content_Length`): a server that maps `_` to `-` would be misled by it. */
export function aliasOf(buffer: Uint8Array, start: number, end: number): number {
  const name = new Uint8Array(end - start)
  for (let index = start; index < end; index++)
    name[index - start] = buffer[index] === 0x5f ? 0x2d : LOWER[buffer[index]!]!
  return fieldOf(name, 0, name.length, nameHash(name))
}
