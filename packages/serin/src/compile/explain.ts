/**
 * What happens to a request: which Mappings are looked at, in order, why each does or does not match, which version this
 * client gets and why, and what the upstream sees. Pure; it uses the gateway's own rules for paths, patterns and buckets.
 */
import { compilePattern } from '../gateway/pattern.ts'
import { bucketOf, cookieValue } from '../gateway/split.ts'
import { compileTextMatch } from '../gateway/text-match.ts'
import type { Cluster } from '../model/cluster.ts'
import type { Destination } from '../model/destination.ts'
import type { Listener, VirtualHost } from '../model/listener.ts'
import type { TextMatch } from '../model/match.ts'
import type { Route } from '../model/route.ts'
import { SHARE_WHOLE, type Split } from '../model/split.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { normalisePath } from '../wire/path.ts'
import { explainUpstream, type UpstreamExplanation } from './explain-upstream.ts'

export interface ExplainRequest {
  /** Default GET. */
  readonly method?: string
  /** `http://host:port/path?query`; a path alone means the first Listener. */
  readonly url: string
  readonly headers?: readonly (readonly [string, string])[]
  /** Default 127.0.0.1. */
  readonly clientAddress?: string
}

/** One condition of a Route. */
interface Check {
  readonly what: string
  readonly matches: boolean
}

export interface Considered {
  readonly mappings: readonly string[]
  readonly matches: boolean
  readonly checks: readonly Check[]
}

interface VersionShare {
  readonly mapping: string
  readonly version: string
  readonly percent: number
}

interface Choice {
  /** Absent: the version is not settled by the request alone. */
  readonly mapping?: string
  readonly because: string
}

export interface Explanation {
  readonly request: {
    readonly method: string
    readonly host: string
    readonly path: string
    /** With its question mark, or empty. */
    readonly query: string
    readonly secure: boolean
  }
  readonly listener?: { readonly name: string; readonly port: number }
  /** The Host resource. */
  readonly host?: { readonly name: string; readonly hostname: string }
  readonly considered: readonly Considered[]
  /** Routes that were passed over because their path does not match, beyond those in `considered`. */
  readonly passedOver: number
  readonly shares: readonly VersionShare[]
  readonly choice?: Choice
  /** For each version that the request may get. */
  readonly upstream: readonly UpstreamExplanation[]
  /** One sentence. */
  readonly outcome: string
}

/** Routes that do not even match by path are counted beyond this many. */
const CONSIDERED_MAX = 20

interface Facts {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly query: string
  readonly secure: boolean
  readonly clientAddress: string
  header(name: string): string | undefined
}

/** Pure. */
export function explain(snapshot: Snapshot, request: ExplainRequest): Explanation {
  const url = readUrl(request.url)
  const listener = findListener(snapshot.listeners, url)
  const facts = readFacts(snapshot, request, url, listener)
  const base: Explanation = {
    request: { method: facts.method, host: facts.host, path: facts.path, query: facts.query, secure: facts.secure },
    ...(listener !== undefined && { listener: { name: listener.name, port: listener.port } }),
    considered: [],
    passedOver: 0,
    shares: [],
    upstream: [],
    outcome: '',
  }
  if (listener === undefined)
    return { ...base, outcome: `nothing listens on port ${url.port}: the connection is refused` }
  const host = findVirtualHost(snapshot, listener, facts.host)
  if (host === undefined) return { ...base, outcome: `404: no Host serves "${facts.host}"` }
  return { ...base, host: { name: host.name, hostname: host.hostname }, ...route(snapshot, facts, host) }
}

interface Url {
  readonly scheme: string
  readonly authority: string
  /** As written; absent: a person who leaves it out means the gateway, wherever it listens. */
  readonly port: number | undefined
  readonly path: string
  readonly query: string
}

