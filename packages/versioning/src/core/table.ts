/**
 * Declared routes → which route serves which version. Pure, and independent of the order of declaration.
 *
 * The rule: version N answers a method and path shape with the route of the highest version introduced up to N that has not ended.
 */

import type { Diagnostic, DiagnosticCode, Origin } from './diagnostics.ts'
import type { VersionInput } from './register.ts'
import { readSelection, type Span } from './selection.ts'
import { compareVersions, isNotAVersion, parseVersion, sentence, show, type Version } from './version.ts'

/** One method of one route as it was written; a route with several methods is declared once for each. */
export interface Declaration<Payload> {
  readonly method: string
  /** As written, with its parameters' names, after the prefixes inside the versioned part. */
  readonly path: string
  /** Path shape and whatever else sets two routes with one method apart (see `pathShape`). */
  readonly shape: string
  readonly version: VersionInput | undefined
  /** The author says that an older route is replaced; if there is none, that is a mistake. */
  readonly overrides: boolean
  readonly origin: Origin | undefined
  readonly payload: Payload
}

/** A route of whoever wrote it ends at a version (not included). */
export interface Removal {
  readonly method: string
  readonly path: string
  readonly shape: string
  readonly version: unknown
}

export interface TableOptions {
  /** All versions there are. Without it, every version that a route names is one. */
  readonly versions: readonly unknown[] | undefined
  /** The version of routes that name none; it exists even if it has no route of its own. `error`: each route has to name one. */
  readonly default: unknown
  readonly removals: readonly Removal[]
}

export interface Table<Payload> {
  /** Ascending. */
  readonly versions: readonly Version[]
  readonly neutral: readonly Declaration<Payload>[]
  /** By the text of the version, in order of path shape and method. */
  readonly served: ReadonlyMap<string, readonly Declaration<Payload>[]>
}

export interface Compiled<Payload> {
  readonly table: Table<Payload>
  readonly diagnostics: readonly Diagnostic[]
}

/** A declaration with one of its spans; a removal has been worked into `until`. */
interface Offer<Payload> {
  readonly declaration: Declaration<Payload>
  readonly span: Span
}

type Report = (
  code: DiagnosticCode,
  message: string,
  at?: Pick<Declaration<unknown>, 'method' | 'path'>,
  origin?: Origin,
) => void

/** Compiles all declarations. Never throws: what is wrong is in the diagnostics, and the table holds the rest. */
export function compileTable<Payload>(
  declarations: readonly Declaration<Payload>[],
  options: TableOptions,
): Compiled<Payload> {
  const diagnostics: Diagnostic[] = []
  const report: Report = (code, message, at, origin) => {
    const severity = code === 'resurfacing-route' ? 'warning' : 'error'
    const route = at === undefined ? {} : { route: `${at.method} ${at.path}` }
    diagnostics.push({ severity, code, message, ...route, ...(origin === undefined ? {} : { origin }) })
  }
  const closed = readClosedSet(options.versions, report)
  const fallback = readDefault(options.default, closed, report)
  const { neutral, offers } = readOffers(declarations, { fallback, closed, report })
  const versions = knownVersions({ offers, closed, fallback, report })
  const slots = groupBy(applyRemovals(offers, options.removals, versions, report), slotOf)
  for (const slot of slots.values()) checkSlot(slot, versions, report)
  return { table: { versions, neutral, served: serve(slots, versions) }, diagnostics }
}

function slotOf(offer: Offer<unknown>): string {
  return `${offer.declaration.shape} ${offer.declaration.method}`
}

function readClosedSet(list: readonly unknown[] | undefined, report: Report): readonly Version[] | undefined {
  return list?.flatMap((item) => {
    const parsed = parseVersion(item)
    if (!isNotAVersion(parsed)) return [parsed]
    report('not-a-version', `in 'versions': ${sentence(item, parsed)}`)
    return []
  })
}

