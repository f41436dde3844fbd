/**
 * Cross-origin requests (Fetch standard §3.2), answered as Envoy's filter does: an allowed origin gets its headers and its
 * preflight is answered here; any other request goes on untouched.
 */
import type { CorsPolicy } from '../model/destination.ts'
import { FIELD } from '../wire/field-names.ts'
import type { Head } from '../wire/head.ts'
import { type CompiledChanges, fieldName, plainChanges } from './compiled-changes.ts'

export interface CorsAnswer {
  /** The preflight is answered by the gateway itself. */
  readonly isPreflight: boolean
  readonly changes: CompiledChanges
}

/** Origins whose answers are kept ready; `*` makes them anew. */
interface ReadyAnswers {
  readonly simple: CorsAnswer
  readonly preflight: CorsAnswer
}

const REQUEST_METHOD = fieldName('access-control-request-method')

export class Cors {
  private readonly policy: CorsPolicy
  private readonly allowsAll: boolean
  private readonly answers: ReadonlyMap<string, ReadyAnswers>

  constructor(policy: CorsPolicy) {
    this.policy = policy
    this.allowsAll = policy.origins.includes('*')
    this.answers = new Map(policy.origins.map((origin) => [origin, readyAnswers(policy, origin)]))
  }

  /** Null: no Origin, or a foreign one. */
  answer(head: Head, method: string): CorsAnswer | null {
    const index = head.find(FIELD.origin)
    if (index < 0) return null
    const origin = head.value(index)
    const ready = this.answers.get(origin) ?? (this.allowsAll ? readyAnswers(this.policy, origin) : undefined)
    if (!ready) return null
    const asks = method === 'OPTIONS' ? head.joined(REQUEST_METHOD.lower, REQUEST_METHOD.hash) : null
    return asks === null || asks === '' ? ready.simple : ready.preflight
  }
}

function readyAnswers(policy: CorsPolicy, origin: string): ReadyAnswers {
  const simple: [string, string][] = [['access-control-allow-origin', origin]]
  if (policy.credentials) simple.push(['access-control-allow-credentials', 'true'])
  if (policy.exposedHeaders !== undefined) simple.push(['access-control-expose-headers', policy.exposedHeaders])
  const preflight = [...simple]
  if (policy.methods !== undefined) preflight.push(['access-control-allow-methods', policy.methods])
  if (policy.headers !== undefined) preflight.push(['access-control-allow-headers', policy.headers])
  if (policy.maxAge !== undefined) preflight.push(['access-control-max-age', policy.maxAge])
  return {
    simple: { isPreflight: false, changes: plainChanges(simple, false) },
    preflight: { isPreflight: true, changes: plainChanges(preflight, false) },
  }
}
