/** The request's head as it goes upstream: written from parsed values, with our own Host, framing and forwarding fields. */
import type { Settings } from '../model/settings.ts'
import { copyLine, endLines } from '../wire/field-lines.ts'
import { FIELD } from '../wire/field-names.ts'
import { CHUNKED } from '../wire/framing.ts'
import type { Head } from '../wire/head.ts'
import { octetsOf } from '../wire/octets.ts'
import type { OutBuffer } from '../wire/out-buffer.ts'
import { forwardedFor } from './client-address.ts'
import type { CompiledForward } from './compiled-destination.ts'
import { applyChanges, isRemoved, type OperatorValues } from './header-changes.ts'
import { expectsBody } from './methods.ts'
import { rewritePath } from './path-rewrite.ts'
import { writeRequestId } from './request-id.ts'
import type { Target } from './request-target.ts'

/** Room for the lines we add ourselves, besides those of the Mapping. */
const OWN_LINES_BYTES = 2048

const HTTP_1_1 = octetsOf(' HTTP/1.1\r\nhost: ')
const FORWARDED_FOR = octetsOf('x-forwarded-for: ')
const FORWARDED_PROTO = octetsOf('x-forwarded-proto: ')
const REQUEST_ID = octetsOf('x-request-id: ')
const EXPECTED_TIMEOUT = octetsOf('x-envoy-expected-rq-timeout-ms: ')
const ORIGINAL_PATH = octetsOf('x-envoy-original-path: ')
const ORIGINAL_HOST = octetsOf('x-envoy-original-host: ')
const EXTERNAL_ADDRESS = octetsOf('x-envoy-external-address: ')
const CONTENT_LENGTH = octetsOf('content-length: ')
const TRANSFER_ENCODING = octetsOf('transfer-encoding: chunked\r\n')
const VIA = octetsOf('via: 1.1 serin\r\n')
const MAX_FORWARDS = octetsOf('max-forwards: ')
const CONNECTION_UPGRADE = octetsOf('connection: Upgrade\r\nupgrade: ')

/**
 * Where the values that every access log asks for stand in a head that was written, so that it need not be parsed for them:
 * two numbers each, start and end. 0: not there; NOT_MARKED: the head has to be searched.
 */
export const MARK = { userAgent: 0, forwardedFor: 2, requestId: 4 } as const
export const MARKS_LENGTH = 6
export const NOT_MARKED = -1

/** All that goes into a head besides the client's own fields. */
export interface RequestHeadFacts extends OperatorValues {
  readonly head: Head
  readonly target: Target
  readonly forward: CompiledForward
  readonly settings: Settings
  readonly peerAddress: string
  readonly externalAddress: string
  readonly proto: string
  readonly method: string
  /** Length, CHUNKED, or 0 for none. */
  readonly framing: number
  /** Upgrade token to offer upstream, or ''. */
  readonly upgrade: string
  /** Max-Forwards, one less than it came; -1: as it is. */
  readonly maxForwards: number
  readonly endpointHost: string
  /** Filled: see MARK. */
  readonly marks: Int32Array
}

/** Which of the client's known fields are sent on as they are. */
const PASSES: Uint8Array = new Uint8Array(64)
for (const field of [
  FIELD.other,
  FIELD.via,
  FIELD.cookie,
  FIELD.userAgent,
  FIELD.date,
  FIELD.server,
  FIELD.authorization,
  FIELD.secWebsocketKey,
  FIELD.cacheControl,
  FIELD.setCookie,
  FIELD.contentType,
  FIELD.origin,
  FIELD.maxForwards,
  FIELD.xForwardedHost,
  FIELD.xForwardedPort,
]) {
  PASSES[field] = 1
}

/** Writes the whole head into `out`, from its beginning. */
export function writeRequestHead(out: OutBuffer, facts: RequestHeadFacts): void {
  const { head, target, forward } = facts
  out.position = 0
  facts.marks.fill(0)
  const path = rewritePath(forward.rewrite, target.path)
  out.reserve(head.end - head.methodStart + path.length + target.path.length * 2 + OWN_LINES_BYTES)

  out.copy(head.buffer, head.methodStart, head.methodEnd)
  out.octet(0x20)
  out.value(path)
  out.copy(head.buffer, target.queryStart, target.end)
  out.octets(HTTP_1_1)
  writeHost(out, facts)
  writeClientFields(out, facts)
  writeForwarding(out, facts)
  writeFraming(out, facts)
  if (forward.requestChanges.add.length > 0) {
    applyChanges(out, forward.requestChanges, facts)
    facts.marks.fill(NOT_MARKED)
  }
  out.crlf()
}

