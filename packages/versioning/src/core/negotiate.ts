/** All readers of an API compiled into one function: request → version or problem. Pure but for a bounded cache. */

import { matcher, type MatchMode } from './match.ts'
import { problem, type Problem, type ProblemKind, type ProblemOptions } from './problems.ts'
import type { Reader, Reading, RequestSource } from './readers.ts'
import { texts } from './table.ts'
import { show, type Version, type VersionLiteral } from './version.ts'

/** A version that a function names for a request that names none (a customer's pinned version); undefined: there is none. */
export type Pin = (source: RequestSource) => VersionLiteral | undefined | Promise<VersionLiteral | undefined>

export type MissingRule = 'default' | 'latest' | 'oldest' | 'error' | Pin

export interface NegotiationInput {
  readonly readers: readonly Reader[]
  readonly match: MatchMode
  readonly missing: MissingRule
  /** Ascending. */
  readonly versions: readonly Version[]
  readonly previews: ReadonlySet<string>
  readonly latest: Version | undefined
  readonly fallback: Version | undefined
  readonly problems: ProblemOptions
}

export type Outcome =
  | { readonly kind: 'version'; readonly version: Version }
  | { readonly kind: 'problem'; readonly problem: Problem }

export interface Negotiation {
  /** The version of a request, at once where nobody has to be asked for it; never rejects. */
  readonly ask: (source: RequestSource) => Outcome | Promise<Outcome>
  /** Whether `missing` is a function, so that it may take a while. */
  readonly mayWait: boolean
  /** For `Vary`; empty if the version stands in the URL or host only. */
  readonly vary: string
}

/** The client is not to blame if its pinned version cannot be looked up. */
const pinFailedStatus = 500

/** What clients have asked for is remembered up to this many spellings. */
const remembered = 1000

/** Compiles the readers of an API. */
export function compileNegotiation(input: NegotiationInput): Negotiation {
  const found = new Map<string, Outcome>()
  const decide = decider(input, found)
  const read = compileReaders(input.readers)
  const missing = missingRule(input, decide)
  const [only] = input.readers
  const careful = (source: RequestSource): Outcome | Promise<Outcome> => {
    const asked = read(source)
    return asked === undefined ? missing(source) : decide(asked, source)
  }
  /** One reader, and a spelling that has been seen before: what nearly every request comes to. */
  const quick = (source: RequestSource): Outcome | Promise<Outcome> =>
    knownOutcome(only as Reader, source, found) ?? careful(source)
  return {
    ask: input.readers.length === 1 ? quick : careful,
    mayWait: typeof input.missing === 'function',
    vary: [...new Set(input.readers.flatMap((reader) => reader.vary))].join(', '),
  }
}

function knownOutcome(reader: Reader, source: RequestSource, found: ReadonlyMap<string, Outcome>): Outcome | undefined {
  try {
    const reading = reader.read(source)
    return typeof reading === 'string' ? found.get(reading) : undefined
  } catch {
    return undefined
  }
}

/** What was read, and where; `failed`: a reader threw. */
type Asked =
  | { readonly kind: 'one'; readonly text: string; readonly reader: Reader }
  | { readonly kind: 'anyOf'; readonly list: readonly string[]; readonly reader: Reader }
  | { readonly kind: 'conflict'; readonly list: readonly { readonly text: string; readonly reader: Reader }[] }
  | { readonly kind: 'failed'; readonly reader: Reader }

function compileReaders(readers: readonly Reader[]): (source: RequestSource) => Asked | readonly Asked[] | undefined {
  const readOne = (reader: Reader, source: RequestSource): Asked | undefined => {
    try {
      return asked(reader.read(source), reader)
    } catch {
      return { kind: 'failed', reader }
    }
  }
  const [only] = readers
  if (only !== undefined && readers.length === 1) return (source) => readOne(only, source)
  return (source) => {
    const all = readers.flatMap((reader) => readOne(reader, source) ?? [])
    return all.length > 1 ? all : all[0]
  }
}

function asked(reading: Reading, reader: Reader): Asked | undefined {
  if (reading === undefined) return undefined
  if (typeof reading === 'string') return { kind: 'one', text: reading, reader }
  if ('anyOf' in reading) return { kind: 'anyOf', list: reading.anyOf, reader }
  return { kind: 'conflict', list: reading.conflict.map((text) => ({ text, reader })) }
}

