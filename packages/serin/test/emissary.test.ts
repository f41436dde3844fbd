/** Every recorded case of Emissary-ingress through the real gateway, against real upstreams. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { readCases } from './emissary/case.ts'
import { differences } from './emissary/differences.ts'
import { Lane } from './emissary/lane.ts'

/** Cases at once; most of them wait for a delay they asked for. */
const LANES = 3

const cases = readCases()
const different = differences()

test('the page of differences names only cases that there are', () => {
  const ids = new Set(cases.map(({ id }) => id))
  assert.deepEqual(
    [...different.keys()].filter((id) => !ids.has(id)),
    [],
  )
})

describe('recorded cases', { concurrency: LANES }, () => {
  const free: Lane[] = []
  const all: Lane[] = []
  before(async () => {
    const [second, third] = [64 + (process.pid % 128), (process.pid >> 7) % 250]
    const starting = Array.from({ length: LANES }, (_, index) => Lane.start(`127.${second}.${third}.${index + 1}`))
    all.push(...(await Promise.all(starting)))
    free.push(...all)
  })
  after(async () => {
    await Promise.all(all.map((lane) => lane.stop()))
  })

  for (const testCase of cases) {
    const { id, title } = testCase
    test(`${id}: ${title}`, async () => {
      const lane = free.pop()!
      try {
        const problems = await lane.run(testCase)
        const reason = different.get(id)
        if (reason === undefined) assert.deepEqual(problems, [])
        else assert.notDeepEqual(problems, [], `differences.md says that it differs; it does not: ${reason}`)
      } finally {
        free.push(lane)
      }
    })
  }
})
