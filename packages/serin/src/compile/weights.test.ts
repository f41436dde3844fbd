import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SHARE_WHOLE } from '../model/split.ts'
import { safeShares, sharesOf, type Weighted } from './weights.ts'

const members = (...weights: (number | undefined)[]): Weighted[] =>
  weights.map((weight) => (weight === undefined ? {} : { weight }))
const percents = (...weights: (number | undefined)[]): number[] | string => {
  const result = sharesOf(members(...weights))
  return result.ok ? result.shares.map(({ share }) => share / 100) : result.code
}

test('shares are those of Emissary', () => {
  assert.deepEqual(percents(10, undefined), [10, 90])
  assert.deepEqual(percents(undefined, 10), [10, 90])
  assert.deepEqual(percents(10, 20, undefined), [10, 20, 70])
  assert.deepEqual(percents(10, undefined, undefined), [10, 45, 45])
  assert.deepEqual(percents(undefined, undefined, undefined), [33, 33, 34])
  assert.deepEqual(percents(...Array.from({ length: 7 }, () => undefined)), [14, 14, 14, 14, 14, 14, 16])
  assert.deepEqual(percents(0, undefined), [0, 100])
  assert.deepEqual(percents(100, undefined), [100, 0])
  assert.deepEqual(percents(60, 40), [60, 40])
  assert.deepEqual(percents(10, 30), [10, 30])
  assert.deepEqual(percents(0, 0), [0, 0])
  assert.deepEqual([percents(10), percents(500), percents(undefined)], [[100], [100], [100]])
})

test('decimals are hundredths of a percent', () => {
  assert.deepEqual(percents(0.5, undefined), [0.5, 99.5])
  assert.deepEqual(percents(0.01, undefined, undefined), [0.01, 50, 49.99])
})

test('a weight outside 0 to 100 and a sum over 100 are refused', () => {
  assert.equal(percents(101, undefined), 'weight-out-of-range')
  assert.equal(percents(-1, undefined), 'weight-out-of-range')
  assert.equal(percents(60, 60), 'weights-over-100')
})

test('whatever the weights, shares are whole, not negative, and never more than the whole', () => {
  const weight = fc.option(fc.integer({ min: -50, max: 150 }), { nil: undefined })
  fc.assert(
    fc.property(fc.array(weight, { minLength: 1, maxLength: 9 }), (weights) => {
      const all = members(...weights)
      const result = sharesOf(all)
      const shares = (result.ok ? result.shares : safeShares(all)).map(({ share }) => share)
      assert.ok(shares.every((share) => Number.isInteger(share) && share >= 0))
      const sum = shares.reduce((total, share) => total + share, 0)
      assert.ok(sum <= SHARE_WHOLE)
      if (!result.ok || weights.includes(undefined)) assert.equal(sum, SHARE_WHOLE)
    }),
  )
})
