/** What mutations start from: the recorded cases. */
import { readFileSync } from 'node:fs'

interface Case {
  readonly side: 'request' | 'response'
  readonly raw: string
  readonly request?: string
  readonly expand?: unknown
}

const file = new URL('../../../../../conformance/http.jsonl', import.meta.url)
const cases = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Case)
  .filter(({ expand, raw }) => expand === undefined && raw !== '')

export const REQUESTS: readonly string[] = cases.filter(({ side }) => side === 'request').map(({ raw }) => raw)
export const RESPONSES: readonly string[] = cases.filter(({ side }) => side === 'response').map(({ raw }) => raw)
