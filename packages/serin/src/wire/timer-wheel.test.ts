import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Timer, TimerWheel } from './timer-wheel.ts'

test('a timer fires once, not before its time, and later again when set again', async () => {
  const wheel = new TimerWheel()
  let fired = 0
  const timer: Timer = new Timer({
    onTimer: () => {
      fired++
    },
  })
  wheel.touch()
  wheel.set(timer, 60)
  await pause(30)
  assert.equal(fired, 0)
  await pause(120)
  assert.equal(fired, 1)
  wheel.touch()
  wheel.set(timer, 10)
  await pause(100)
  assert.equal(fired, 2)
})

test('a timer that is pushed back over and over fires after the last push; a cleared one never', async () => {
  const wheel = new TimerWheel()
  let fired = 0
  const timer = new Timer({
    onTimer: () => {
      fired++
    },
  })
  const cleared = new Timer({ onTimer: () => assert.fail('it was cleared') })
  wheel.set(cleared, 40)
  wheel.clear(cleared)
  for (let push = 0; push < 10; push++) {
    wheel.touch()
    wheel.set(timer, 100)
    // oxlint-disable-next-line no-await-in-loop
    await pause(20)
    assert.equal(fired, 0)
  }
  await pause(250)
  assert.equal(fired, 1)
})

test('a handler may remove any other timer of the same moment', async () => {
  const wheel = new TimerWheel()
  const fired: string[] = []
  const timers: Timer[] = []
  for (const name of ['a', 'b', 'c']) {
    timers.push(
      new Timer({
        onTimer: () => {
          fired.push(name)
          for (const timer of timers) wheel.remove(timer)
        },
      }),
    )
  }
  wheel.touch()
  for (const timer of timers) wheel.set(timer, 20)
  await pause(120)
  assert.equal(fired.length, 1)
})
