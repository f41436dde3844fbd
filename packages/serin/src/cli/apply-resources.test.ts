import assert from 'node:assert/strict'
import { test } from 'node:test'

import { threeWayMerge } from './apply-resources.ts'

const cases: readonly (readonly [string, unknown, unknown, unknown])[] = [
  ['what is new is set', {}, { spec: { weight: 10 } }, { spec: { weight: 10 } }],
  [
    'what was applied and is wanted no more is removed',
    { spec: { weight: 10, a: 1 } },
    { spec: { a: 1 } },
    { spec: { a: 1, weight: null } },
  ],
  [
    'a map that is wanted no more is removed whole',
    { metadata: { labels: { a: 'b' } } },
    { metadata: {} },
    { metadata: { labels: null } },
  ],
  ['lists are replaced', { ports: [1, 2] }, { ports: [3] }, { ports: [3] }],
  ['a status is nobody’s to remove', { status: {}, spec: 1 }, { spec: 1 }, { spec: 1 }],
  ['what others have set is left alone', undefined, { spec: {} }, { spec: {} }],
]

for (const [name, lastApplied, wanted, expected] of cases) {
  test(name, () => assert.deepEqual(threeWayMerge(lastApplied, wanted), expected))
}
