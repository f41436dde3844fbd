import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HorizontalPodAutoscalerSpec } from '../../resources/kubernetes/types.ts'
import { allowed, tolerancesOf, type BehaviorInput } from './behavior.ts'

/** How far a recommendation may go: windows, policies, limits. */

const NOW = 1_000_000

function spec(
  behavior: HorizontalPodAutoscalerSpec['behavior'] = {},
  limits: { minReplicas: number; maxReplicas: number } = { minReplicas: 1, maxReplicas: 100 },
): HorizontalPodAutoscalerSpec {
  return { scaleTargetRef: { kind: 'Deployment', name: 'web' }, ...limits, behavior }
}

function go(
  current: number,
  desired: number,
  extra: Partial<BehaviorInput> = {},
): readonly [number, string | undefined] {
  const recommendations = [{ at: NOW, replicas: desired }]
  const outcome = allowed({ spec: spec(), current, desired, recommendations, changes: [], now: NOW, ...extra })
  return [outcome.replicas, outcome.limited?.reason ?? outcome.stabilized]
}

test('by default it doubles at most, or adds four, in 15 seconds', () => {
  assert.deepEqual(go(1, 50), [5, 'ScaleUpLimit'])
  assert.deepEqual(go(10, 50), [20, 'ScaleUpLimit'])
  assert.deepEqual(go(10, 50, { changes: [{ at: NOW - 5_000, by: 5 }] }), [10, 'ScaleUpLimit'])
  assert.deepEqual(go(10, 50, { changes: [{ at: NOW - 20_000, by: 5 }] }), [20, 'ScaleUpLimit'])
})

test('by default it shrinks to the highest recommendation of five minutes', () => {
  assert.deepEqual(go(10, 2, { recommendations: [{ at: NOW - 100_000, replicas: 8 }] }), [8, 'down'])
  assert.deepEqual(go(10, 2, { recommendations: [{ at: NOW - 400_000, replicas: 8 }] }), [2, undefined])
})

test('a window for growing takes the lowest recommendation of it', () => {
  const slow = spec({ scaleUp: { stabilizationWindowSeconds: 60 } })
  assert.deepEqual(go(3, 6, { spec: slow, recommendations: [{ at: NOW - 30_000, replicas: 4 }] }), [4, 'up'])
  assert.deepEqual(go(3, 6, { spec: slow, recommendations: [{ at: NOW - 30_000, replicas: 2 }] }), [3, 'up'])
})

test('policies: the one that allows most counts, or least with Min, or none with Disabled', () => {
  const policies = [
    { type: 'Pods', value: 2, periodSeconds: 60 },
    { type: 'Percent', value: 10, periodSeconds: 60 },
  ]
  const down = { stabilizationWindowSeconds: 0, policies }
  assert.deepEqual(go(80, 10, { spec: spec({ scaleDown: down }) }), [72, 'ScaleDownLimit'])
  assert.deepEqual(go(80, 10, { spec: spec({ scaleDown: { ...down, selectPolicy: 'Min' } }) }), [78, 'ScaleDownLimit'])
  assert.deepEqual(go(80, 10, { spec: spec({ scaleDown: { ...down, selectPolicy: 'Disabled' } }) }), [
    80,
    'ScaleDownLimit',
  ])
  assert.deepEqual(go(80, 90, { spec: spec({ scaleUp: { policies, selectPolicy: 'Max' } }) }), [88, 'ScaleUpLimit'])
})

test('limits are limits', () => {
  const narrow = spec({}, { minReplicas: 2, maxReplicas: 5 })
  assert.deepEqual(go(4, 50, { spec: narrow }), [5, 'TooManyReplicas'])
  assert.deepEqual(go(4, 0, { spec: narrow }), [2, 'TooFewReplicas'])
  assert.deepEqual(go(4, 3, { spec: narrow }), [3, undefined])
})

test('tolerances are a tenth, or what the behaviour says', () => {
  assert.deepEqual(tolerancesOf(spec()), { up: 0.1, down: 0.1 })
  const own = spec({ scaleUp: { tolerance: '50m' }, scaleDown: { tolerance: 0.2 } })
  assert.deepEqual(tolerancesOf(own), { up: 0.05, down: 0.2 })
})
