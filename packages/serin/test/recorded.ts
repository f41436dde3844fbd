/** Comparing what serin answers with what was recorded of a real control plane (`conformance/kubernetes/README.md`). */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const ROOT: string = resolve(import.meta.dirname, '../../../..')

/** Placeholders of the recordings, and what they stand for. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  '<uid>': '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
  '<time>':
    '(?:\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?Z|\\w{3}, \\d+ \\w{3} \\d{4} \\d\\d:\\d\\d:\\d\\d \\S+)',
  '<age>': '(?:(?:\\d+[smhdy])+|<invalid>|<unknown>)',
  '<rv>': '\\d+',
  '<token>': '[\\w=-]+',
  '<rand>': '[bcdfghjklmnpqrstvwxz2456789]{5}',
  '<cluster-ip>': '\\d+\\.\\d+\\.\\d+\\.\\d+',
  '<pod-ip>': '\\d+\\.\\d+\\.\\d+\\.\\d+',
  '<ip>': '\\d+\\.\\d+\\.\\d+\\.\\d+',
  '<node-port>': '3\\d{4}',
  '<server>': 'https://\\S+?',
  '<server-host>': '[\\w.:]+?',
  '<dir>': '\\S+?',
  '<kubeconfig>': '\\S+?',
  '<tmp>': '\\S+?',
  '<n>': '\\d+',
}

/** `<hash1>`: one value throughout a case. */
const NUMBERED = /^<(hash|v)\d+>$/

/** A pattern for a recorded text; `hashes` remembers what the numbered placeholders stood for in the case. */
export function matchesText(expected: string, actual: string, hashes: Map<string, string> = new Map()): boolean {
  const names: string[] = []
  const source = expected.split(/(<[a-z-]+\d*>)/).map((part) => {
    const pattern = PLACEHOLDERS[part]
    if (pattern !== undefined) return pattern
    if (!NUMBERED.test(part)) return part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
    const known = hashes.get(part)
    if (known !== undefined) return known
    const seen = names.indexOf(part)
    if (seen >= 0) return `\\${seen + 1}`
    names.push(part)
    return '([bcdfghjklmnpqrstvwxz0-9]{6,10})'
  })
  const match = new RegExp(`^${source.join('')}$`, 's').exec(actual)
  if (match === null) return false
  for (const [index, name] of names.entries()) hashes.set(name, match[index + 1] ?? '')
  return true
}

/** The first difference of two JSON values, or undefined. Strings of the recording may hold placeholders. */
export function difference(expected: unknown, actual: unknown, path = '$'): string | undefined {
  if (isMap(expected) && Array.isArray(expected['any_of'])) {
    const all = (expected['any_of'] as unknown[]).map((option) => difference(option, actual, path))
    return all.includes(undefined) ? undefined : all.find((found) => found !== undefined)
  }
  if (typeof expected === 'string' && typeof actual === 'string') {
    return matchesText(expected, actual)
      ? undefined
      : `${path}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`
  }
  if (Array.isArray(expected) && Array.isArray(actual)) {
    if (expected.length !== actual.length) {
      return `${path}: expected ${expected.length} entries, got ${actual.length}: ${JSON.stringify(actual).slice(0, 500)}`
    }
    return firstOf(
      expected.map(
        (entry: unknown, index) => () => difference(entry, (actual as unknown[])[index], `${path}[${index}]`),
      ),
    )
  }
  if (isMap(expected) && isMap(actual)) {
    const keys = [...new Set([...Object.keys(expected), ...Object.keys(actual)])]
    return firstOf(keys.map((key) => () => difference(expected[key], actual[key], `${path}.${key}`)))
  }
  return Object.is(expected, actual)
    ? undefined
    : `${path}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`
}

function firstOf(checks: readonly (() => string | undefined)[]): string | undefined {
  for (const check of checks) {
    const found = check()
    if (found !== undefined) return found
  }
  return undefined
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function readCases<T>(file: string): T[] {
  return readFileSync(join(ROOT, 'conformance/kubernetes', file), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}

/**
 * Differences on purpose, from the table in the reference page: `| \`CASE\` | 1, 3 | why |`. Steps count from 1; `all` is the
 * whole case.
 */
export function documentedDifferences(): ReadonlyMap<string, ReadonlySet<number> | 'all'> {
  const page = readFileSync(join(ROOT, 'docs/reference/kubernetes.md'), 'utf8')
  const found = new Map<string, ReadonlySet<number> | 'all'>()
  for (const [, name = '', steps = ''] of page.matchAll(/^\| `((?:kc|http|dep)-[\w-]+)` \| ([^|]+) \|/gm)) {
    found.set(name, steps.trim() === 'all' ? 'all' : new Set(steps.split(',').map(Number)))
  }
  return found
}
