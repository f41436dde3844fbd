import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PodObject } from '../../resources/kubernetes/types.ts'
import { forObject, forPods, requestIn, type PodsInput } from './proposal.ts'

/** The documented algorithm of the HorizontalPodAutoscaler, as a table. */

const NOW = Date.parse('2030-01-01T01:00:00Z')

interface PodOptions {
  readonly ready?: boolean
  readonly startedAgoMs?: number
  readonly phase?: 'Pending' | 'Running'
  readonly deleted?: boolean
}

function pod(name: string, options: PodOptions = {}): PodObject {
  const { ready = true, startedAgoMs = 3_600_000, phase = 'Running', deleted = false } = options
  const started = new Date(NOW - startedAgoMs).toISOString()
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', ...(deleted ? { deletionTimestamp: started } : {}) },
    spec: { containers: [{ name: 'c', resources: { requests: { cpu: '100m', memory: '1Gi' } } }] },
    status: {
      phase,
      startTime: started,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: started }],
    },
  }
}

type Sample = readonly [value: number | undefined, options?: PodOptions]

function ask(current: number, samples: readonly Sample[], extra: Partial<PodsInput> = {}): number | undefined {
  return forPods({
    current,
    pods: samples.map(([value, options], index) => ({ pod: pod(`p${String(index)}`, options), value })),
    target: { utilization: 50, request: (entry) => requestIn(entry, 'cpu') },
    isCpu: true,
    tolerances: { up: 0.1, down: 0.1 },
    now: NOW,
    ...extra,
  })?.replicas
}

const starting: PodOptions = { ready: false, startedAgoMs: 10_000 }

const CASES: readonly (readonly [
  title: string,
  current: number,
  samples: readonly Sample[],
  expected: number | undefined,
])[] = [
  ['twice the target doubles', 2, [[100], [100]], 4],
  ['half the target halves', 4, [[25], [25], [25], [25]], 2],
  ['within the tolerance nothing happens', 2, [[54], [54]], 2],
  ['just above the tolerance grows', 2, [[56], [56]], 3],
  ['a busy pod and an idle one are two half busy ones', 2, [[100], [0]], 2],
  ['nobody measured: nothing is known', 2, [[undefined], [undefined]], undefined],
  ['a pod that is not measured counts as idle when growing', 3, [[100], [100], [undefined]], 4],
  ['a pod that is not measured counts as fully used when shrinking', 3, [[10], [10], [undefined]], 3],
  ['a pod that is not ready counts as idle when growing', 3, [[100], [100], [100, starting]], 4],
  ['a pod that is not ready does not count when shrinking', 3, [[10], [10], [100, starting]], 1],
  ['a pending pod is not ready', 3, [[100], [100], [undefined, { phase: 'Pending', ready: false }]], 4],
  ['a pod that goes does not count', 3, [[100], [100], [100, { deleted: true }]], 4],
]

for (const [title, current, samples, expected] of CASES) {
  test(`cpu at 50 % of 100m: ${title}`, () => assert.equal(ask(current, samples), expected))
}

test('a missing pod never turns the direction round', () => {
  // Two pods at 120 % of the target; with three idle ones added it would be below: stay.
  assert.equal(ask(5, [[60], [60], [undefined], [undefined], [undefined]]), 5)
})

test('values are compared with an average; tolerances differ by direction', () => {
  const target = { average: 10 }
  assert.equal(ask(2, [[20], [20]], { target, isCpu: false }), 4)
  const tolerances = { up: 0, down: 0.3 }
  assert.equal(ask(4, [[8], [8], [8], [8]], { target, isCpu: false, tolerances }), 4)
  assert.equal(ask(4, [[11], [11], [11], [11]], { target, isCpu: false, tolerances }), 5)
})

test('an object is compared by its value over the ready pods, or by its share of each', () => {
  const tolerances = { up: 0.1, down: 0.1 }
  assert.equal(forObject({ current: 3, ready: 3, value: 200, target: { value: 100 }, tolerances }).replicas, 6)
  assert.equal(forObject({ current: 3, ready: 3, value: 105, target: { value: 100 }, tolerances }).replicas, 3)
  assert.equal(forObject({ current: 3, ready: 3, value: 1000, target: { average: 100 }, tolerances }).replicas, 10)
})

test('a container without a request cannot be compared with it', () => {
  const bare = { ...pod('bare'), spec: { containers: [{ name: 'c' }] } }
  assert.throws(() => requestIn(bare, 'cpu'), /missing request for cpu in container c of Pod bare/)
})