/** What unmarked routes get. `implicit`: nobody said anything; it becomes a version only if a route needs it. */
type Fallback =
  | { readonly kind: 'version'; readonly version: Version }
  | { readonly kind: 'implicit' | 'neutral' | 'error' }

function readDefault(value: unknown, closed: readonly Version[] | undefined, report: Report): Fallback {
  if (value === 'neutral' || value === 'error') return { kind: value }
  if (value === undefined) return { kind: 'implicit' }
  const parsed = parseVersion(value)
  if (isNotAVersion(parsed)) {
    report('not-a-version', `in 'default': ${sentence(value, parsed)}`)
    return { kind: 'implicit' }
  }
  if (closed !== undefined && !holds(closed, parsed)) {
    report('unknown-version', `'default' is ${parsed.text}, which is not among the versions ${texts(closed)}`)
  }
  return { kind: 'version', version: parsed }
}

interface OfferInput {
  readonly fallback: Fallback
  readonly closed: readonly Version[] | undefined
  readonly report: Report
}

function readOffers<Payload>(declarations: readonly Declaration<Payload>[], { fallback, closed, report }: OfferInput) {
  const neutral: Declaration<Payload>[] = []
  const offers: Offer<Payload>[] = []
  const unmarked: Declaration<Payload>[] = []
  for (const declaration of declarations) {
    if (declaration.version === undefined) {
      unmarked.push(declaration)
      continue
    }
    const selection = readSelection(declaration.version)
    if (selection.kind === 'neutral') neutral.push(declaration)
    else if (selection.kind === 'spans') offers.push(...selection.spans.map((span) => ({ declaration, span })))
    else for (const reason of selection.reasons) report('not-a-version', reason, declaration, declaration.origin)
  }
  const from = fallback.kind === 'version' ? fallback.version : implicitDefault(offers, closed)
  for (const declaration of unmarked) {
    if (fallback.kind === 'neutral') neutral.push(declaration)
    else if (fallback.kind !== 'error') offers.push({ declaration, span: { from, until: undefined, only: false } })
    else
      report(
        'unversioned-route',
        `the route names no version, and 'default' is 'error'`,
        declaration,
        declaration.origin,
      )
  }
  return { neutral, offers }
}

/** The oldest version there is by declaration; else version 1, or the oldest date where versions are dates. */
function implicitDefault(offers: readonly Offer<unknown>[], closed: readonly Version[] | undefined): Version {
  const declared = [...(closed ?? [])].sort(compareVersions)[0]
  if (declared !== undefined) return declared
  const named = offers.flatMap(({ span }) => span.from ?? [])
  const dates = named.filter((item) => item.scheme === 'date').sort(compareVersions)
  return dates[0] ?? (parseVersion(1) as Version)
}

interface KnownInput {
  readonly offers: readonly Offer<unknown>[]
  readonly closed: readonly Version[] | undefined
  readonly fallback: Fallback
  readonly report: Report
}

function knownVersions({ offers, closed, fallback, report }: KnownInput): readonly Version[] {
  const all = new Map<string, Version>()
  const add = (item: Version): unknown => all.set(item.text, item)
  for (const item of closed ?? []) add(item)
  if (fallback.kind === 'version') add(fallback.version)
  for (const { declaration, span } of offers) {
    const strange =
      closed === undefined
        ? []
        : [span.from, span.until].filter((end) => end !== undefined && !mayStand(end, span, closed))
    for (const end of strange)
      report('unknown-version', unknownSentence(end as Version, closed ?? []), declaration, declaration.origin)
    if (span.from !== undefined && strange.length === 0) add(span.from)
  }
  if (closed === undefined) reportTuples(offers, report)
  return oneScheme([...all.values()], report).sort(compareVersions)
}

