/** A Route of the Snapshot, ready to be asked whether it takes a request, and which version of it. */
import type { Destination } from '../model/destination.ts'
import type { HeaderMatch, QueryMatch } from '../model/match.ts'
import type { Route } from '../model/route.ts'
import { SHARE_WHOLE } from '../model/split.ts'
import { nameHash } from '../wire/field-names.ts'
import type { Head } from '../wire/head.ts'
import { octetsOf } from '../wire/octets.ts'
import { compileDestination, type CompiledDestination, type DestinationNeeds } from './compiled-destination.ts'
import { compilePattern, literalPrefix } from './pattern.ts'
import { bucketOf, keyReader, needsTurns, type KeyReader, Turns, type WorkerPlace } from './split.ts'
import { compileTextMatch, type Predicate } from './text-match.ts'

/** What a request shows to the routes. One per worker, refilled. */
export interface RouteQuery {
  /** Host as it came, without a port where ports are stripped. */
  host: string
  /** Normalised, without the query. */
  path: string
  /** The path in lower case; made when first needed. */
  folded: string
  /** After the `?`, undecoded; '' if there is none. */
  query: string
  method: string
  /** http or https: of the connection, or as a trusted proxy says. */
  scheme: string
  head: Head
  clientAddress: string
  /** The one random number of this request, or -1: the same for every Route it meets, as in Envoy. */
  number: number
}

interface FieldMatcher {
  /** `:path` or `:scheme`; '' for a real field. */
  readonly pseudo: string
  readonly name: Uint8Array
  readonly hash: number
  readonly test: Predicate
}

interface ParameterMatcher {
  readonly name: string
  readonly test: Predicate
}

export class CompiledRoute {
  readonly route: Route
  /** Literal text the path must begin with: where the Route stands in the tree. */
  readonly literal: string
  /** Whether `literal` is compared without regard to case. */
  readonly folds: boolean
  readonly destinations: readonly CompiledDestination[]
  private readonly exact: boolean
  private readonly pattern: RegExp | null
  private readonly method: Predicate | null
  private readonly host: Predicate | null
  private readonly fields: readonly FieldMatcher[]
  private readonly parameters: readonly ParameterMatcher[]
  readonly turns: Turns | null
  private readonly sticky: KeyReader | null
  private readonly overrideName: Uint8Array | null
  private readonly overrideHash: number

  /** `before`: the Route of the same id that this one replaces; its turns go on where the shares are the same. */
  constructor(route: Route, needs: DestinationNeeds, place: WorkerPlace, before: CompiledRoute | undefined) {
    const { match, split } = route
    this.route = route
    this.destinations = split.destinations.map((destination) => compileDestination(destination, route, needs))
    this.folds = match.path.kind !== 'regex' && split.destinations.some((destination) => !destination.caseSensitive)
    const literal = match.path.kind === 'regex' ? literalPrefix(match.path.value) : match.path.value
    this.literal = this.folds ? literal.toLowerCase() : literal
    this.exact = match.path.kind === 'exact'
    this.pattern = match.path.kind === 'regex' ? (compilePattern(match.path.value, true) ?? NEVER) : null
    this.method = match.method ? compileTextMatch(match.method) : null
    // Exact hosts and globs are found by the table of hosts; only a pattern has to be tried.
    this.host = match.host?.kind === 'regex' ? compileTextMatch(match.host) : null
    this.fields = match.headers.map(fieldMatcher)
    this.parameters = match.query.map(parameterMatcher)
    this.turns = needsTurns(split) ? continuedTurns(route, before, place) : null
    this.sticky = split.by.kind === 'sticky' ? keyReader(split.by.key) : null
    this.overrideName = split.overrideHeader === undefined ? null : octetsOf(split.overrideHeader.toLowerCase())
    this.overrideHash = this.overrideName ? nameHash(this.overrideName) : 0
  }

  /** Whether all parts of the match hold, given that the path begins with `literal`. */
  matches(query: RouteQuery): boolean {
    if (this.exact && query.path.length !== this.literal.length) return false
    if (this.pattern !== null && !this.pattern.test(query.path)) return false
    if (this.host !== null && !this.host(query.host)) return false
    if (this.method !== null && !this.method(query.method)) return false
    for (const field of this.fields) {
      const value = field.pseudo === '' ? query.head.joined(field.name, field.hash) : pseudoValue(field.pseudo, query)
      if (value === null || !field.test(value)) return false
    }
    for (const parameter of this.parameters) {
      const value = firstParameter(query.query, parameter.name)
      if (value === null || !parameter.test(value)) return false
    }
    return true
  }

  /** The version for this request, or null where its number falls into what is not assigned: the next Route is asked. */
  choose(query: RouteQuery): CompiledDestination | null {
    const { destinations } = this
    if (this.overrideName !== null) {
      const named = this.overridden(query)
      if (named) return named
    }
    if (this.turns === null) {
      const only = destinations[0]!
      return this.accepts(only, query) ? only : null
    }
    const number = this.numberOf(query)
    let cumulative = 0
    for (const destination of destinations) {
      cumulative += destination.share
      if (number < cumulative && this.accepts(destination, query)) return destination
    }
    return null
  }

  private numberOf(query: RouteQuery): number {
    const { by } = this.route.split
    if (this.sticky !== null && by.kind === 'sticky') {
      const key = this.sticky(query.head, query.clientAddress)
      if (key !== null && key !== '') return bucketOf(by.salt, key)
    }
    if (query.number < 0) query.number = this.turns!.next()
    return query.number
  }

  /** In a Route found without regard to case, a version may still regard it. */
  private accepts(destination: CompiledDestination, query: RouteQuery): boolean {
    if (!this.folds || !destination.caseSensitive) return true
    const { value } = this.route.match.path
    return query.path.startsWith(value)
  }

  private overridden(query: RouteQuery): CompiledDestination | null {
    const wanted = query.head.joined(this.overrideName!, this.overrideHash)
    if (wanted === null) return null
    return this.destinations.find((destination) => destination.isNamed(wanted)) ?? null
  }
}

/** Matches nothing: for a pattern that V8 cannot express. */
const NEVER = /(?!)/u

function fieldMatcher({ name, match }: HeaderMatch): FieldMatcher {
  const octets = octetsOf(name)
  const pseudo = name.startsWith(':') ? name : ''
  return { pseudo, name: octets, hash: nameHash(octets), test: compileTextMatch(match) }
}

function pseudoValue(name: string, query: RouteQuery): string | null {
  if (name === ':scheme') return query.scheme
  if (name !== ':path') return null
  return query.query === '' ? query.path : `${query.path}?${query.query}`
}

function parameterMatcher({ name, match }: QueryMatch): ParameterMatcher {
  return { name, test: compileTextMatch(match) }
}

/** The first parameter of this name, undecoded; null if there is none. */
export function firstParameter(query: string, name: string): string | null {
  for (const pair of query.split('&')) {
    const at = pair.indexOf('=')
    if (at < 0 ? pair === name : pair.slice(0, at) === name) return at < 0 ? '' : pair.slice(at + 1)
  }
  return null
}

function continuedTurns(route: Route, before: CompiledRoute | undefined, place: WorkerPlace): Turns {
  const shares = route.split.destinations.map(shareOf)
  if (before) {
    const old = before.route.split.destinations.map(shareOf)
    const same = old.length === shares.length && old.every((share, index) => share === shares[index])
    if (same && before.turns) return before.turns
  }
  return new Turns(shares, place)
}

function shareOf(destination: Destination): number {
  return Math.min(Math.max(Math.round(destination.share), 0), SHARE_WHOLE)
}
