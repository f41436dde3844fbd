/** Methods as Envoy takes them: case-sensitive, from a fixed list; others are refused (400). */
import { latin1 } from '../wire/octets.ts'

const METHODS: readonly string[] = (
  'ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE M-SEARCH MSEARCH NOTIFY ' +
  'OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE'
).split(' ')

const KNOWN = new Set(METHODS)

/** Methods that may be sent a second time when the first sending may have had an effect (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
  'PROPFIND',
  'REPORT',
  'SEARCH',
  'QUERY',
])

const BODILESS: ReadonlySet<string> = new Set(['HEAD', 'DELETE', 'TRACE', 'CONNECT'])

/** The method as a string that is shared, or null if it is not known. */
export function readMethod(buffer: Buffer, start: number, end: number): string | null {
  // The most common by far, without a string.
  if (end - start === 3 && buffer[start] === 0x47 && buffer[start + 1] === 0x45 && buffer[start + 2] === 0x54)
    return 'GET'
  const method = latin1(buffer, start, end)
  return KNOWN.has(method) ? method : null
}

/** Whether a request without a body says so with `Content-Length: 0` (RFC 9110 §8.6). */
export function expectsBody(method: string): boolean {
  return method !== 'GET' && !BODILESS.has(method)
}

export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method)
}