/** `[1, 2]` is a list; where nothing else is version 1 or 2, but versions have minors, 1.2 was meant. */
function reportTuples(offers: readonly Offer<unknown>[], report: Report): void {
  const isPair = ({ declaration }: Offer<unknown>): boolean =>
    Array.isArray(declaration.version) && declaration.version.length === 2
  const others = offers.filter((offer) => !isPair(offer)).flatMap(({ span }) => span.from ?? [])
  if (!others.some(({ parts }) => parts[1] > 0)) return
  const pairs = new Set(offers.filter(isPair).map(({ declaration }) => declaration))
  for (const declaration of pairs) {
    const [major, minor] = declaration.version as readonly unknown[]
    if (typeof major !== 'number' || typeof minor !== 'number') continue
    if (others.some(({ text }) => text === String(major) || text === String(minor))) continue
    const message = `[${major}, ${minor}] is a list of the versions ${major} and ${minor}, and no other route has either; for version ${major}.${minor} write '${major}.${minor}'`
    report('unknown-version', message, declaration, declaration.origin)
  }
}

/** Declared, or the end of a route in a version that is yet to come. */
function mayStand(end: Version, { until }: Span, closed: readonly Version[]): boolean {
  return holds(closed, end) || (end === until && closed.every((item) => compareVersions(item, end) < 0))
}

function unknownSentence(item: Version, closed: readonly Version[]): string {
  return `${item.text} is not among the versions of this API: ${texts(closed)}`
}

/** Dates and numbers have no common order: reports it, and goes on with the more frequent kind. */
function oneScheme(versions: readonly Version[], report: Report): Version[] {
  const dates = versions.filter((item) => item.scheme === 'date')
  const numbers = versions.filter((item) => item.scheme === 'number')
  if (dates.length > 0 && numbers.length > 0) {
    const example = `${show(dates[0]?.text)} is a date and ${show(numbers[0]?.text)} a number`
    report('mixed-schemes', `${example}: which of them is newer? Use one kind of version for the whole API`)
  }
  return dates.length > numbers.length ? dates : numbers
}

function applyRemovals<Payload>(
  offers: readonly Offer<Payload>[],
  removals: readonly Removal[],
  versions: readonly Version[],
  report: Report,
): readonly Offer<Payload>[] {
  let result = offers
  for (const removal of removals) {
    const parsed = parseVersion(removal.version)
    if (isNotAVersion(parsed)) report('not-a-version', `in 'remove': ${sentence(removal.version, parsed)}`, removal)
    else if (!holds(versions, parsed))
      report('unknown-version', `in 'remove': ${unknownSentence(parsed, versions)}`, removal)
    else result = removeFrom(result, removal, parsed, report)
  }
  return result
}

function removeFrom<Payload>(
  offers: readonly Offer<Payload>[],
  removal: Removal,
  at: Version,
  report: Report,
): readonly Offer<Payload>[] {
  let found = false
  const result = offers.map((offer) => {
    const { declaration, span } = offer
    const same = declaration.shape === removal.shape && declaration.method === removal.method
    if (!same || !startsBefore(span, at) || endsBy(span, at)) return offer
    found = true
    return { declaration, span: { ...span, until: at } }
  })
  if (!found)
    report(
      'override-of-nothing',
      `nothing of this method and path is there to be removed in version ${at.text}`,
      removal,
    )
  return result
}

function startsBefore(span: Span, at: Version): boolean {
  return span.from === undefined || compareVersions(span.from, at) < 0
}

function endsBy(span: Span, at: Version): boolean {
  if (span.only) return true
  return span.until !== undefined && compareVersions(span.until, at) <= 0
}

/** The mistakes one can make with the routes of one method and path shape. */
function checkSlot(slot: readonly Offer<unknown>[], versions: readonly Version[], report: Report): void {
  const oldest = versions[0]
  if (oldest === undefined) return
  const sorted = [...slot].sort(bySpan)
  for (const [index, offer] of sorted.entries()) {
    const { declaration, span } = offer
    const before = sorted[index - 1]
    if (before !== undefined && bySpan(before, offer) === 0)
      report('duplicate-route', duplicateSentence(before, offer), declaration, declaration.origin)
    else if (!versions.some((item) => pick(slot, item) === offer)) {
      report('unreachable-route', unreachableSentence(span, versions), declaration, declaration.origin)
    }
    if (declaration.overrides && !overridesSomething(sorted, offer, versions)) {
      const message = `the route says that it overrides an older one, but no older version has this method and path`
      report('override-of-nothing', message, declaration, declaration.origin)
    }
  }
  reportResurfacing(slot, versions, report)
}

