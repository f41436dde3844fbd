/** A version that a client asks for → a version there is. Pure. */

import { compareVersions, isNotAVersion, isPrerelease, parseVersion, type Version } from './version.ts'

/**
 * - `exact`: this version (`1` and `1.0` are the same);
 * - `floor`: the newest one up to it, for dates: who asks for 2026-03-01 gets 2026-01-15;
 * - `semver`: the newest one that starts alike or fits a range: `1`, `1.2`, `1.x`, `^1.2`, `~1.2`, `>=1.2`, `*`.
 *
 * A preview is found by its own name only.
 */
export type MatchMode = 'exact' | 'floor' | 'semver'

export type MatchResult =
  | { readonly kind: 'found'; readonly version: Version }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'malformed' }

export interface MatchInput {
  readonly mode: MatchMode
  /** Ascending. */
  readonly versions: readonly Version[]
  readonly previews: ReadonlySet<string>
}

/** Compiles the lookup. */
export function matcher({ mode, versions, previews }: MatchInput): (asked: string) => MatchResult {
  const byText = new Map(versions.map((version) => [version.text, version]))
  const stable = versions.filter((version) => !previews.has(version.text) && !isPrerelease(version))
  const scheme = versions[0]?.scheme
  return (asked) => {
    if (mode === 'semver') {
      const range = readRange(asked)
      if (range !== undefined) return found(stable.findLast((version) => range(version)))
    }
    const parsed = parseVersion(asked)
    if (isNotAVersion(parsed)) return { kind: 'malformed' }
    const exact = byText.get(parsed.text)
    if (exact !== undefined || mode !== 'floor') return found(exact)
    if (parsed.scheme !== scheme) return { kind: 'unknown' }
    return found(stable.findLast((version) => compareVersions(version, parsed) <= 0))
  }
}

function found(version: Version | undefined): MatchResult {
  return version === undefined ? { kind: 'unknown' } : { kind: 'found', version }
}

const rangePattern = /^(\^|~|>=)?(\d{1,9})(?:\.(\d{1,9}|[xX*]))?(?:\.(\d{1,9}|[xX*]))?$/

/** A range, or undefined if the text is none (a pre-release, a date, nonsense). */
function readRange(text: string): ((version: Version) => boolean) | undefined {
  if (text === '*' || text === 'x') return () => true
  const match = rangePattern.exec(text)
  if (match === null) return undefined
  const [, operator, ...numbers] = match
  const given = numbers.filter((part) => part !== undefined && /^\d+$/.test(part)).map(Number)
  const lowest = [given[0] ?? 0, given[1] ?? 0, given[2] ?? 0] as const
  const reaches = ({ parts }: Version): boolean => comparePartLists(parts, lowest) >= 0
  const startsWith = ({ parts }: Version, count: number): boolean =>
    given.slice(0, count).every((part, index) => part === parts[index as 0 | 1 | 2])
  if (operator === '>=') return reaches
  if (operator === '^') return (version) => reaches(version) && startsWith(version, caretParts(lowest))
  if (operator === '~') return (version) => reaches(version) && startsWith(version, 2)
  return (version) => startsWith(version, given.length)
}

/** `^0.2` stays inside 0.2, `^1.2` inside 1 (SemVer ranges). */
function caretParts(lowest: readonly [number, number, number]): number {
  return lowest[0] > 0 ? 1 : lowest[1] > 0 ? 2 : 1
}

function comparePartLists(a: readonly number[], b: readonly number[]): number {
  const index = [0, 1, 2].find((position) => a[position] !== b[position])
  return index === undefined ? 0 : (a[index] as number) - (b[index] as number)
}
