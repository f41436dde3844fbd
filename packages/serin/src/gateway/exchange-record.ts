/** What is remembered of a request for its counts and its line in the access log. Refilled for every request. */
import type { AccessEntry, HeaderName } from '../metrics/access-entry.ts'
import { FIELD, nameHash } from '../wire/field-names.ts'
import { Head, parseRequestHead } from '../wire/head.ts'
import { DEFAULT_LIMITS } from '../wire/limits.ts'
import { octetsOf } from '../wire/octets.ts'
import type { OutBuffer } from '../wire/out-buffer.ts'
import type { CompiledDestination } from './compiled-destination.ts'
import { MARK, MARKS_LENGTH, NOT_MARKED } from './request-head.ts'

const NOTHING = Buffer.alloc(0)
/** Reads our own heads back; what we wrote may be longer than what we take. */
const OWN_HEAD_LIMITS = { ...DEFAULT_LIMITS, headBytesMax: 2 ** 20, requestLineBytesMax: 2 ** 20, fieldsMax: 400 }
const ownHead = new Head(OWN_HEAD_LIMITS.fieldsMax)
/** Whose head `ownHead` holds. */
let parsedFor: ExchangeRecord | null = null

/** FIELD → MARK. */
const MARKS: (number | undefined)[] = Array.from({ length: 64 })
MARKS[FIELD.userAgent] = MARK.userAgent
MARKS[FIELD.xForwardedFor] = MARK.forwardedFor
MARKS[FIELD.xRequestId] = MARK.requestId

export class ExchangeRecord implements AccessEntry {
  startMs = 0
  startTime = 0
  durationMs = 0
  requestMs = -1
  responseMs = -1
  status = 0
  flags = 0
  details: string | undefined = undefined
  bytesIn = 0
  bytesOut = 0
  method = ''
  /** Normalised path and query as they came. */
  path = ''
  authority: string | undefined = undefined
  upstreamServiceMs = -1
  upstreamHost: string | undefined = undefined
  upstreamCluster: string | undefined = undefined
  upstreamLocalAddress: string | undefined = undefined
  upstreamFailure: string | undefined = undefined
  upstreamAttempts = 0
  downstreamRemoteAddress: string | undefined = undefined
  downstreamDirectAddress: string | undefined = undefined
  downstreamLocalAddress: string | undefined = undefined
  requestedServerName: string | undefined = undefined
  connectionId = 0
  destination: CompiledDestination | null = null
  http10 = false
  http2 = false
  /** Its answers have gRPC's status. */
  grpc = false
  /** Where some values stand in the head as sent: see MARK. */
  readonly marks: Int32Array = new Int32Array(MARKS_LENGTH)
  private responseValues: Map<string, string> | null = null
  /** The head as sent upstream; empty if it never was. */
  protected sentHead: Buffer = NOTHING
  protected sentHeadLength = 0

  protected resetRecord(): void {
    if (parsedFor === this) parsedFor = null
    this.durationMs = 0
    this.requestMs = -1
    this.responseMs = -1
    this.status = 0
    this.flags = 0
    this.details = undefined
    this.bytesIn = 0
    this.bytesOut = 0
    this.method = ''
    this.path = ''
    this.authority = undefined
    this.upstreamServiceMs = -1
    this.upstreamHost = undefined
    this.upstreamCluster = undefined
    this.upstreamFailure = undefined
    this.upstreamAttempts = 0
    this.downstreamRemoteAddress = undefined
    this.destination = null
    this.http10 = false
    this.sentHeadLength = 0
    this.responseValues = null
  }

  get protocol(): string {
    return this.http2 ? 'HTTP/2' : this.http10 ? 'HTTP/1.0' : 'HTTP/1.1'
  }

  get upstreamPath(): string | undefined {
    if (!this.readSentHead()) return undefined
    return this.sentHead.toString('latin1', ownHead.targetStart, ownHead.targetEnd)
  }

  get mapping(): string | undefined {
    return this.destination?.destination.mapping
  }

  get version(): string | undefined {
    return this.destination?.destination.version
  }

  requestHeader(name: string): string | undefined {
    if (!this.readSentHead()) return undefined
    const octets = octetsOf(name)
    return ownHead.joined(octets, nameHash(octets)) ?? undefined
  }

  writeRequestHeader(name: HeaderName, out: OutBuffer): boolean {
    const which = MARKS[name.field]
    if (which !== undefined && this.marks[which]! !== NOT_MARKED) return this.writeMarked(which, out)
    if (!this.readSentHead()) return false
    return ownHead.writeJoined(name.octets, name.hash, out)
  }

  responseHeader(name: string): string | undefined {
    return this.responseValues?.get(name)
  }

  /** Keeps what the access log will ask of a response's head. */
  protected keepResponseHeaders(names: readonly HeaderName[], head: Head): void {
    this.responseValues = new Map()
    for (const { text, octets, hash } of names) {
      const value = head.joined(octets, hash)
      if (value !== null) this.responseValues.set(text, value)
    }
  }

  private writeMarked(which: number, out: OutBuffer): boolean {
    const start = this.marks[which]!
    if (start === 0 || this.sentHeadLength === 0) return false
    const end = this.marks[which + 1]!
    out.reserve(end - start)
    out.copy(this.sentHead, start, end)
    return true
  }

  private readSentHead(): boolean {
    if (this.sentHeadLength === 0) return false
    if (parsedFor === this) return true
    parsedFor = parseRequestHead(ownHead, this.sentHead, 0, this.sentHeadLength, OWN_HEAD_LIMITS) > 0 ? this : null
    return parsedFor === this
  }
}
