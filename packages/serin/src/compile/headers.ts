/** Header values with Envoy's `%OPERATOR%`s: parsed here, filled in by the gateway. */
import type { HeaderChange, HeaderChanges, HeaderValuePart } from '../model/destination.ts'

/** Operators without an argument. */
const PLAIN_OPERATORS: readonly string[] = [
  'PROTOCOL',
  'RESPONSE_CODE',
  'RESPONSE_CODE_DETAILS',
  'RESPONSE_FLAGS',
  'DURATION',
  'REQUEST_DURATION',
  'RESPONSE_DURATION',
  'BYTES_RECEIVED',
  'BYTES_SENT',
  'UPSTREAM_HOST',
  'UPSTREAM_CLUSTER',
  'UPSTREAM_REMOTE_ADDRESS',
  'DOWNSTREAM_REMOTE_ADDRESS',
  'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_DIRECT_REMOTE_ADDRESS',
  'DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_LOCAL_ADDRESS',
  'DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_LOCAL_PORT',
  'DOWNSTREAM_TLS_VERSION',
  'DOWNSTREAM_PEER_SUBJECT',
  'REQUESTED_SERVER_NAME',
  'HOSTNAME',
  'ROUTE_NAME',
]
/** Operators whose argument must be there. */
const ARGUMENT_OPERATORS: readonly string[] = ['REQ', 'RESP', 'ENVIRONMENT']
/** Operators whose argument may be left out. */
const OPTIONAL_ARGUMENT_OPERATORS: readonly string[] = ['START_TIME']
const OPERATORS: readonly string[] = [...PLAIN_OPERATORS, ...ARGUMENT_OPERATORS, ...OPTIONAL_ARGUMENT_OPERATORS]

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

export type ParsedValue =
  | { readonly ok: true; readonly parts: readonly HeaderValuePart[] }
  | { readonly ok: false; readonly reason: string; readonly word?: string }

/** `v-%REQ(x-a)%` to its parts; `%%` is a percent sign. A `text` may hold line breaks. Pure. */
export function parseHeaderValue(value: string, kind: 'header' | 'text' = 'header'): ParsedValue {
  // eslint-disable-next-line no-control-regex -- exactly these octets would split the header
  if (kind === 'header' && /[\0\r\n]/.test(value))
    return { ok: false, reason: 'a header value cannot hold a line break' }
  const parts: HeaderValuePart[] = []
  let text = ''
  for (let index = 0; index < value.length; index++) {
    if (value[index] !== '%') {
      text += value[index]
      continue
    }
    if (value[index + 1] === '%') {
      text += '%'
      index++
      continue
    }
    const [whole = '', operator = '', argument] = /^%([A-Z_]+)(?:\(([^)]*)\))?(?::\d+)?%/.exec(value.slice(index)) ?? []
    if (whole === '') return { ok: false, reason: `a lone % at position ${index}; write %% for a percent sign` }
    const wrong = operatorProblem(operator, argument)
    if (wrong !== undefined) return { ok: false, reason: wrong, word: operator }
    if (text !== '') parts.push({ kind: 'text', text })
    text = ''
    parts.push({ kind: 'operator', operator, ...(argument !== undefined && { argument }) })
    index += whole.length - 1
  }
  if (text !== '' || parts.length === 0) parts.push({ kind: 'text', text })
  return { ok: true, parts }
}

function operatorProblem(operator: string, argument: string | undefined): string | undefined {
  if (!OPERATORS.includes(operator)) return `unknown operator %${operator}%`
  if (ARGUMENT_OPERATORS.includes(operator) && (argument === undefined || argument === '')) {
    return `%${operator}% wants a name, as in %${operator}(x-name)%`
  }
  if (PLAIN_OPERATORS.includes(operator) && argument !== undefined) return `%${operator}% takes no argument`
  return undefined
}

export interface HeaderProblem {
  readonly path: readonly string[]
  readonly reason: string
  readonly word?: string
}

/** `add_*_headers` and `remove_*_headers` of a Mapping. A plain string for `{value: …}` is read too. Pure. */
export function readHeaderChanges(
  add: Readonly<Record<string, unknown>>,
  remove: readonly string[],
): { readonly changes: HeaderChanges; readonly problems: readonly HeaderProblem[] } {
  const problems: HeaderProblem[] = []
  const additions: HeaderChange[] = []
  for (const [name, entry] of Object.entries(add)) {
    const { value, append = true } =
      typeof entry === 'object' && entry !== null ? (entry as { value?: unknown; append?: boolean }) : { value: entry }
    const reason = nameProblem(name)
    if (reason !== undefined) problems.push({ path: ['add', name], reason })
    if (typeof value !== 'string') {
      problems.push({ path: ['add', name], reason: `header "${name}" has no value` })
      continue
    }
    const parsed = parseHeaderValue(value)
    if (parsed.ok) additions.push({ name, value: parsed.parts, append })
    else
      problems.push({
        path: ['add', name, 'value'],
        reason: parsed.reason,
        ...(parsed.word !== undefined && { word: parsed.word }),
      })
  }
  for (const [index, name] of remove.entries()) {
    const reason = nameProblem(name)
    if (reason !== undefined) problems.push({ path: ['remove', String(index)], reason })
  }
  return { changes: { add: additions, remove: remove.map((name) => name.toLowerCase()) }, problems }
}

function nameProblem(name: string): string | undefined {
  if (name.startsWith(':') || name.toLowerCase() === 'host') {
    return `"${name}" can be neither added nor removed; host_rewrite sets the Host`
  }
  return NAME.test(name) ? undefined : `"${name}" is no header name`
}
