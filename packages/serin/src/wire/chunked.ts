/**
 * Decoder of the chunked coding (RFC 9112 §7.1), octet by octet where it must be and a span at a time where it can be.
 * Extensions are checked and dropped; trailers are parsed strictly. No allocation but for trailers.
 */
import { hexValue, HTAB, isToken, isValue, CR, LF, SP } from './octets.ts'
import type { Limits } from './limits.ts'

/** What `next` found. */
export const MORE = 0
/** Body octets: [dataStart, dataEnd). */
export const DATA = 1
/** The message has ended; `position` is after it. */
export const END = 2
/** Outside the grammar. */
export const BAD_CHUNK = 3
export const BAD_TRAILER = 4
/** Trailers past their limit. */
export const TRAILER_TOO_LARGE = 5

type ExtensionState =
  | 'extension-start'
  | 'extension-name'
  | 'extension-value-start'
  | 'extension-value'
  | 'extension-quoted'
  | 'extension-quoted-pair'
  | 'extension-quoted-end'

type TrailerState = 'trailer-first' | 'trailer-name' | 'trailer-value' | 'trailer-lf' | 'end-lf'

type State =
  | 'size-first'
  | 'size'
  | ExtensionState
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | TrailerState
  | 'ended'

/** Significant hex digits of a size: below 2^52, exact. */
const SIZE_DIGITS_MAX = 13

export class ChunkedDecoder {
  /** Where the next call goes on. */
  position = 0
  dataStart = 0
  dataEnd = 0
  private state: State = 'size-first'
  private remaining = 0
  private digits = 0
  private lineBytes = 0
  private extensionBytes = 0
  private trailerBytes = 0
  private trailers = 0
  /** The trailer fields of the message, each with its CRLF: for a next hop that takes them. */
  trailerText = ''

  reset(): void {
    this.state = 'size-first'
    this.remaining = 0
    this.digits = 0
    this.lineBytes = 0
    this.extensionBytes = 0
    this.trailerBytes = 0
    this.trailers = 0
    this.trailerText = ''
  }

  /** Whether the last octet of the message was seen. */
  get ended(): boolean {
    return this.state === 'ended'
  }

  /** Goes on at `start`; stops at the first thing worth telling. */
  next(buffer: Uint8Array, start: number, end: number, limits: Limits): number {
    let at = start
    while (at < end) {
      if (this.state === 'data') {
        const take = Math.min(this.remaining, end - at)
        this.dataStart = at
        this.dataEnd = at + take
        this.remaining -= take
        this.position = at + take
        if (this.remaining === 0) this.state = 'data-cr'
        return DATA
      }
      const outcome = this.octet(buffer[at]!, limits)
      at++
      if (outcome !== MORE) {
        this.position = at
        return outcome
      }
    }
    this.position = at
    return MORE
  }

  private octet(octet: number, limits: Limits): number {
    switch (this.state) {
      case 'size-first':
      case 'size':
        return this.size(octet, limits)
      case 'extension-start':
      case 'extension-name':
      case 'extension-value-start':
      case 'extension-value':
      case 'extension-quoted':
      case 'extension-quoted-pair':
      case 'extension-quoted-end':
        this.extensionBytes++
        if (++this.lineBytes > limits.chunkLineBytesMax || this.extensionBytes > limits.chunkExtensionBytesMax)
          return BAD_CHUNK
        return this.extension(octet, this.state)
      case 'size-lf':
        if (octet !== LF) return BAD_CHUNK
        this.state = this.remaining === 0 ? 'trailer-first' : 'data'
        return MORE
      case 'data-cr':
        if (octet !== CR) return BAD_CHUNK
        this.state = 'data-lf'
        return MORE
      case 'data-lf':
        if (octet !== LF) return BAD_CHUNK
        this.state = 'size-first'
        this.digits = 0
        this.lineBytes = 0
        return MORE
      case 'trailer-first':
      case 'trailer-name':
      case 'trailer-value':
      case 'trailer-lf':
      case 'end-lf':
        return this.trailer(octet, this.state, limits)
      case 'data':
      case 'ended':
        return BAD_CHUNK
    }
  }

