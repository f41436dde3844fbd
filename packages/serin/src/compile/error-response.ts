/** `error_response_overrides`: the gateway's own body for an error status. */
import type { ErrorResponse } from '../model/destination.ts'
import type { ErrorResponseSpec } from '../resources/ambassador/types.ts'
import { parseHeaderValue } from './headers.ts'

/** Or why there is none. Pure. */
export function errorResponse({ on_status_code: status, body }: ErrorResponseSpec): ErrorResponse | string {
  const { text_format: text, json_format: json, content_type: contentType } = body
  if (body.text_format_source !== undefined) {
    return 'text_format_source reads a file of the gateway; write the text in text_format'
  }
  const source = text ?? (json === undefined ? undefined : JSON.stringify(json))
  if (source === undefined) return 'body has one of text_format and json_format'
  const parsed = parseHeaderValue(source, 'text')
  if (!parsed.ok) return parsed.reason
  const usualType = text === undefined ? 'application/json' : 'text/plain'
  return { status, contentType: contentType ?? usualType, body: parsed.parts }
}
