/** The body of one message as it arrives, whatever its framing. No allocation. */
import { ChunkedDecoder, DATA, END, MORE } from './chunked.ts'
import { CHUNKED, UNTIL_CLOSE } from './framing.ts'
import type { Limits } from './limits.ts'

export class BodyReader {
  position = 0
  dataStart = 0
  dataEnd = 0
  /** Body octets seen so far, decoded. */
  bytes = 0
  /** Octets still to come, or the framing where no length is known. */
  remaining = 0
  private framing = 0
  private finished = true
  private readonly chunked: ChunkedDecoder = new ChunkedDecoder()

  /** `framing` is a length, CHUNKED or UNTIL_CLOSE. */
  begin(framing: number): void {
    this.framing = framing
    this.bytes = 0
    this.remaining = framing
    this.finished = framing === 0
    if (framing === CHUNKED) this.chunked.reset()
  }

  get ended(): boolean {
    return this.finished
  }

  /** Lines after a chunked body. */
  get trailers(): string {
    return this.framing === CHUNKED ? this.chunked.trailerText : ''
  }

  /** True if a FIN now is the end of the message. */
  get endsWithClose(): boolean {
    return this.framing === UNTIL_CLOSE
  }

  /** As ChunkedDecoder.next: DATA, END, MORE or a fault. END may come right after the last DATA, without new octets. */
  next(buffer: Uint8Array, start: number, end: number, limits: Limits): number {
    if (this.framing === CHUNKED) {
      const outcome = this.chunked.next(buffer, start, end, limits)
      this.position = this.chunked.position
      if (outcome === DATA) {
        this.dataStart = this.chunked.dataStart
        this.dataEnd = this.chunked.dataEnd
        this.bytes += this.dataEnd - this.dataStart
      } else if (outcome === END) this.finished = true
      return outcome
    }
    this.position = start
    if (this.finished) return END
    if (start === end) return MORE
    const take = this.framing === UNTIL_CLOSE ? end - start : Math.min(this.remaining, end - start)
    this.dataStart = start
    this.dataEnd = start + take
    this.position = start + take
    this.bytes += take
    if (this.framing >= 0) {
      this.remaining -= take
      if (this.remaining === 0) this.finished = true
    }
    return DATA
  }
}
