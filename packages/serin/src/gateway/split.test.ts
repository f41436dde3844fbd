import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SHARE_WHOLE } from '../model/split.ts'
import { bucketOf, Turns } from './split.ts'

/** How many of `requests` numbers lie below `share`. */
function countBelow(turns: Turns, share: number, requests: number): number {
  let count = 0
  for (let request = 0; request < requests; request++) if (turns.next() < share) count++
  return count
}

test('10 % of 1,000 requests is 100', () => {
  assert.equal(countBelow(new Turns([1000, 9000], { index: 0, count: 1 }), 1000, 1000), 100)
})

test('10 % of 1,000 is 100 within 3, however the requests spread over up to six workers', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.nat(1000), { minLength: 6, maxLength: 6 }),
      (workers, weights) => {
        const used = weights.slice(0, workers)
        const total = used.reduce((sum, weight) => sum + weight + 1, 0)
        let given = 0
        let canary = 0
        used.forEach((weight, index) => {
          const requests = index === workers - 1 ? 1000 - given : Math.floor((1000 * (weight + 1)) / total)
          given += requests
          canary += countBelow(new Turns([1000, 9000], { index, count: workers }), 1000, requests)
        })
        assert.ok(Math.abs(canary - 100) <= 3, `${canary}`)
      },
    ),
  )
})

test('every version is within one turn of its share at any moment, and numbers lie in its interval', () => {
  const shares = fc.array(fc.nat(3000), { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(shares, fc.integer({ min: 1, max: 500 }), (parts, requests) => {
      const turns = new Turns(parts, { index: 0, count: 1 })
      const counts = parts.map(() => 0)
      for (let request = 0; request < requests; request++) {
        const number = turns.next()
        assert.ok(Number.isInteger(number) && number >= 0 && number < SHARE_WHOLE)
        let low = 0
        parts.forEach((share, index) => {
          if (number >= low && number < low + share) counts[index]!++
          low += share
        })
      }
      parts.forEach((share, index) => {
        const due = (requests * share) / SHARE_WHOLE
        assert.ok(Math.abs(counts[index]! - due) <= 1.5, `${counts[index]} of ${due}`)
      })
    }),
  )
})

test('a client keeps its bucket, and buckets are even', () => {
  assert.equal(bucketOf('salt', 'anna'), bucketOf('salt', 'anna'))
  let canary = 0
  for (let client = 0; client < 10_000; client++) if (bucketOf('salt', `client-${client}`) < 1000) canary++
  assert.ok(Math.abs(canary - 1000) < 120, `${canary}`)
})
