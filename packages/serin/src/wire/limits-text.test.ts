import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { DEFAULT_LIMITS } from './limits.ts'
import { LimitsError, parseLimits } from './limits-text.ts'

test('some limits are taken, the others stay', () => {
  assert.deepEqual(parseLimits('{"headBytesMax": 1024, "idleMs": 0}'), { headBytesMax: 1024, idleMs: 0 })
  assert.deepEqual(parseLimits(undefined), {})
})

test('all mistakes are told at once, with what was meant', () => {
  const text = '{"headbytesmax": 1, "idleMs": "1s", "fieldsMax": -1, "nothing": 1}'
  assert.throws(
    () => parseLimits(text),
    (error: unknown) => {
      assert.ok(error instanceof LimitsError)
      assert.deepEqual(error.message.split('\n'), [
        'there is no limit "headbytesmax"; did you mean "headBytesMax"?',
        'limit "idleMs" must be a whole number, 0 or more; it is "1s"',
        'limit "fieldsMax" must be a whole number, 0 or more; it is -1',
        'there is no limit "nothing"',
      ])
      return true
    },
  )
  assert.throws(() => parseLimits('[]'), /must be a JSON object/)
  assert.throws(() => parseLimits('{'), /no JSON/)
})

test('docs/reference/limits.md tells every limit and its default, and no other', () => {
  const page = readFileSync(new URL('../../../../../docs/reference/limits.md', import.meta.url), 'utf8')
  const told = [...page.matchAll(/^\| `(\w+)` \| ([\d,]+)/gm)].map(([, name, value]) => [
    name,
    Number(value!.replaceAll(',', '')),
  ])
  assert.deepEqual(Object.fromEntries(told), { ...DEFAULT_LIMITS })
  assert.equal(told.length, Object.keys(DEFAULT_LIMITS).length)
})
