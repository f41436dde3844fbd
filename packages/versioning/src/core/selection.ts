/** What a user wrote as the version of a route → the spans of versions it means. Pure. */

import type { VersionInput, VersionRange } from './register.ts'
import { compareVersions, isNotAVersion, parseVersion, sentence, show, type Version } from './version.ts'

/** From a version (undefined: the first one) until another (not included; undefined: no end). */
export interface Span {
  readonly from: Version | undefined
  readonly until: Version | undefined
  /** Set for a member of a list: this one version and no later one, even if versions are added between. */
  readonly only: boolean
}

export type Selection =
  | { readonly kind: 'neutral' }
  | { readonly kind: 'spans'; readonly spans: readonly Span[] }
  | { readonly kind: 'invalid'; readonly reasons: readonly string[] }

/** Reads a route's `version`. Never throws. */
export function readSelection(input: VersionInput): Selection {
  if (input === 'neutral') return { kind: 'neutral' }
  if (Array.isArray(input)) return readList(input)
  if (typeof input === 'object' && input !== null) return readRange(input as VersionRange)
  const parsed = parseVersion(input)
  if (isNotAVersion(parsed)) return { kind: 'invalid', reasons: [sentence(input, parsed)] }
  return { kind: 'spans', spans: [{ from: parsed, until: undefined, only: false }] }
}

function readList(list: readonly unknown[]): Selection {
  if (list.length === 0) return { kind: 'invalid', reasons: ['the list of versions is empty'] }
  const parsed = list.map((item) => ({ item, version: parseVersion(item) }))
  const reasons = parsed.flatMap(({ item, version }) => (isNotAVersion(version) ? [sentence(item, version)] : []))
  if (reasons.length > 0) return { kind: 'invalid', reasons }
  const spans = parsed.map(({ version }) => ({ from: version as Version, until: undefined, only: true }))
  return { kind: 'spans', spans }
}

function readRange(range: VersionRange): Selection {
  const unknown = Object.keys(range).filter((key) => key !== 'from' && key !== 'until')
  const reasons = unknown.map((key) => `a range has no ${show(key)}, only 'from' and 'until'`)
  const end = (value: unknown): Version | undefined => {
    if (value === undefined) return undefined
    const parsed = parseVersion(value)
    if (!isNotAVersion(parsed)) return parsed
    reasons.push(sentence(value, parsed))
    return undefined
  }
  const from = end(range.from)
  const until = end(range.until)
  if (from !== undefined && until !== undefined && from.scheme === until.scheme && compareVersions(from, until) >= 0) {
    reasons.push(`the range ends (until ${until.text}) before it has begun (from ${from.text}), so it holds no version`)
  }
  if (reasons.length > 0) return { kind: 'invalid', reasons }
  return { kind: 'spans', spans: [{ from, until, only: false }] }
}
