import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { WorkQueue } from './queue.ts'

/** The work of a controller: no key twice at once, none forgotten, what failed again. */

test('a key that is added many times while it is looked at is looked at once more', async () => {
  const looks: string[] = []
  let isBusy = false
  const queue = new WorkQueue({
    sync: async (key) => {
      assert.ok(!isBusy, 'two looks at once')
      isBusy = true
      looks.push(key)
      await delay(20)
      isBusy = false
      return undefined
    },
    onError: (_key, error) => assert.fail(String(error)),
  })
  queue.add('a')
  await delay(5)
  for (let times = 0; times < 10; times += 1) queue.add('a')
  await delay(100)
  assert.deepEqual(looks, ['a', 'a'])
  assert.ok(queue.isIdle)
  await queue.stop()
})

test('no more keys are looked at at once than the bound says', async () => {
  let now = 0
  let most = 0
  const queue = new WorkQueue({
    sync: async () => {
      most = Math.max(most, ++now)
      await delay(5)
      now -= 1
      return undefined
    },
    onError: () => {},
    atOnce: 3,
  })
  for (let key = 0; key < 20; key += 1) queue.add(String(key))
  while (!queue.isIdle) await delay(5)
  assert.equal(most, 3)
  await queue.stop()
})

test('a look that fails is repeated until it succeeds', async () => {
  let tries = 0
  const errors: string[] = []
  const queue = new WorkQueue({
    sync: () => {
      tries += 1
      return tries < 4 ? Promise.reject(new Error(`try ${String(tries)}`)) : Promise.resolve(undefined)
    },
    onError: (_key, error) => errors.push((error as Error).message),
  })
  queue.add('a')
  while (tries < 4) await delay(5)
  assert.deepEqual(errors, ['try 1', 'try 2', 'try 3'])
  await queue.stop()
})

test('of several wishes for later the earliest counts; one beyond the longest timer does not come at once', async () => {
  const looks: string[] = []
  const queue = new WorkQueue({
    sync: (key) => {
      looks.push(key)
      return Promise.resolve(undefined)
    },
    onError: () => {},
  })
  queue.addAfter('far', 10 ** 12)
  queue.addAfter('near', 10_000)
  queue.addAfter('near', 10)
  await delay(60)
  assert.deepEqual(looks, ['near'])
  await queue.stop()
})
