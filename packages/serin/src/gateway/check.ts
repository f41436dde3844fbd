/**
 * What a request has to pass before it is sent on, besides what can be decided at once: its whole body is wanted, somebody else is asked.
 * A request that waits is a copy of its head and what came of its body; it goes on with the head as the check leaves it.
 */
import type { CompiledForward } from './compiled-destination.ts'
import type { CompiledChanges } from './compiled-changes.ts'
import type { LocalReply } from './local-reply.ts'
import type { FlagName } from '../metrics/flags.ts'

/** A request that waits. */
export interface HeldRequest {
  readonly method: string
  readonly authority: string
  /** Normalised path and query. */
  readonly path: string
  readonly proto: string
  readonly peerAddress: string
  readonly externalAddress: string
  /** What X-Forwarded-For is for the upstream. */
  readonly forwardedFor: string
  readonly requestId: string
  /** As it came, from the method to the empty line. */
  readonly head: Buffer
  /** Of the body; at most what the check asked for, and a read more. */
  readonly body: Buffer
  /** All of it is here. */
  readonly bodyEnded: boolean
  readonly forward: CompiledForward
}

/** What becomes of it. */
export type Verdict =
  /** It goes on; `fields` replace or (with `append`) join the head's, `remove` are taken out; the answer gets `answerChanges`. */
  | {
      readonly kind: 'pass'
      readonly set?: readonly (readonly [string, string])[]
      readonly append?: readonly (readonly [string, string])[]
      readonly remove?: readonly string[]
      readonly answerChanges?: CompiledChanges | null
    }
  | { readonly kind: 'answer'; readonly reply: LocalReply; readonly code: string; readonly flag: FlagName | '-' }

export const PASS: Verdict = { kind: 'pass' }

export interface Check {
  /** Octets of the body it wants to see; 0: none; -1: the check does not apply. `framing` as in wire/framing.ts. */
  wants(forward: CompiledForward, framing: number): number
  /** Decides, now or later, once. Returns how to call it off. */
  decide(request: HeldRequest, done: (verdict: Verdict) => void): () => void
}

const FRAMING_FIELDS: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'expect',
  'te',
  'trailer',
])

/** The head with what a check changes in it; fields that frame the message are left alone. Pure. */
export function editedHead(head: Buffer, verdict: Extract<Verdict, { kind: 'pass' }>): Buffer {
  const { set = [], append = [], remove = [] } = verdict
  if (set.length + append.length + remove.length === 0) return head
  const gone = new Set([...set.map(([name]) => name.toLowerCase()), ...remove.map((name) => name.toLowerCase())])
  const [requestLine = '', ...lines] = head.toString('latin1').split('\r\n')
  const kept = lines.filter((line) => {
    const name = line.slice(0, line.indexOf(':')).toLowerCase()
    return line !== '' && (FRAMING_FIELDS.has(name) || !gone.has(name))
  })
  const added = [...set, ...append]
    .filter(([name]) => /^[\w!#$%&'*+.^`|~-]+$/u.test(name) && !FRAMING_FIELDS.has(name.toLowerCase()))
    // oxlint-disable-next-line no-control-regex
    .map(([name, value]) => `${name}: ${value.replaceAll(/[\0\r\n\u0100-\uFFFF]/gu, '?')}`)
  return Buffer.from(`${[requestLine, ...kept, ...added].join('\r\n')}\r\n\r\n`, 'latin1')
}

/** Lines for a local answer, each with its CRLF. Pure. */
export function replyLines(fields: readonly (readonly [string, string])[]): string {
  // oxlint-disable-next-line no-control-regex
  return fields.map(([name, value]) => `${name}: ${value.replaceAll(/[\0\r\n\u0100-\uFFFF]/gu, '?')}\r\n`).join('')
}