function decider(
  input: NegotiationInput,
  cache: Map<string, Outcome>,
): (asked: Asked | readonly Asked[], source?: RequestSource) => Outcome {
  const find = matcher({ mode: input.match, versions: input.versions, previews: input.previews })
  const supported = input.versions.map((version) => version.text)
  const fail = (kind: ProblemKind, detail: string, status?: number): Outcome => ({
    kind: 'problem',
    problem: problem({ kind, detail, supported, status }, input.problems),
  })
  const unknown = (text: string, reader: Reader, source: RequestSource | undefined): Outcome => {
    const detail = `The ${reader.name} asks for version ${show(text)}; supported are ${texts(input.versions)}.`
    return fail('unknown', detail, reader.mediaType ? mediaTypeStatus(source) : undefined)
  }
  const one = (text: string, reader: Reader, source: RequestSource | undefined): Outcome => {
    const known = cache.get(text)
    if (known !== undefined) return known
    const result = find(text)
    if (result.kind === 'unknown') return unknown(text, reader, source)
    if (result.kind === 'malformed')
      return fail(
        'malformed',
        `The ${reader.name} holds ${show(text)}, which is no version; supported are ${texts(input.versions)}.`,
      )
    const outcome: Outcome = { kind: 'version', version: result.version }
    if (cache.size < remembered) cache.set(text, outcome)
    return outcome
  }
  const single = (item: Asked, source: RequestSource | undefined): Outcome => {
    if (item.kind === 'one') return one(item.text, item.reader, source)
    if (item.kind === 'failed') return fail('malformed', `The ${item.reader.name} could not be read.`)
    if (item.kind === 'anyOf') return firstOf(item.list.map((text) => one(text, item.reader, source)))
    return ambiguous(item.list)
  }
  const ambiguous = (list: readonly { readonly text: string; readonly reader: Reader }[]): Outcome => {
    const outcomes = list.map(({ text, reader }) => one(text, reader, undefined))
    const agreed = agreement(outcomes)
    if (agreed !== undefined) return agreed
    const said = list.map(({ text, reader }) => `${show(text)} (${reader.name})`)
    return fail('ambiguous', `The request asks for different versions: ${said.join(', ')}.`)
  }
  return (what, source) => {
    if (!Array.isArray(what)) return single(what as Asked, source)
    const items = what as readonly Asked[]
    const outcomes = items.map((item) => single(item, source))
    const problematic = outcomes.find((outcome) => outcome.kind === 'problem')
    return (
      problematic ??
      agreement(outcomes) ??
      fail(
        'ambiguous',
        `The request asks for different versions: ${items.map((item, index) => saidBy(item, outcomes[index])).join(', ')}.`,
      )
    )
  }
}

/** The outcome that all have in common, if they are versions. */
function agreement(outcomes: readonly Outcome[]): Outcome | undefined {
  const [first] = outcomes
  if (first?.kind !== 'version') return undefined
  return outcomes.every((outcome) => outcome.kind === 'version' && outcome.version.text === first.version.text)
    ? first
    : undefined
}

function firstOf(outcomes: readonly Outcome[]): Outcome {
  return outcomes.find((outcome) => outcome.kind === 'version') ?? (outcomes[0] as Outcome)
}

function saidBy(item: Asked, outcome: Outcome | undefined): string {
  const version = outcome?.kind === 'version' ? outcome.version.text : '?'
  return item.kind === 'conflict' ? version : `${version} (${item.reader.name})`
}

/** RFC 9110 §15.5.7, §15.5.16: a type that cannot be sent is 406, one that cannot be read 415. */
function mediaTypeStatus(source: RequestSource | undefined): number {
  const sent = source?.headers['content-type']
  return typeof sent === 'string' && /vnd\.|;\s*\w+=\s*"?\d/.test(sent) && source?.headers['accept'] === undefined
    ? 415
    : 406
}

function missingRule(input: NegotiationInput, decide: (asked: Asked) => Outcome): Negotiation['ask'] {
  const supported = input.versions.map((version) => version.text)
  const fail = (detail: string, status?: number): Outcome => ({
    kind: 'problem',
    problem: problem({ kind: 'missing', detail, supported, status }, input.problems),
  })
  const places = input.readers.map((reader) => reader.name).join(', ')
  const nothing = fail(
    `The request names no version; it is read from: ${places}. Supported are ${texts(input.versions)}.`,
  )
  const rule = input.missing
  if (typeof rule !== 'function') {
    const stable = input.versions.filter((version) => !input.previews.has(version.text))
    const chosen = { default: input.fallback, latest: input.latest, oldest: stable[0], error: undefined }[rule]
    const outcome: Outcome = chosen === undefined ? nothing : { kind: 'version', version: chosen }
    return () => outcome
  }
  const reader: Reader = { name: 'version chosen for this client', vary: [], mediaType: false, read: () => undefined }
  const pinned = (value: VersionLiteral | undefined): Outcome =>
    value === undefined ? nothing : decide({ kind: 'one', text: String(value), reader })
  const failed = fail('The version of this client could not be found out.', pinFailedStatus)
  return (source) => {
    try {
      const value = rule(source)
      return isThenable(value) ? Promise.resolve(value).then(pinned, () => failed) : pinned(value)
    } catch {
      return failed
    }
  }
}

/** A promise of any make: query builders have their own. */
function isThenable(value: unknown): value is PromiseLike<VersionLiteral | undefined> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
