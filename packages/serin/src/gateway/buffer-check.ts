/** The Module's `buffer`: a request is sent on when all of it is here, or refused when it is too large (Envoy's buffer filter). */
import { FAULTS } from '../wire/fault.ts'
import { type Check, type HeldRequest, PASS, type Verdict } from './check.ts'
import type { CompiledForward } from './compiled-destination.ts'

const TOO_LARGE: Verdict = {
  kind: 'answer',
  reply: { status: 413, body: FAULTS.bodyTooLarge.text },
  code: FAULTS.bodyTooLarge.code,
  flag: '-',
}

export class BufferCheck implements Check {
  private readonly bytesMax: number

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  wants(_forward: CompiledForward, framing: number): number {
    return framing === 0 ? -1 : this.bytesMax + 1
  }

  decide({ body, bodyEnded }: HeldRequest, done: (verdict: Verdict) => void): () => void {
    done(!bodyEnded || body.length > this.bytesMax ? TOO_LARGE : PASS)
    return nothing
  }
}

function nothing(): void {
  // it is decided at once
}