function mark(facts: RequestHeadFacts, which: number, start: number, end: number): void {
  facts.marks[which] = facts.marks[which] === 0 ? start : NOT_MARKED
  facts.marks[which + 1] = end
}

function writeHost(out: OutBuffer, { forward, target, endpointHost }: RequestHeadFacts): void {
  if (forward.host === null && !forward.autoHost) {
    out.value(target.host)
    out.crlf()
    return
  }
  if (forward.host !== null) out.octets(forward.host)
  else out.value(endpointHost)
  out.crlf()
  out.octets(ORIGINAL_HOST)
  out.value(target.host)
  out.crlf()
}

function writeClientFields(out: OutBuffer, facts: RequestHeadFacts): void {
  const { head, forward, settings, maxForwards } = facts
  const { buffer } = head
  const { requestChanges } = forward
  const changing = requestChanges.remove.length > 0 || requestChanges.add.length > 0
  const underscores = settings.underscoreHeaders === 'drop'
  for (let index = 0; index < head.fieldCount; index++) {
    const id = head.id(index)
    if (PASSES[id] === 0) continue
    if (id === FIELD.maxForwards && maxForwards >= 0) continue
    if (changing && isRemoved(requestChanges, head, index)) continue
    if (underscores && buffer.subarray(head.nameStart(index), head.nameEnd(index)).includes(0x5f)) continue
    const start = copyLine(out, head, index)
    if (id === FIELD.userAgent) {
      mark(facts, MARK.userAgent, start, start + head.valueEnd(index) - head.valueStart(index))
    }
  }
  endLines(out, head)
  if (maxForwards >= 0) {
    out.octets(MAX_FORWARDS)
    out.decimal(maxForwards)
    out.crlf()
  }
}

function writeForwarding(out: OutBuffer, facts: RequestHeadFacts): void {
  const { head, target, forward, settings } = facts
  const before = head.has(FIELD.xForwardedFor) ? forwardedFor(head) : ''
  // A gateway that does not use the peer's address (use_remote_address) adds nothing to what others say of it.
  if (before !== '' || settings.useRemoteAddress) writeForwardedFor(out, facts, before)
  out.octets(FORWARDED_PROTO)
  out.value(facts.proto)
  out.crlf()
  out.octets(REQUEST_ID)
  const start = out.position
  if (settings.preserveExternalRequestId && head.has(FIELD.xRequestId)) {
    const index = head.find(FIELD.xRequestId)
    out.copy(head.buffer, head.valueStart(index), head.valueEnd(index))
  } else writeRequestId(out)
  mark(facts, MARK.requestId, start, out.position)
  out.crlf()
  if (forward.expectedTimeoutMs > 0 && !settings.suppressEnvoyHeaders) {
    out.octets(EXPECTED_TIMEOUT)
    out.decimal(forward.expectedTimeoutMs)
    out.crlf()
  }
  if (forward.rewrite.kind !== 'none' && !settings.suppressEnvoyHeaders) {
    out.octets(ORIGINAL_PATH)
    out.value(target.path)
    out.copy(head.buffer, target.queryStart, target.end)
    out.crlf()
  }
  if (settings.useRemoteAddress) {
    out.octets(EXTERNAL_ADDRESS)
    out.value(facts.externalAddress)
    out.crlf()
  }
  out.octets(VIA)
}

function writeForwardedFor(out: OutBuffer, facts: RequestHeadFacts, before: string): void {
  out.octets(FORWARDED_FOR)
  const start = out.position
  out.reserve(before.length + OWN_LINES_BYTES)
  out.value(before)
  if (before !== '' && facts.settings.useRemoteAddress) out.octet(0x2c)
  if (facts.settings.useRemoteAddress) out.value(facts.peerAddress)
  mark(facts, MARK.forwardedFor, start, out.position)
  out.crlf()
}

function writeFraming(out: OutBuffer, { framing, head, upgrade, method }: RequestHeadFacts): void {
  if (framing === CHUNKED) out.octets(TRANSFER_ENCODING)
  // A length of 0 that was stated is stated again: an upstream may ask for one (411).
  else if (framing > 0 || head.contentLengthCount > 0 || expectsBody(method)) {
    out.octets(CONTENT_LENGTH)
    out.decimal(framing)
    out.crlf()
  }
  if (upgrade !== '') {
    out.octets(CONNECTION_UPGRADE)
    out.value(upgrade)
    out.crlf()
  }
}