function readUrl(text: string): Url {
  const [, scheme = 'http', authority = '', rest = '/'] = /^(?:(https?):\/\/([^/?#]*))?(.*)$/i.exec(text) ?? []
  const target = rest.startsWith('/') ? rest : `/${rest}`
  const mark = target.indexOf('?')
  const [, port] = /:(\d+)$/.exec(authority) ?? []
  return {
    scheme: scheme.toLowerCase(),
    authority,
    port: port === undefined ? undefined : Number(port),
    path: mark === -1 ? target : target.slice(0, mark),
    query: mark === -1 ? '' : target.slice(mark),
  }
}

/** Without a port in the URL: the scheme's own port if a Listener has it, else the first Listener of that scheme, else any that speaks HTTP. */
function findListener(listeners: readonly Listener[], { port, scheme }: Url): Listener | undefined {
  const speaking = listeners.filter(({ protocol }) => protocol === 'http' || protocol === 'https')
  const on = (wanted: number): Listener | undefined => speaking.find((listener) => listener.port === wanted)
  if (port !== undefined) return on(port)
  return on(scheme === 'https' ? 443 : 80) ?? speaking.find(({ protocol }) => protocol === scheme) ?? speaking[0]
}

function readFacts(snapshot: Snapshot, request: ExplainRequest, url: Url, listener: Listener | undefined): Facts {
  const { settings } = snapshot
  const headers = new Map<string, string>()
  for (const [name, given] of request.headers ?? []) {
    const key = name.toLowerCase()
    const value = given.trim()
    const before = headers.get(key)
    headers.set(key, before === undefined ? value : `${before},${value}`)
  }
  const octets = Buffer.from(url.path, 'latin1')
  const rules = { mergeSlashes: settings.mergeSlashes, rejectEscapedSlashes: settings.rejectEscapedSlashes }
  const proto = headers.get('x-forwarded-proto')
  const believed = (listener?.trustedHops ?? 0) > 0 || !settings.useRemoteAddress
  const https = url.scheme === 'https' || (believed && proto === 'https')
  return {
    method: request.method ?? 'GET',
    host: stripPort(headers.get('host') ?? url.authority, settings.stripHostPort, listener?.port),
    path: normalisePath(octets, 0, octets.length, rules) ?? url.path,
    query: url.query,
    secure: listener?.securityModel === 'secure' || (listener?.securityModel === 'xfp' && https),
    clientAddress: request.clientAddress ?? '127.0.0.1',
    header: (name) => headers.get(name),
  }
}

function stripPort(host: string, strip: Snapshot['settings']['stripHostPort'], port: number | undefined): string {
  const [, name, given] = /^(.*):(\d+)$/.exec(host) ?? []
  if (name === undefined || strip === 'none') return host
  return strip === 'any' || given === String(port) ? name : host
}

/** Exact, then the longest `*.suffix`, then the longest `prefix.*`, then `*`. */
function findVirtualHost(snapshot: Snapshot, listener: Listener, host: string): VirtualHost | undefined {
  const name = host.toLowerCase()
  const served = snapshot.virtualHosts.filter((entry) => listener.virtualHosts.includes(entry.name))
  const longest = (hosts: readonly VirtualHost[]): VirtualHost | undefined =>
    hosts.toSorted((left, right) => right.hostname.length - left.hostname.length)[0]
  const exact = served.find(({ hostname }) => hostname === name)
  const suffix = longest(
    served.filter(
      ({ hostname }) => hostname.length > 1 && hostname.startsWith('*') && hasMore(name, hostname.slice(1), 'end'),
    ),
  )
  const prefix = longest(
    served.filter(
      ({ hostname }) => hostname.length > 1 && hostname.endsWith('*') && hasMore(name, hostname.slice(0, -1), 'start'),
    ),
  )
  return exact ?? suffix ?? prefix ?? served.find(({ hostname }) => hostname === '*')
}

function hasMore(name: string, fixed: string, side: 'start' | 'end'): boolean {
  return name.length > fixed.length && (side === 'end' ? name.endsWith(fixed) : name.startsWith(fixed))
}

type Routed = Pick<Explanation, 'considered' | 'passedOver' | 'shares' | 'upstream' | 'outcome'> & {
  readonly choice?: Choice
}

const ACME_CHALLENGE = '/.well-known/acme-challenge/'

function route(snapshot: Snapshot, facts: Facts, host: VirtualHost): Routed {
  const considered: Considered[] = []
  let passedOver = 0
  let left = SHARE_WHOLE
  for (const candidate of snapshot.routes) {
    if (!candidate.virtualHosts.includes(host.name)) continue
    const checks = checksOf(candidate, facts)
    const matches = checks.every((check) => check.matches)
    const byPath = checks[0]?.matches === true
    if (!byPath && considered.length >= CONSIDERED_MAX) passedOver++
    else considered.push({ mappings: candidate.split.destinations.map(({ mapping }) => mapping), matches, checks })
    if (!matches) continue
    const choice = choose(candidate.split, facts)
    const total = candidate.split.destinations.reduce((sum, { share }) => sum + share, 0)
    left = SHARE_WHOLE - total
    if (choice.mapping === undefined && total === 0) continue
    const insecure = insecureOutcome(host, facts)
    return {
      considered,
      passedOver,
      ...served(snapshot, candidate, choice, facts),
      ...(insecure !== undefined && { outcome: insecure, upstream: [] }),
    }
  }
  const note = left < SHARE_WHOLE ? ', for the share that no Mapping takes' : ''
  return { considered, passedOver, shares: [], upstream: [], outcome: `404: no Mapping matches${note}` }
}

function insecureOutcome({ insecure, name }: VirtualHost, { secure, path, host, query }: Facts): string | undefined {
  if (secure || insecure === 'route' || path.startsWith(ACME_CHALLENGE)) return undefined
  if (insecure === 'reject') return `404: the request is not secure and Host ${name} rejects it`
  return `301 to https://${host.replace(/:80$/, '')}${path}${query}: the request is not secure and Host ${name} redirects it`
}

function served(
  snapshot: Snapshot,
  { match, split }: Route,
  choice: Choice,
  facts: Facts,
): Pick<Routed, 'shares' | 'upstream' | 'outcome' | 'choice'> {
  const shares = split.destinations.map(({ mapping, version, share }) => ({
    mapping,
    version,
    percent: share / (SHARE_WHOLE / 100),
  }))
  const possible = split.destinations.filter(({ mapping, share }) =>
    choice.mapping === undefined ? share > 0 : mapping === choice.mapping,
  )
  const clusters = new Map(snapshot.clusters.map((cluster) => [cluster.name, cluster]))
  const upstream = possible.map((destination) =>
    explainUpstream(destination, match.path, clusterOf(destination, clusters), facts),
  )
  const rest = SHARE_WHOLE - split.destinations.reduce((sum, { share }) => sum + share, 0)
  const further =
    rest > 0 && choice.mapping === undefined ? [`${rest / (SHARE_WHOLE / 100)} % go on to the next route`] : []
  const outcome = [...upstream.map(({ mapping, summary }) => `${mapping}: ${summary}`), ...further].join('; or ')
  return { shares, choice, upstream, outcome }
}

function clusterOf({ action }: Destination, clusters: ReadonlyMap<string, Cluster>): Cluster | undefined {
  return action.kind === 'forward' ? clusters.get(action.cluster) : undefined
}

/** Path first: most Routes end there. */
function checksOf({ match, split }: Route, facts: Facts): Check[] {
  const folds = split.destinations.some(({ caseSensitive }) => !caseSensitive) && match.path.kind !== 'regex'
  const checks: Check[] = [
    {
      what: `path ${describePath(match.path)}${folds ? ' (any case)' : ''}`,
      matches: pathMatches(match.path, facts.path, folds),
    },
  ]
  if (!checks[0]!.matches) return checks
  const add = (what: string, text: TextMatch, value: string | undefined): void => {
    const got = value === undefined ? 'absent' : `is "${value}"`
    const matches = value !== undefined && compileTextMatch(text)(value)
    checks.push({ what: `${what} ${describeText(text)}${matches ? '' : `, ${got}`}`, matches })
  }
  if (match.host !== undefined) add('host', match.host, facts.host)
  if (match.method !== undefined) add('method', match.method, facts.method)
  for (const { name, match: text } of match.headers) add(`header ${name}`, text, pseudoOrHeader(name, facts))
  for (const { name, match: text } of match.query) add(`query ${name}`, text, parameter(facts.query, name))
  return checks
}

function pathMatches({ kind, value }: Route['match']['path'], path: string, folds: boolean): boolean {
  if (kind === 'regex') return compilePattern(value, true)?.test(path) ?? false
  const [text, wanted] = folds ? [path.toLowerCase(), value.toLowerCase()] : [path, value]
  return kind === 'exact' ? text === wanted : text.startsWith(wanted)
}

function pseudoOrHeader(name: string, facts: Facts): string | undefined {
  if (name === ':path') return facts.path + facts.query
  if (name === ':authority') return facts.host
  if (name === ':method') return facts.method
  return name === ':scheme' ? (facts.secure ? 'https' : 'http') : facts.header(name)
}

/** The first of that name, undecoded. */
function parameter(query: string, name: string): string | undefined {
  for (const pair of query.slice(1).split('&')) {
    const [key = '', ...value] = pair.split('=')
    if (key === name) return value.join('=')
  }
  return undefined
}

function describePath({ kind, value }: Route['match']['path']): string {
  return kind === 'prefix' ? `begins with ${value}` : kind === 'exact' ? `is ${value}` : `matches ${value}`
}

function describeText(match: TextMatch): string {
  switch (match.kind) {
    case 'exact':
      return `is "${match.value}"`
    case 'prefix':
      return `begins with "${match.value}"`
    case 'suffix':
      return `ends with "${match.value}"`
    case 'regex':
      return `matches ${match.value}`
    case 'present':
      return 'is there'
  }
}

function choose(split: Split, facts: Facts): Choice {
  const { destinations, by, overrideHeader } = split
  const wanted = overrideHeader === undefined ? undefined : facts.header(overrideHeader)
  const named = wanted === undefined ? undefined : destinations.find((destination) => isNamed(destination, wanted))
  if (named !== undefined) return { mapping: named.mapping, because: `header ${overrideHeader} asks for it` }
  const whole = destinations.find(({ share }) => share === SHARE_WHOLE)
  if (whole !== undefined)
    return { mapping: whole.mapping, because: destinations.length === 1 ? 'there is no other version' : 'it has 100 %' }
  if (by.kind === 'random') return { because: 'versions take turns by their shares' }
  const key = stickyKey(by.key, facts)
  const source = by.key.kind === 'client-address' ? 'the client address' : `${by.key.kind} ${by.key.name}`
  if (key === undefined) return { because: `the request has no ${source}, so versions take turns by their shares` }
  const bucket = bucketOf(by.salt, key)
  let cumulative = 0
  for (const { mapping, share } of destinations) {
    cumulative += share
    if (bucket < cumulative)
      return {
        mapping,
        because: `${source} "${key}" falls into bucket ${bucket}, below ${cumulative} of ${SHARE_WHOLE}`,
      }
  }
  return { because: `${source} "${key}" falls into bucket ${bucket}, which no version has` }
}

function isNamed({ mapping, version }: Destination, name: string): boolean {
  return name === version || name === mapping || name === mapping.slice(mapping.indexOf('/') + 1)
}

function stickyKey(key: Extract<Split['by'], { kind: 'sticky' }>['key'], facts: Facts): string | undefined {
  if (key.kind === 'client-address') return facts.clientAddress
  if (key.kind === 'header') return facts.header(key.name.toLowerCase())
  return cookieValue(facts.header('cookie') ?? null, key.name) ?? undefined
}
