import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide } from './decide.ts'
import { fenceposts } from '../percent.ts'
import { World } from './world.test.model.ts'

/**
 * The sequences of sizes that a rolling update goes through (vectors 01-43 of the recorded reference): `old/new` after
 * each write, `*` where the pending pods become available, one by one.
 */

interface Vector {
  readonly replicas: number
  readonly surge: number | string
  readonly unavailable: number | string
  /** All pending pods at each settled state, each seen by itself. */
  readonly sizes: string
}

const VECTORS: Readonly<Record<string, Vector>> = {
  '01': { replicas: 1, surge: '25%', unavailable: '25%', sizes: '1/1 * 0/1' },
  '02': { replicas: 2, surge: '25%', unavailable: '25%', sizes: '2/1 * 1/1 1/2 * 0/2' },
  '03': { replicas: 3, surge: '25%', unavailable: '25%', sizes: '3/1 * 2/1 2/2 * 1/2 1/3 * 0/3' },
  '04': { replicas: 4, surge: '25%', unavailable: '25%', sizes: '4/1 3/1 3/2 * 2/2 2/3 1/3 1/4 * 0/4' },
  '05': { replicas: 5, surge: '25%', unavailable: '25%', sizes: '5/2 4/2 4/3 * 3/3 3/4 2/4 2/5 1/5 * 0/5' },
  '11': { replicas: 1, surge: 0, unavailable: 1, sizes: '1/0 0/0 0/1 *' },
  '12': { replicas: 1, surge: 0, unavailable: '1%', sizes: '1/0 0/0 0/1 *' },
  '13': { replicas: 2, surge: '0%', unavailable: '1%', sizes: '2/0 1/0 1/1 * 0/1 0/2 *' },
  '14': { replicas: 2, surge: '1%', unavailable: '25%', sizes: '2/1 * 1/1 1/2 * 0/2' },
  '15': { replicas: 3, surge: 1, unavailable: 0, sizes: '3/1 * 2/1 2/2 * 1/2 1/3 * 0/3' },
  '16': { replicas: 3, surge: 0, unavailable: 1, sizes: '3/0 2/0 2/1 * 1/1 1/2 * 0/2 0/3 *' },
  '17': { replicas: 3, surge: 0, unavailable: '33%', sizes: '3/0 2/0 2/1 * 1/1 1/2 * 0/2 0/3 *' },
  '18': { replicas: 3, surge: '33%', unavailable: 0, sizes: '3/1 * 2/1 2/2 * 1/2 1/3 * 0/3' },
  '20': { replicas: 4, surge: 0, unavailable: 2, sizes: '4/0 2/0 2/2 * 1/2 1/3 0/3 0/4 *' },
  '21': { replicas: 4, surge: 2, unavailable: 0, sizes: '4/2 * 3/2 3/3 2/3 2/4 * 1/4 0/4' },
  '22': { replicas: 4, surge: '100%', unavailable: 0, sizes: '4/4 * 3/4 2/4 1/4 0/4' },
  '23': { replicas: 4, surge: 0, unavailable: '100%', sizes: '4/0 0/0 0/4 *' },
  '24': { replicas: 4, surge: '100%', unavailable: '100%', sizes: '4/4 0/4 *' },
  '29': { replicas: 6, surge: '200%', unavailable: 0, sizes: '6/6 * 5/6 4/6 3/6 2/6 1/6 0/6' },
  '30': { replicas: 5, surge: 1, unavailable: 10, sizes: '5/1 0/1 0/5 *' },
  '31': { replicas: 0, surge: '25%', unavailable: '25%', sizes: '0/0' },
}

for (const [name, vector] of Object.entries(VECTORS)) {
  test(`vector ${name}: ${String(vector.replicas)} replicas, surge ${String(vector.surge)}, unavailable ${String(vector.unavailable)}`, () => {
    const world = rolled(vector)
    world.change('web:2')
    world.settle()
    while (world.pendingPods() > 0) world.everyPendingBecomesReady()
    assert.equal(world.sizes(), vector.sizes)
  })
}

