import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from './registry.ts'
import { Totals } from './sample.ts'
import { STEP_MS, WINDOW_MS_MAX, Windows } from './window.ts'

function story(): {
  tick: (requests: number, status?: number, ms?: number) => void
  windows: Windows
  idle: () => void
} {
  const registry = new Registry()
  registry.beginPlan()
  const meter = registry.destination('default/a', 'v2')
  registry.endPlan(0)
  const totals = new Totals()
  const windows = new Windows()
  let now = 0
  const tick = (requests: number, status = 200, ms = 4): void => {
    for (let index = 0; index < requests; index++) {
      meter.started()
      meter.ended(status, ms, 0, 0, 0)
    }
    totals.apply(1, registry.sample())
    windows.add(totals.series(now), (now += STEP_MS))
  }
  return { tick, windows, idle: () => tick(0) }
}

test('a window holds what ended in it, by code, and its quantiles', () => {
  const { tick, windows } = story()
  tick(7)
  tick(100)
  tick(50, 503, 40)
  const last = windows.last('default/a', 'v2', 2 * STEP_MS)
  assert.equal(last.coveredMs, 2 * STEP_MS)
  assert.equal(last.requests, 150)
  assert.deepEqual(
    [...last.codes],
    [
      [200, 100],
      [503, 50],
    ],
  )
  assert.ok(last.quantileMs(0.5) > 3.5 && last.quantileMs(0.5) <= 5)
  assert.ok(last.quantileMs(0.99) > 35 && last.quantileMs(0.99) <= 50)
  assert.equal(windows.last('default/a', 'v2', STEP_MS).requests, 50)
})

test('no requests are zeros and NaN, for a version that does not exist too', () => {
  const { idle, windows } = story()
  idle()
  idle()
  for (const mapping of ['default/a', 'default/none']) {
    const last = windows.last(mapping, 'v2', 60_000)
    assert.equal(last.requests, 0)
    assert.equal(last.coveredMs, STEP_MS)
    assert.ok(Number.isNaN(last.quantileMs(0.5)))
  }
})

test('nothing is kept for longer than the longest window', () => {
  const { tick, idle, windows } = story()
  idle()
  tick(5)
  for (let step = 0; step < WINDOW_MS_MAX / STEP_MS; step++) idle()
  assert.equal(windows.last('default/a', 'v2', Infinity).requests, 0)
  assert.equal(windows.last('default/a', 'v2', Infinity).coveredMs, WINDOW_MS_MAX)
})
