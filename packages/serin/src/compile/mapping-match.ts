/** Which requests a Mapping takes: its match, its place in the order, and the key of its group, as Emissary builds them. */
import type { HeaderMatch, PathMatch, QueryMatch, RouteMatch, TextMatch } from '../model/match.ts'
import type { Rank } from '../model/route.ts'
import type { MappingSpec } from '../resources/ambassador/types.ts'
import { regexProblem } from './regex.ts'
import type { Report } from './report.ts'

/** A condition on a header or query parameter; `:authority` and `:method` are headers too. */
interface Condition {
  readonly name: string
  /** true: present. */
  readonly value: string | true
  readonly regex: boolean
}

export interface MappingMatch {
  readonly match: RouteMatch
  readonly groupKey: string
  readonly rank: Rank
  readonly hostGlob?: string
  readonly hostIsRegex: boolean
  /** The conditions on headers as one text, for the comparison within a group. */
  readonly headersCore: string
}

/** Undefined: it can match nothing; the report says why. Pure but for the report. */
export function readMatch(spec: MappingSpec, report: Report): MappingMatch | undefined {
  const host = readHost(spec, report)
  const headers = readHeaders(spec, host)
  const query = [...conditions(spec.query_parameters, false), ...conditions(spec.regex_query_parameters, true)]
  const path = readPath(spec)
  checkRegexes(spec, path, report)
  if (report.failed) return undefined
  const precedence = spec.precedence ?? 0
  return {
    match: { path, ...matchOfHeaders(headers), query: query.map(queryMatch) },
    groupKey: groupKeyOf(spec.prefix, headers, query, precedence),
    rank: rankOf(spec.prefix, headers, query, precedence),
    ...(host !== undefined && { hostGlob: host.value }),
    hostIsRegex: host?.regex ?? false,
    headersCore: JSON.stringify(headers),
  }
}

interface HostCondition {
  readonly value: string
  readonly regex: boolean
}

/** `hostname` before `host` before an exact `:authority` header. */
function readHost(spec: MappingSpec, report: Report): HostCondition | undefined {
  const { hostname, host, host_regex: hostRegex = false } = spec
  if (hostname !== undefined && host !== undefined) {
    report.warning('host-ignored', 'both hostname and host are set; host is ignored', { path: ['spec', 'host'] })
  }
  if (hostname !== undefined) return { value: hostname, regex: false }
  if (host === undefined) {
    const authority = spec.headers?.[':authority']
    return typeof authority === 'string' ? { value: authority, regex: false } : undefined
  }
  if (!hostRegex && host !== '*' && host.includes('*')) {
    report.error('host-glob', `host "${host}" is compared as it stands, so its * matches nothing`, {
      path: ['spec', 'host'],
      suggestion: `hostname: "${host}"`,
    })
  }
  return { value: host, regex: hostRegex }
}

function readHeaders(spec: MappingSpec, host: HostCondition | undefined): Condition[] {
  const plain = conditions(spec.headers, false).filter((header) => header.name !== ':authority')
  const headers = [...plain, ...conditions(spec.regex_headers, true)]
  if (host !== undefined) headers.push({ name: ':authority', ...host })
  if (spec.method !== undefined)
    headers.push({ name: ':method', value: spec.method, regex: spec.method_regex ?? false })
  return headers
}

function conditions(fields: Readonly<Record<string, string | true>> | undefined, regex: boolean): Condition[] {
  return Object.entries(fields ?? {}).map(([name, value]) => ({ name, value, regex }))
}

function readPath(spec: MappingSpec): PathMatch {
  if (spec.prefix_regex === true) return { kind: 'regex', value: spec.prefix }
  return { kind: spec.prefix_exact === true ? 'exact' : 'prefix', value: spec.prefix }
}

function checkRegexes(spec: MappingSpec, path: PathMatch, report: Report): void {
  const check = (pattern: string | undefined, ...field: string[]): void => {
    const problem = pattern === undefined ? undefined : regexProblem(pattern)
    if (problem !== undefined)
      report.error('bad-regex', `"${pattern}": ${problem}`, { path: ['spec', ...field], expected: 'RE2 syntax' })
  }
  if (path.kind === 'regex') check(spec.prefix, 'prefix')
  if (spec.host_regex === true) check(spec.host, 'host')
  if (spec.method_regex === true) check(spec.method, 'method')
  for (const [name, pattern] of Object.entries(spec.regex_headers ?? {})) check(pattern, 'regex_headers', name)
  for (const [name, pattern] of Object.entries(spec.regex_query_parameters ?? {}))
    check(pattern, 'regex_query_parameters', name)
  check(spec.regex_rewrite?.pattern, 'regex_rewrite', 'pattern')
  check(spec.regex_redirect?.pattern, 'regex_redirect', 'pattern')
}

/** One condition on the Host has a field of its own; a second one (a pattern beside a hostname) is a header like others. */
function matchOfHeaders(conditions: readonly Condition[]): Pick<RouteMatch, 'host' | 'method' | 'headers'> {
  const headers: HeaderMatch[] = []
  let host: TextMatch | undefined
  let method: TextMatch | undefined
  for (const condition of conditions.toReversed()) {
    const name = condition.name.toLowerCase()
    const match = name === ':authority' ? hostMatch(condition) : textMatch(condition)
    if (match === undefined) continue
    if (name === ':authority' && host === undefined) host = match
    else if (name === ':method' && method === undefined) method = match
    else headers.unshift({ name, match })
  }
  return { ...(host !== undefined && { host }), ...(method !== undefined && { method }), headers }
}

/** A leading star is a suffix, a trailing one a prefix; `*` alone is no condition; a star elsewhere is a letter. */
function hostMatch(condition: Condition): TextMatch | undefined {
  const { value, regex } = condition
  if (regex || value === true) return textMatch(condition)
  if (value === '*') return undefined
  if (value.startsWith('*')) return { kind: 'suffix', value: value.slice(1) }
  return value.endsWith('*') ? { kind: 'prefix', value: value.slice(0, -1) } : { kind: 'exact', value }
}

function queryMatch(condition: Condition): QueryMatch {
  return { name: condition.name, match: textMatch(condition) }
}

function textMatch({ value, regex }: Condition): TextMatch {
  if (value === true || (regex && value === '.*')) return { kind: 'present' }
  return regex ? { kind: 'regex', value } : { kind: 'exact', value }
}

/** In Emissary the texts stand next to each other without a separator; with one, different matches cannot collide. */
function groupKeyOf(
  prefix: string,
  headers: readonly Condition[],
  query: readonly Condition[],
  precedence: number,
): string {
  const part = ({ name, value }: Condition): string => `${name}\u0001${value === true ? '' : value}`
  return [prefix, headers.map(part).join('\u0002'), query.map(part).join('\u0002'), precedence].join('\u0003')
}

/** Emissary's key: precedence, lengths, then the texts themselves; a regex counts one character more. */
function rankOf(prefix: string, headers: readonly Condition[], query: readonly Condition[], precedence: number): Rank {
  const text = (condition: Condition): string => (condition.value === true ? '*' : condition.value)
  const length = (all: readonly Condition[]): number =>
    all.reduce((sum, condition) => sum + condition.name.length + text(condition).length + (condition.regex ? 1 : 0), 0)
  const key = (condition: Condition): string => `${condition.name}-${text(condition)}`
  return [
    precedence,
    prefix.length,
    length(headers),
    length(query),
    prefix,
    'GET',
    ...headers.map(key),
    ...query.map(key),
  ]
}
