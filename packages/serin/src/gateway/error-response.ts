/** error_response_overrides: a body of one's own in place of an error's, whether the upstream or the gateway made it. */
import type { ErrorResponse } from '../model/destination.ts'
import { fieldName, plainChanges, type CompiledChanges } from './compiled-changes.ts'
import type { LocalReply } from './local-reply.ts'
import { type OperatorValues, valueText } from './header-changes.ts'

export interface ErrorBody {
  readonly body: Buffer
  readonly contentType: string
  /** For the upstream's head: what described its body goes. */
  readonly changes: CompiledChanges
}

const DESCRIBING = ['content-encoding', 'etag', 'last-modified', 'accept-ranges', 'content-range'].map(fieldName)

/** A local answer, with the body that its status has been given. */
export function withOwnBody(
  reply: LocalReply,
  responses: readonly ErrorResponse[],
  values: OperatorValues,
): LocalReply {
  const own = responses.length === 0 ? null : errorBody(responses, reply.status, values)
  return own === null ? reply : { ...reply, body: own.body, contentType: own.contentType }
}

/** Null: this status keeps its body. */
export function errorBody(
  responses: readonly ErrorResponse[],
  status: number,
  values: OperatorValues,
): ErrorBody | null {
  const response = responses.find((candidate) => candidate.status === status)
  if (!response) return null
  // An operator without a value is written as `-`, as in Envoy's formats.
  const text = response.body
    .map((part) => (part.kind === 'text' ? part.text : (valueText([part], values) ?? '-')))
    .join('')
  const { add } = plainChanges([['content-type', response.contentType]], false)
  return { body: Buffer.from(text), contentType: response.contentType, changes: { add, remove: DESCRIBING } }
}
