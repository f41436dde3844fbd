/** Header values with Envoy's `%OPERATOR%`s: parsed here, filled in by the gateway. */
import { OPERATOR_NAMES } from '../gateway/operators.ts'
import type { HeaderChange, HeaderChanges, HeaderValuePart } from '../model/destination.ts'
import { suggest } from '../resources/suggest.ts'

/** Operators whose argument must be there. */
const ARGUMENT_OPERATORS: readonly string[] = ['REQ', 'RESP', 'ENVIRONMENT']
/** Operators whose argument may be left out; the others take none. */
const OPTIONAL_ARGUMENT_OPERATORS: readonly string[] = ['START_TIME']

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

export type ParsedValue =
  | { readonly ok: true; readonly parts: readonly HeaderValuePart[] }
  | { readonly ok: false; readonly reason: string }

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
    if (wrong !== undefined) return { ok: false, reason: wrong }
    if (text !== '') parts.push({ kind: 'text', text })
    text = ''
    parts.push({ kind: 'operator', operator, ...(argument !== undefined && { argument }) })
    index += whole.length - 1
  }
  if (text !== '' || parts.length === 0) parts.push({ kind: 'text', text })
  return { ok: true, parts }
}

function operatorProblem(operator: string, argument: string | undefined): string | undefined {
  if (!OPERATOR_NAMES.includes(operator)) {
    const nearest = suggest(operator, OPERATOR_NAMES)
    return `unknown operator %${operator}%${nearest === undefined ? '' : `; did you mean %${nearest}%?`}`
  }
  if (ARGUMENT_OPERATORS.includes(operator)) {
    return argument === undefined || argument === ''
      ? `%${operator}% wants a name, as in %${operator}(x-name)%`
      : undefined
  }
  const takesOne = OPTIONAL_ARGUMENT_OPERATORS.includes(operator)
  return argument !== undefined && !takesOne ? `%${operator}% takes no argument` : undefined
}

export interface HeaderProblem {
  readonly path: readonly string[]
  readonly reason: string
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
    // Envoy adds no header with an empty value.
    if (value === '') continue
    if (parsed.ok) additions.push({ name, value: parsed.parts, append })
    else
      problems.push({
        path: ['add', name, 'value'],
        reason: parsed.reason,
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
