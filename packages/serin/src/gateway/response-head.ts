/** The response's head as it goes to the client. */
import type { Settings } from '../model/settings.ts'
import { connectionOptions } from '../wire/connection-options.ts'
import { copyLine, endLines } from '../wire/field-lines.ts'
import { FIELD } from '../wire/field-names.ts'
import { CHUNKED, UNTIL_CLOSE } from '../wire/framing.ts'
import type { Head } from '../wire/head.ts'
import { octetsOf } from '../wire/octets.ts'
import type { OutBuffer } from '../wire/out-buffer.ts'
import type { CompiledChanges } from './compiled-changes.ts'
import { dateLine } from './date-line.ts'
import { applyChanges, isRemoved, type OperatorValues } from './header-changes.ts'
import { properCase } from './proper-case.ts'
import { statusLine } from './status-lines.ts'

/** Room for the lines we add ourselves, besides those of the Mapping. */
const OWN_LINES_BYTES = 1024

const SERVER = octetsOf('server: ')
const SERVICE_TIME = octetsOf('x-envoy-upstream-service-time: ')
const CONTENT_LENGTH = octetsOf('content-length: ')
const TRANSFER_ENCODING = octetsOf('transfer-encoding: chunked\r\n')
const CONNECTION_CLOSE = octetsOf('connection: close\r\n')
const CONNECTION_KEEP_ALIVE = octetsOf('connection: keep-alive\r\n')
const CONNECTION_UPGRADE = octetsOf('connection: Upgrade\r\nupgrade: ')
const CACHE_PRIVATE = octetsOf('cache-control: private\r\n')

/** How the response's body goes to the client. */
export type ClientFraming = 'none' | 'length' | 'chunked' | 'until-close'

export interface ResponseHeadFacts extends OperatorValues {
  readonly head: Head
  readonly settings: Settings
  readonly changes: CompiledChanges
  /** What the gateway's own features add for this request (CORS, a cookie), or null. */
  readonly answerChanges: CompiledChanges | null
  /** A Mapping may remove x-envoy-upstream-service-time. */
  readonly hidesServiceTime: boolean
  /** What follows in `framing.ts`'s terms; UNTIL_CLOSE becomes chunked where the client can read it. */
  readonly framing: number
  readonly clientFraming: ClientFraming
  readonly keepsAlive: boolean
  /** The client speaks HTTP/1.0. */
  readonly http10: boolean
  readonly serviceMs: number
  /** The answer to HEAD, or 304: a Content-Length describes what is not sent. */
  readonly describesBody: boolean
  /** `serin-version` and `serin-mapping` lines, or null. */
  readonly versionLines: Uint8Array | null
  readonly privateCache: boolean
}

/** Which of the upstream's known fields are sent on as they are. */
const PASSES: Uint8Array = new Uint8Array(64)
for (const field of Object.values(FIELD)) PASSES[field] = 1
for (const field of [
  FIELD.contentLength,
  FIELD.transferEncoding,
  FIELD.connection,
  FIELD.keepAlive,
  FIELD.proxyConnection,
  FIELD.proxyAuthenticate,
  FIELD.te,
  FIELD.trailer,
  FIELD.upgrade,
  FIELD.server,
  FIELD.upstreamServiceTime,
  FIELD.dropped,
]) {
  PASSES[field] = 0
}

/** Appends the head of a final response. */
export function writeResponseHead(out: OutBuffer, facts: ResponseHeadFacts): void {
  const { head, settings, changes, answerChanges } = facts
  const start = out.position
  out.reserve(head.end + OWN_LINES_BYTES)
  out.octets(statusLine(head.status))
  connectionOptions(head, head.fieldCount)
  writeFields(out, facts)
  if (!head.has(FIELD.date)) out.octets(dateLine())
  out.octets(SERVER)
  out.value(settings.serverName)
  out.crlf()
  if (!settings.suppressEnvoyHeaders && !facts.hidesServiceTime) {
    out.octets(SERVICE_TIME)
    out.decimal(facts.serviceMs)
    out.crlf()
  }
  if (facts.versionLines !== null) out.octets(facts.versionLines)
  if (facts.privateCache) out.octets(CACHE_PRIVATE)
  writeFraming(out, facts)
  if (changes.add.length > 0) applyChanges(out, changes, facts)
  if (answerChanges !== null) applyChanges(out, answerChanges, facts)
  if (settings.properCase) properCase(out.buffer, start, out.position)
  out.crlf()
}

function writeFields(out: OutBuffer, { head, changes, answerChanges, privateCache }: ResponseHeadFacts): void {
  const changing = changes.remove.length > 0 || changes.add.length > 0
  for (let index = 0; index < head.fieldCount; index++) {
    const id = head.id(index)
    if (PASSES[id] === 0) continue
    if (id === FIELD.cacheControl && privateCache) continue
    if (changing && isRemoved(changes, head, index)) continue
    if (answerChanges !== null && isRemoved(answerChanges, head, index)) continue
    copyLine(out, head, index)
  }
  endLines(out, head)
}

function writeFraming(out: OutBuffer, facts: ResponseHeadFacts): void {
  if (facts.clientFraming === 'chunked') out.octets(TRANSFER_ENCODING)
  else if (facts.clientFraming === 'length') {
    out.octets(CONTENT_LENGTH)
    out.decimal(facts.framing)
    out.crlf()
  } else if (facts.describesBody && facts.head.contentLengthCount === 1) {
    copyLine(out, facts.head, facts.head.contentLengthIndex)
    endLines(out, facts.head)
  }
  if (!facts.keepsAlive) out.octets(CONNECTION_CLOSE)
  else if (facts.http10) out.octets(CONNECTION_KEEP_ALIVE)
}

/** How a body in `framing` reaches this client. A 1.0 client reads no chunks (RFC 9112 §6.1). */
export function clientFraming(framing: number, http10: boolean): ClientFraming {
  if (framing >= 0) return 'length'
  if (http10) return 'until-close'
  return framing === CHUNKED || framing === UNTIL_CLOSE ? 'chunked' : 'none'
}

/** Appends an interim response (1xx) with its fields. */
export function writeInterimHead(out: OutBuffer, head: Head): void {
  out.reserve(head.end + OWN_LINES_BYTES)
  out.octets(statusLine(head.status))
  connectionOptions(head, head.fieldCount)
  for (let index = 0; index < head.fieldCount; index++) if (PASSES[head.id(index)] !== 0) copyLine(out, head, index)
  endLines(out, head)
  out.crlf()
}

/** Appends the 101 that begins a tunnel. */
export function writeSwitchHead(out: OutBuffer, head: Head, protocol: string, settings: Settings): void {
  out.reserve(head.end + OWN_LINES_BYTES)
  out.octets(statusLine(101))
  for (let index = 0; index < head.fieldCount; index++) if (PASSES[head.id(index)] !== 0) copyLine(out, head, index)
  endLines(out, head)
  out.octets(SERVER)
  out.value(settings.serverName)
  out.crlf()
  out.octets(CONNECTION_UPGRADE)
  out.value(protocol)
  out.crlf()
  out.crlf()
}
