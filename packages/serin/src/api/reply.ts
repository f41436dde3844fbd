/** How answers and errors are written. */
import type { ServerResponse } from 'node:http'
import { contentTypeOf, encode, type Representation } from './negotiate.ts'
import type { Answer } from './resources.ts'
import { codeOf, statusOf, type Status } from './status.ts'

export function send(
  response: ServerResponse,
  { code, body }: Answer,
  {
    representation,
    warnings,
    isPretty,
  }: { representation: Representation; warnings: readonly string[]; isPretty: boolean },
): void {
  const text = encode(body, representation, isPretty)
  response.writeHead(code, {
    'Content-Type': contentTypeOf(representation),
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-cache, private',
    ...warningHeaders(warnings),
  })
  response.end(text)
}

export function sendError(
  response: ServerResponse,
  error: unknown,
  { warnings, isHead }: { readonly warnings: readonly string[]; readonly isHead: boolean },
): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const status: Status = statusOf(error)
  const text = `${JSON.stringify(status)}\n`
  const retryAfter = status.details?.['retryAfterSeconds']
  const code = status.code ?? codeOf('InternalError')
  response.writeHead(code, {
    'Content-Type': 'application/json',
    'Content-Length': isHead ? 0 : Buffer.byteLength(text),
    'Cache-Control': 'no-cache, private',
    ...(typeof retryAfter === 'number' ? { 'Retry-After': String(retryAfter) } : {}),
    ...(code === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
    // What is left of a body that was refused is not read.
    ...(code === 413 ? { Connection: 'close' } : {}),
    ...warningHeaders(warnings),
  })
  response.end(isHead ? undefined : text)
}

/** RFC 7234 §5.5, as Kubernetes writes them: the same text once. */
function warningHeaders(warnings: readonly string[]): { Warning?: string[] } {
  const unique = [...new Set(warnings)]
  if (unique.length === 0) return {}
  return {
    Warning: unique.map(
      (text) =>
        `299 - "${text
          .replaceAll('\\', '\\\\')
          .replaceAll('"', '\\"')
          .replaceAll(/[^\u0020-\u007e]/g, '?')}"`,
    ),
  }
}
