import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hash32 } from './hash.ts'
import { hashRing, maglevTable } from './hash-balancer.ts'

const KEYS = Array.from({ length: 3000 }, (_, index) => hash32(`client ${index}`))

for (const [name, build] of [
  ['ring', hashRing],
  ['maglev', maglevTable],
] as const) {
  test(`${name}: every endpoint gets a fair share of the keys`, () => {
    const ids = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80', '10.0.0.4:80']
    const find = build(ids)
    const counts = [0, 0, 0, 0]
    for (const key of KEYS) counts[find(key)]!++
    for (const count of counts) assert.ok(count > KEYS.length / 8 && count < KEYS.length / 2, counts.join())
  })

  test(`${name}: most keys stay where they are when an endpoint goes`, () => {
    const before = ['a:1', 'b:1', 'c:1', 'd:1', 'e:1']
    const after = before.filter((id) => id !== 'c:1')
    const [findBefore, findAfter] = [build(before), build(after)]
    const stayed = KEYS.map((key) => [before[findBefore(key)]!, after[findAfter(key)]!] as const).filter(
      ([id]) => id !== 'c:1',
    )
    const moved = stayed.filter(([from, to]) => from !== to).length
    assert.ok(moved < stayed.length / 10, `${moved} of ${stayed.length} moved`)
  })
}

test('the order in which endpoints are told does not matter', () => {
  const ids = fc.uniqueArray(fc.stringMatching(/^[a-z0-9.:]{1,12}$/u), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(ids, fc.nat(2 ** 32 - 1), (list, key) => {
      const turned = [...list].reverse()
      assert.equal(list[hashRing(list)(key)], turned[hashRing(turned)(key)])
      assert.equal(list[maglevTable(list)(key)], turned[maglevTable(turned)(key)])
    }),
    { numRuns: 20 },
  )
})
