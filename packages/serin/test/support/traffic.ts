/** Clients of both sorts, keep-alive and one connection for each request, that keep asking while something happens. */
import assert from 'node:assert/strict'

import { type Answer, type Load, type LoadResult, startLoad } from '../../src/cli/load.ts'
import type { SerinUnderTest } from './serin.ts'

export interface Traffic {
  /** Ends the clients. */
  mustNotFail(): Promise<void>
}

export function startTraffic(serin: SerinUnderTest, path: string, onAnswer?: (answer: Answer) => void): Traffic {
  const common = { host: serin.host, port: serin.port, path, ...(onAnswer !== undefined && { onAnswer }) }
  const loads: Load[] = [
    startLoad({ ...common, connection: 'keep-alive', clients: 4, pauseMs: 1 }),
    startLoad({ ...common, connection: 'close', clients: 2, pauseMs: 2 }),
  ]
  return {
    async mustNotFail() {
      const results: LoadResult[] = await Promise.all(loads.map((load) => load.stop()))
      for (const result of results) {
        assert.equal(result.failed, 0, `${result.failed} of ${result.requests}: ${result.reasons.join(', ')}`)
        assert.ok(result.requests > 0)
      }
    },
  }
}
