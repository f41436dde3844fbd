/**
 * A version of an API: `2`, `1.10`, `2026-01-15`, `2026-01`, `3-beta.1`. Parse, compare, print. Pure.
 *
 * Numbers compare part by part (1.10 is newer than 1.9), dates by the calendar, a pre-release comes before its release and
 * pre-releases compare as in SemVer 2.0.0 §11. `1`, `1.0` and `1.0.0` are one version.
 */

/** What a user may write for one version. A number must be a whole one: 1.10 and 1.1 would be the same number. */
export type VersionLiteral = number | string

/** How the parts of a version are read. An API keeps to one of the two: a number and a date have no order. */
export type VersionScheme = 'number' | 'date'

export interface Version {
  /** Canonical spelling: `1` (never `1.0`), `1.10`, `2026-01-15`, `3-beta.1`. Two versions are equal exactly if their texts are. */
  readonly text: string
  readonly scheme: VersionScheme
  /** `[major, minor, patch]` or `[year, month, day]`; the day of a month such as `2026-01` is 0. */
  readonly parts: readonly [number, number, number]
  /** `['beta', 1]` for `3-beta.1`; empty for a release. */
  readonly prerelease: readonly (string | number)[]
}

/** A value is no version; `reason` says why in a full sentence, and `hint` what to write instead, if that is known. */
export interface NotAVersion {
  readonly reason: string
  readonly hint?: string
}

/** No version is longer: what a client sends is cut off before it is looked at. */
export const versionCharsMax = 64

const numberPattern =
  /^(0|[1-9]\d{0,8})(?:\.(0|[1-9]\d{0,8}))?(?:\.(0|[1-9]\d{0,8}))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/
const datePattern = /^(\d{4})-(\d{2})(?:-(\d{2}))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/
/** Looks like a date: then it is one, or a mistake, and not a pre-release `02-30` of version 2026. */
const dateLike = /^\d{4}-\d{1,2}(-|$)/

/** Reads one version, or says why it is none. Never throws. */
export function parseVersion(value: unknown): Version | NotAVersion {
  if (typeof value === 'number') return parseNumber(value)
  if (typeof value !== 'string') return { reason: `a version is a whole number or a string, not ${kindOf(value)}` }
  if (value.length > versionCharsMax) return { reason: `a version has at most ${versionCharsMax} characters` }
  return (dateLike.test(value) ? parseDate(value) : parseDotted(value)) ?? explain(value)
}

/** Whether {@link parseVersion} refused. */
export function isNotAVersion(result: Version | NotAVersion): result is NotAVersion {
  return 'reason' in result
}

/** Reads one version; throws a `TypeError` with the reason if it is none. */
export function version(value: VersionLiteral): Version {
  const result = parseVersion(value)
  if (isNotAVersion(result)) throw new TypeError(sentence(value, result))
  return result
}

/** `"1.x" is no version: …; write …`, for messages. */
export function sentence(value: unknown, failure: NotAVersion): string {
  const hint = failure.hint === undefined ? '' : `; ${failure.hint}`
  return `${show(value)} is no version: ${failure.reason}${hint}`
}

/** Less than 0 if `a` is older than `b`, 0 if they are the same version. Both must be of one scheme. */
export function compareVersions(a: Version, b: Version): number {
  for (let index = 0; index < 3; index++) {
    const difference = a.parts[index as 0 | 1 | 2] - b.parts[index as 0 | 1 | 2]
    if (difference !== 0) return difference
  }
  return comparePrerelease(a.prerelease, b.prerelease)
}

/** Whether this is a pre-release (`2-beta`): never the latest, and asked for by name only. */
export function isPrerelease(value: Version): boolean {
  return value.prerelease.length > 0
}

/**
 * Writes a version into a template: `{major}`, `{minor}`, `{patch}`, `{year}`, `{month}`, `{day}`, `{version}` (the canonical text).
 * A pre-release is appended to the last number placeholder's result as `-beta.1`, since two versions must not look alike.
 */
export function formatVersion(template: string, value: Version): string {
  const [first, second, third] = value.parts
  const pad = (part: number): string => String(part).padStart(2, '0')
  const fields: Readonly<Record<string, string>> = {
    version: value.text,
    major: String(first),
    minor: String(second),
    patch: String(third),
    year: String(first).padStart(4, '0'),
    month: pad(second),
    day: pad(third),
  }
  const text = template.replaceAll(/\{(\w+)\}/g, (whole, name: string) =>
    Object.hasOwn(fields, name) ? (fields[name] as string) : whole,
  )
  if (!isPrerelease(value) || template.includes('{version}') || !template.includes('{')) return text
  return `${text}-${value.prerelease.join('.')}`
}

