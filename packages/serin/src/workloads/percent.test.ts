import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IntOrString } from '../resources/kubernetes/types.ts'
import { fenceposts } from './percent.ts'

/** How many pods more, and fewer: `[replicas, maxSurge, maxUnavailable, surge, unavailable]`. */
const TABLE: readonly (readonly [number, IntOrString | undefined, IntOrString | undefined, number, number])[] = [
  [1, undefined, undefined, 1, 0],
  [4, undefined, undefined, 1, 1],
  [10, '25%', '25%', 3, 2],
  [3, '33%', 0, 1, 0],
  [3, 0, '33%', 0, 1],
  [1, 0, '1%', 0, 1],
  [6, '200%', 0, 12, 0],
  [5, 1, 10, 1, 5],
  [0, '25%', '25%', 0, 0],
  [0, 1, 1, 1, 0],
  [100, '1%', '1%', 1, 1],
  [7, '30%', '20%', 3, 1],
]

for (const [replicas, maxSurge, maxUnavailable, surge, unavailable] of TABLE) {
  test(`${String(replicas)} replicas, maxSurge ${String(maxSurge)}, maxUnavailable ${String(maxUnavailable)}`, () => {
    const rollingUpdate = {
      ...(maxSurge === undefined ? {} : { maxSurge }),
      ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
    }
    const rest = { selector: {}, template: { spec: { containers: [] } } }
    assert.deepEqual(fenceposts({ replicas, strategy: { type: 'RollingUpdate', rollingUpdate }, ...rest }), {
      surge,
      unavailable,
    })
    assert.deepEqual(fenceposts({ replicas, strategy: { type: 'Recreate' }, ...rest }), { surge: 0, unavailable: 0 })
  })
}