function bySpan(a: Offer<unknown>, b: Offer<unknown>): number {
  if (a.span.from === undefined || b.span.from === undefined) return (a.span.from ? 1 : 0) - (b.span.from ? 1 : 0)
  return compareVersions(a.span.from, b.span.from)
}

function duplicateSentence(before: Offer<unknown>, offer: Offer<unknown>): string {
  const version = offer.span.from === undefined ? 'the first version' : `version ${offer.span.from.text}`
  const other = before.declaration.path === offer.declaration.path ? '' : ` as ${before.declaration.path}`
  const { origin } = before.declaration
  const place = origin === undefined ? '' : `, at ${origin.file}:${origin.line}:${origin.column}`
  return `${version} already has a route with this method and path shape${other}${place}; which of them should answer?`
}

function unreachableSentence(span: Span, versions: readonly Version[]): string {
  const end = span.until === undefined ? '' : ` until ${span.until.text}`
  return `no client can reach this route: from ${span.from?.text ?? 'the first version'}${end} there is no version among ${texts(versions)} that it would serve`
}

function overridesSomething(
  slot: readonly Offer<unknown>[],
  offer: Offer<unknown>,
  versions: readonly Version[],
): boolean {
  return versions.some(
    (item) =>
      startsBefore({ from: item, until: undefined, only: false }, offer.span.from ?? item) &&
      pick(slot, item) !== undefined,
  )
}

/** A route that was replaced comes back when its replacement ends: rarely meant, so it is said. */
function reportResurfacing(slot: readonly Offer<unknown>[], versions: readonly Version[], report: Report): void {
  let previous: Offer<unknown> | undefined
  for (const item of versions) {
    const current = pick(slot, item)
    if (current !== undefined && previous !== undefined && bySpan(current, previous) < 0 && !previous.span.only) {
      const { declaration } = previous
      const message = `it ends in version ${item.text}, and the older route of version ${current.span.from?.text ?? 'the first'} answers again; if the address should be gone, give that one an end too`
      report('resurfacing-route', message, declaration, declaration.origin)
    }
    previous = current
  }
}

/** The rule itself. */
function pick<Payload>(slot: readonly Offer<Payload>[], at: Version): Offer<Payload> | undefined {
  let best: Offer<Payload> | undefined
  for (const offer of slot) {
    if (!covers(offer.span, at)) continue
    if (best === undefined || bySpan(best, offer) < 0) best = offer
  }
  return best
}

function covers(span: Span, at: Version): boolean {
  if (span.only) return span.from?.text === at.text
  const begun = span.from === undefined || compareVersions(span.from, at) <= 0
  return begun && (span.until === undefined || compareVersions(at, span.until) < 0)
}

function serve<Payload>(slots: ReadonlyMap<string, readonly Offer<Payload>[]>, versions: readonly Version[]) {
  const order = [...slots.keys()].sort()
  const served = new Map<string, readonly Declaration<Payload>[]>()
  for (const item of versions) {
    served.set(
      item.text,
      order.flatMap((key) => pick(slots.get(key) ?? [], item)?.declaration ?? []),
    )
  }
  return served
}

function holds(versions: readonly Version[], wanted: Version): boolean {
  return versions.some((item) => item.text === wanted.text)
}

/** `1, 2, 3`, for messages. */
export function texts(versions: readonly Version[]): string {
  return versions.length === 0 ? '(none)' : versions.map((item) => item.text).join(', ')
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): ReadonlyMap<string, readonly Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