/** The placeholders a template may hold, by scheme; {@link unknownPlaceholders} refuses the rest. */
const placeholders: Readonly<Record<VersionScheme, readonly string[]>> = {
  number: ['version', 'major', 'minor', 'patch'],
  date: ['version', 'year', 'month', 'day'],
}

/** The names in `{…}` that mean nothing for versions of this scheme. */
export function unknownPlaceholders(template: string, scheme: VersionScheme): readonly string[] {
  const names = [...template.matchAll(/\{([^}]*)\}/g)].map((match) => match[1] ?? '')
  return names.filter((name) => !placeholders[scheme].includes(name))
}

/** What {@link unknownPlaceholders} accepts, for messages. */
export function knownPlaceholders(scheme: VersionScheme): string {
  return placeholders[scheme].map((name) => `{${name}}`).join(', ')
}

function parseNumber(value: number): Version | NotAVersion {
  if (Number.isSafeInteger(value) && value >= 0 && value < 1e9) return parseDotted(String(value)) as Version
  if (Number.isFinite(value) && value >= 0 && !Number.isInteger(value)) {
    return {
      reason: `1.10 and 1.1 are the same number, so a number with a fraction does not say which version is meant`,
      hint: `write it as a string: '${value}'`,
    }
  }
  return { reason: 'a version number is a whole number from 0 to 999999999' }
}

function parseDotted(text: string): Version | undefined {
  const match = numberPattern.exec(text)
  if (match === null) return undefined
  const parts = [Number(match[1]), Number(match[2] ?? 0), Number(match[3] ?? 0)] as const
  const prerelease = identifiers(match[4])
  if (prerelease === undefined) return undefined
  const dotted = parts[2] > 0 ? parts.join('.') : parts[1] > 0 ? `${parts[0]}.${parts[1]}` : String(parts[0])
  return build('number', parts, prerelease, dotted)
}

function parseDate(text: string): Version | undefined {
  const match = datePattern.exec(text)
  if (match === null) return undefined
  const [, year, month, day] = match
  const parts = [Number(year), Number(month), Number(day ?? 0)] as const
  const date = new Date(Date.UTC(parts[0], parts[1] - 1, day === undefined ? 1 : parts[2]))
  if (date.getUTCMonth() !== parts[1] - 1 || (day !== undefined && date.getUTCDate() !== parts[2])) return undefined
  const prerelease = identifiers(match[4])
  if (prerelease === undefined) return undefined
  return build('date', parts, prerelease, day === undefined ? `${year}-${month}` : `${year}-${month}-${day}`)
}

function build(
  scheme: VersionScheme,
  parts: Version['parts'],
  prerelease: Version['prerelease'],
  release: string,
): Version {
  const text = prerelease.length > 0 ? `${release}-${prerelease.join('.')}` : release
  return Object.freeze({ text, scheme, parts, prerelease })
}

/** `beta.1` → `['beta', 1]`; undefined for a numeric identifier with a leading zero (SemVer 2.0.0 §9). */
function identifiers(text: string | undefined): readonly (string | number)[] | undefined {
  if (text === undefined) return []
  const list = text.split('.')
  if (list.some((item) => /^0\d+$/.test(item))) return undefined
  return list.map((item) => (/^\d{1,15}$/.test(item) ? Number(item) : item))
}

function comparePrerelease(a: Version['prerelease'], b: Version['prerelease']): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const order = compareIdentifier(a[index] as string | number, b[index] as string | number)
    if (order !== 0) return order
  }
  return a.length - b.length
}

function compareIdentifier(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1
  return a < b ? -1 : a > b ? 1 : 0
}

function explain(text: string): NotAVersion {
  const expected = 'expected forms are 2, 1.10, 2026-01-15 and 3-beta.1'
  if (text === '') return { reason: 'it is empty', hint: expected }
  if (/^[vV]\d/.test(text)) return { reason: 'it starts with a letter', hint: `write '${text.slice(1)}'` }
  if (dateLike.test(text)) return { reason: 'there is no such day in the calendar (YYYY-MM-DD, or YYYY-MM)' }
  if (/(^|[.-])0\d/.test(text)) return { reason: 'a number has no leading zero', hint: expected }
  return { reason: expected }
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`
}

/** A value as it would be written in code; cut, since it may come from a client. */
export function show(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > versionCharsMax + 2 ? `${text.slice(0, versionCharsMax)}…` : text
}