  /** chunk-size = 1*HEXDIG; leading zeros are bounded by the line's limit. */
  private size(octet: number, limits: Limits): number {
    if (++this.lineBytes > limits.chunkLineBytesMax) return BAD_CHUNK
    const value = hexValue(octet)
    if (value >= 0) {
      if (this.remaining > 0 || value > 0) this.digits++
      if (this.digits > SIZE_DIGITS_MAX) return BAD_CHUNK
      this.remaining = this.remaining * 16 + value
      this.state = 'size'
      return MORE
    }
    if (this.state === 'size-first') return BAD_CHUNK
    if (octet === CR) this.state = 'size-lf'
    else if (octet === 0x3b) this.state = 'extension-start'
    else return BAD_CHUNK
    return MORE
  }

  /** chunk-ext = *( ";" name [ "=" ( token / quoted-string ) ] ), without the bad whitespace of §7.1.1. */
  private extension(octet: number, state: ExtensionState): number {
    switch (state) {
      case 'extension-start':
        // An empty extension (`5;`) is common enough and harmless; an LF in its place is not (CVE-2025-22871).
        if (octet === CR) this.state = 'size-lf'
        else if (isToken(octet)) this.state = 'extension-name'
        else return BAD_CHUNK
        return MORE
      case 'extension-name':
        if (isToken(octet)) return MORE
        if (octet === 0x3d) this.state = 'extension-value-start'
        else return this.extensionEnd(octet)
        return MORE
      case 'extension-value-start':
        if (octet === 0x22) this.state = 'extension-quoted'
        else if (isToken(octet)) this.state = 'extension-value'
        else return BAD_CHUNK
        return MORE
      case 'extension-value':
        return isToken(octet) ? MORE : this.extensionEnd(octet)
      case 'extension-quoted':
        if (octet === 0x22) this.state = 'extension-quoted-end'
        else if (octet === 0x5c) this.state = 'extension-quoted-pair'
        else if (!isValue(octet)) return BAD_CHUNK
        return MORE
      case 'extension-quoted-pair':
        if (!isValue(octet)) return BAD_CHUNK
        this.state = 'extension-quoted'
        return MORE
      case 'extension-quoted-end':
        return this.extensionEnd(octet)
    }
  }

  private extensionEnd(octet: number): number {
    if (octet === CR) this.state = 'size-lf'
    else if (octet === 0x3b) this.state = 'extension-start'
    else return BAD_CHUNK
    return MORE
  }

  /** trailer-section CRLF: the grammar of fields. Most are dropped (RFC 9110 §6.5.1 lets us). */
  private trailer(octet: number, state: TrailerState, limits: Limits): number {
    if (++this.trailerBytes > limits.trailerBytesMax) return TRAILER_TOO_LARGE
    if (state !== 'end-lf' && (state !== 'trailer-first' || octet !== CR))
      this.trailerText += String.fromCharCode(octet)
    switch (state) {
      case 'trailer-first':
        if (octet === CR) this.state = 'end-lf'
        else if (isToken(octet)) {
          if (++this.trailers > limits.trailersMax) return TRAILER_TOO_LARGE
          this.state = 'trailer-name'
        } else return BAD_TRAILER
        return MORE
      case 'trailer-name':
        if (octet === 0x3a) this.state = 'trailer-value'
        else if (!isToken(octet)) return BAD_TRAILER
        return MORE
      case 'trailer-value':
        if (octet === CR) this.state = 'trailer-lf'
        else if (!isValue(octet) && octet !== SP && octet !== HTAB) return BAD_TRAILER
        return MORE
      case 'trailer-lf':
        if (octet !== LF) return BAD_TRAILER
        this.state = 'trailer-first'
        return MORE
      case 'end-lf':
        if (octet !== LF) return BAD_CHUNK
        this.state = 'ended'
        return END
    }
  }
}