function rolled({ replicas, surge, unavailable }: Pick<Vector, 'replicas' | 'surge' | 'unavailable'>): World {
  const world = new World({ replicas, maxSurge: surge, maxUnavailable: unavailable })
  world.settle()
  while (world.pendingPods() > 0) world.everyPendingBecomesReady()
  world.forget()
  return world
}

for (let replicas = 0; replicas <= 12; replicas += 1) {
  test(`every rolling update of ${String(replicas)} replicas keeps its fenceposts and ends complete`, () => {
    for (const surge of [0, 1, 3, '10%', '25%', '50%', '100%']) {
      for (const unavailable of [1, 2, '25%', '50%', '100%', 0]) {
        if (surge === 0 && unavailable === 0) continue
        const world = rolled({ replicas, surge, unavailable })
        const posts = fenceposts(world.deployment.spec)
        world.change('web:2')
        world.settle()
        while (world.pendingPods() > 0) world.onePendingBecomesReady()
        assert.ok(world.largest <= replicas + posts.surge, `${world.sizes()} exceeds ${String(posts.surge)}`)
        assert.ok(world.fewestReady >= replicas - posts.unavailable, `${world.sizes()} falls below`)
        assert.equal(world.sizes().replace(/ \*$/, '').split(' ').at(-1), `0/${String(replicas)}`)
        assert.equal(world.condition('Progressing')?.reason, 'NewReplicaSetAvailable')
        assert.equal(decide(world.observed()).steps.length, 0)
      }
    }
  })
}

test('32-34: a new version that never gets ready stops where enough of the old one is available', () => {
  for (const [replicas, surge, unavailable, sizes] of [
    [3, '25%', '25%', '3/1'],
    [4, '25%', '25%', '4/1 3/1 3/2'],
    [10, 3, 2, '10/3 8/3 8/5'],
  ] as const) {
    const world = rolled({ replicas, surge, unavailable })
    world.change('web:2')
    world.settle()
    assert.equal(world.sizes(), sizes)
    world.passes(700_000)
    world.settle()
    assert.equal(world.condition('Progressing')?.reason, 'ProgressDeadlineExceeded')
    assert.equal(world.condition('Available')?.status, 'True')
    assert.equal(world.sizes(), sizes)
  }
})

test('35: undo takes the bad version away in one write and brings the old one back under its old name', () => {
  const world = rolled({ replicas: 10, surge: 3, unavailable: 2 })
  world.change('web:2')
  world.settle()
  world.change('web:1')
  world.settle()
  while (world.pendingPods() > 0) world.everyPendingBecomesReady()
  // Seen from the template of the Deployment: old is web:2 now.
  assert.equal(world.replicaSets.length, 2)
  assert.deepEqual(world.sizesByImage(), { 'web:1': 10, 'web:2': 0 })
  assert.equal(world.revisionByImage()['web:1'], '3')
})

test('36: rollover, a third version while the second is stuck', () => {
  const world = rolled({ replicas: 10, surge: 3, unavailable: 2 })
  world.change('web:2')
  world.settle()
  world.change('web:3')
  world.settle()
  assert.deepEqual(world.sizesByImage(), { 'web:1': 8, 'web:2': 0, 'web:3': 5 })
  while (world.pendingPods() > 0) world.everyPendingBecomesReady()
  assert.deepEqual(world.sizesByImage(), { 'web:1': 0, 'web:2': 0, 'web:3': 10 })
})

test('37, 41, 42, 43: scaling in the middle of a rollout is proportional', () => {
  for (const [old, fresh, before, after, surge, unavailable, expected] of [
    [8, 5, 10, 15, 3, 2, [11, 7]],
    [8, 5, 10, 5, 3, 2, [5, 3]],
    [3, 2, 5, 10, 0, 1, [6, 4]],
    [3, 2, 5, 3, 0, 1, [2, 1]],
    [1, 8, 9, 4, 0, 1, [0, 4]],
    [6, 6, 10, 20, 2, 0, [11, 11]],
    [8, 5, 10, 0, 3, 2, [0, 0]],
  ] as const) {
    const world = new World({ replicas: before, maxSurge: surge, maxUnavailable: unavailable })
    world.stands({ old, fresh })
    world.scaleTo(after)
    const decision = decide(world.observed())
    const resized = decision.steps.flatMap((step) => (step.do === 'tell' ? [] : step.replicaSet))
    const sizes = new Map(resized.map(({ metadata, spec }) => [metadata.name, spec.replicas]))
    assert.deepEqual(
      world.replicaSets.map((replicaSet) => sizes.get(replicaSet.metadata.name) ?? replicaSet.spec.replicas),
      expected,
      `${String(before)} to ${String(after)}`,
    )
  }
})

