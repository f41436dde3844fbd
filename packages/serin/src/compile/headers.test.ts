import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseHeaderValue, readHeaderChanges } from './headers.ts'

test('operators are found, %% is a percent sign', () => {
  assert.deepEqual(parseHeaderValue('v-%REQ(x-a)%-%PROTOCOL%, 100%%'), {
    ok: true,
    parts: [
      { kind: 'text', text: 'v-' },
      { kind: 'operator', operator: 'REQ', argument: 'x-a' },
      { kind: 'text', text: '-' },
      { kind: 'operator', operator: 'PROTOCOL' },
      { kind: 'text', text: ', 100%' },
    ],
  })
  assert.deepEqual(parseHeaderValue(''), { ok: true, parts: [{ kind: 'text', text: '' }] })
  assert.equal(parseHeaderValue('%START_TIME%').ok, true)
  assert.equal(parseHeaderValue('%START_TIME(%Y-%m)%').ok, true)
})

test('what Envoy refuses is refused, with a reason', () => {
  const reason = (value: string): string => {
    const parsed = parseHeaderValue(value)
    return parsed.ok ? '' : parsed.reason
  }
  assert.match(reason('%NOSUCH%'), /unknown operator/)
  assert.match(reason('50% off'), /lone %/)
  assert.match(reason('%'), /lone %/)
  assert.match(reason('%REQ%'), /wants a name/)
  assert.match(reason('%PROTOCOL(x)%'), /no argument/)
  assert.match(reason('a\r\nb: c'), /line break/)
})

test('Host and pseudo headers are neither added nor removed, and a name is a name', () => {
  const problems = readHeaderChanges(
    { Host: { value: 'a' }, ':path': { value: 'a' }, 'a b': { value: 'a' }, x: {}, y: 'plain' },
    ['host', 'X-Fine'],
  )
  assert.deepEqual(
    problems.problems.map(({ path }) => path.join('.')),
    ['add.Host', 'add.:path', 'add.a b', 'add.x', 'remove.0'],
  )
  assert.deepEqual(problems.changes.add.at(-1), { name: 'y', value: [{ kind: 'text', text: 'plain' }], append: true })
  assert.deepEqual(problems.changes.remove, ['host', 'x-fine'])
})
