/** Cases in which serin differs on purpose, with the reason: docs/reference/differences.md is what counts. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { repository } from './case.ts'

export function differences(): ReadonlyMap<string, string> {
  const text = readFileSync(resolve(repository, 'docs/reference/differences.md'), 'utf8')
  const rows = text.matchAll(/^\| `([a-z]+-\d+)` \| ([^|]+) \|$/gm)
  return new Map([...rows].map(([, id, reason]) => [id!, reason!.trim()]))
}
