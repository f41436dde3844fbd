/** Compression of responses (Module `gzip`), under the conditions of Envoy's compressor filter. */
import { constants, createGzip, type Gzip as GzipStream } from 'node:zlib'
import type { Settings } from '../model/settings.ts'
import type { Head } from '../wire/head.ts'
import { type CompiledChanges, fieldName, plainChanges } from './compiled-changes.ts'

const CONTENT_TYPE = fieldName('content-type')
const CONTENT_ENCODING = fieldName('content-encoding')
const CACHE_CONTROL = fieldName('cache-control')
const VARY = fieldName('vary')
const ETAG = fieldName('etag')

/** Envoy's memory_level and window: some 40 kB per response instead of 256. */
const ZLIB = { memLevel: 5, windowBits: 12, flush: constants.Z_SYNC_FLUSH } as const

const VARIES = plainChanges([['vary', 'Accept-Encoding']], true)
const COMPRESSED: CompiledChanges = {
  add: plainChanges([['content-encoding', 'gzip']], false).add,
  // A strong validator is one of other octets.
  remove: [ETAG],
}

export interface GzipPlan {
  /** For the answer, whether or not it is compressed. */
  readonly changes: CompiledChanges | null
  readonly compresses: boolean
}

const UNTOUCHED: GzipPlan = { changes: null, compresses: false }

export class Gzip {
  private readonly minLength: number
  private readonly types: ReadonlySet<string>

  constructor({ minLength, contentTypes }: NonNullable<Settings['gzip']>) {
    this.minLength = minLength
    this.types = new Set(contentTypes)
  }

  /** `length`: of the body, or negative where it is not known. `accepted`: the request's Accept-Encoding. */
  plan(head: Head, length: number, accepted: string | undefined): GzipPlan {
    if (!this.suits(head, length)) return UNTOUCHED
    const vary = head.joined(VARY.lower, VARY.hash)
    const varies = vary?.toLowerCase().includes('accept-encoding') === true ? null : VARIES
    if (accepted === undefined || !acceptsGzip(accepted)) return { changes: varies, compresses: false }
    const add = [...(varies?.add ?? []), ...COMPRESSED.add]
    return { changes: { add, remove: COMPRESSED.remove }, compresses: true }
  }

  private suits(head: Head, length: number): boolean {
    if (length >= 0 && length < this.minLength) return false
    if (head.joined(CONTENT_ENCODING.lower, CONTENT_ENCODING.hash) !== null) return false
    if (head.joined(CACHE_CONTROL.lower, CACHE_CONTROL.hash)?.includes('no-transform') === true) return false
    const type = head.joined(CONTENT_TYPE.lower, CONTENT_TYPE.hash)
    return type !== null && this.types.has(type.split(';')[0]!.trim().toLowerCase())
  }
}

/** RFC 9110 §12.5.3. Pure. */
export function acceptsGzip(accepted: string): boolean {
  let any = false
  for (const item of accepted.split(',')) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    const quality = parameters.find((part) => part.startsWith('q='))
    const wanted = quality === undefined || Number(quality.slice(2)) > 0
    if (coding === 'gzip' || coding === 'x-gzip') return wanted
    if (coding === '*') any = wanted
  }
  return any
}

export interface GzipSink {
  onCompressed(octets: Buffer): void
  onCompressedEnd(): void
  /** More can be given. */
  onCompressorDrained(): void
}

/** One body on its way through zlib. */
export class GzipBody {
  private readonly stream: GzipStream = createGzip(ZLIB)
  private sink: GzipSink | null

  constructor(sink: GzipSink) {
    this.sink = sink
    this.stream.on('data', (octets: Buffer) => this.sink?.onCompressed(octets))
    this.stream.on('end', () => this.sink?.onCompressedEnd())
    this.stream.on('drain', () => this.sink?.onCompressorDrained())
    this.stream.on('error', () => undefined)
  }

  /** False: enough for now. */
  write(buffer: Buffer, start: number, end: number): boolean {
    return this.stream.write(Buffer.from(buffer.subarray(start, end)))
  }

  end(): void {
    this.stream.end()
  }

  /** Nothing more is heard of it. */
  cancel(): void {
    this.sink = null
    this.stream.destroy()
  }

  /** For a client that does not take what comes. */
  pause(): void {
    this.stream.pause()
  }

  resume(): void {
    this.stream.resume()
  }
}