test('38, 39: pods of the old version that serve nobody go first, even more than the fenceposts allow of the others', () => {
  const world = rolled({ replicas: 10, surge: 0, unavailable: 2 })
  world.becomeUnready(2)
  world.settle()
  world.change('web:2')
  world.settle()
  assert.equal(world.sizes(), '10/0 8/0 8/2')
  const broken = rolled({ replicas: 4, surge: '25%', unavailable: '25%' })
  broken.becomeUnready(4)
  broken.settle()
  broken.change('web:2')
  broken.settle()
  assert.equal(broken.sizes(), '4/1 3/1 3/2')
})

test('40: Recreate takes every old pod away, waits for the last of them, then makes all new ones at once', () => {
  const world = new World({ replicas: 3, type: 'Recreate' })
  world.settle()
  world.everyPendingBecomesReady()
  world.forget()
  world.stopsSlowly = true
  world.change('web:2')
  world.settle()
  assert.equal(world.sizes(), '0/-')
  world.stopped()
  world.settle()
  assert.equal(world.sizes(), '0/- 0/3')
})

test('44, 45: minReadySeconds counts from the last time a pod became ready', () => {
  const world = new World({ replicas: 1, minReadySeconds: 5 })
  world.settle()
  world.everyPendingBecomesReady()
  assert.equal(world.deployment.status?.availableReplicas, undefined)
  world.passes(4_000)
  world.becomeUnready(1)
  world.settle()
  world.everyPendingBecomesReady()
  world.passes(4_000)
  world.settle()
  assert.equal(world.deployment.status?.availableReplicas, undefined)
  world.passes(1_000)
  world.settle()
  assert.equal(world.deployment.status?.availableReplicas, 1)
})

test('46, 47: a paused Deployment scales but does not roll; two edits while paused are one rollout', () => {
  const world = rolled({ replicas: 10, surge: 3, unavailable: 2 })
  world.change('web:2')
  world.settle()
  world.pause(true)
  world.change('web:3')
  world.settle()
  assert.deepEqual(world.sizesByImage(), { 'web:1': 8, 'web:2': 5 })
  assert.equal(world.condition('Progressing')?.reason, 'DeploymentPaused')
  world.change('web:4')
  world.settle()
  world.pause(false)
  world.settle()
  assert.deepEqual(Object.keys(world.sizesByImage()), ['web:1', 'web:2', 'web:4'])
})

test('48: a template that goes back to an earlier one takes the ReplicaSet that is there', () => {
  const world = rolled({ replicas: 3, surge: 1, unavailable: 0 })
  world.change('web:2')
  world.settle()
  world.change('web:1')
  world.settle()
  assert.equal(world.replicaSets.length, 2)
  assert.equal(world.revisionByImage()['web:1'], '3')
})

test('49: revisionHistoryLimit keeps that many old ReplicaSets', () => {
  const world = rolled({ replicas: 1, surge: 1, unavailable: 0 })
  world.deployment.spec.revisionHistoryLimit = 1
  for (const image of ['web:2', 'web:3', 'web:4']) {
    world.change(image)
    world.settle()
    while (world.pendingPods() > 0) world.everyPendingBecomesReady()
  }
  assert.deepEqual(Object.keys(world.sizesByImage()), ['web:3', 'web:4'])
})

test('50: what is not in the template starts no rollout', () => {
  const world = rolled({ replicas: 3, surge: 1, unavailable: 0 })
  world.deployment.metadata.labels = { tier: 'x' }
  world.settle()
  assert.equal(world.replicaSets.length, 1)
})
