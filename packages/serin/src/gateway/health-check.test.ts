import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HealthCheck } from '../model/cluster.ts'
import { afterCheck, type Health, healthRequest, UNCHECKED, usable } from './health-check.ts'

const http = {
  kind: 'http',
  path: '/health',
  addHeaders: [['x-a', '1']],
  removeHeaders: ['user-agent'],
  expectedStatuses: [{ min: 200, max: 200 }],
} as const
const check: HealthCheck = { timeoutMs: 1, intervalMs: 1, unhealthyThreshold: 3, healthyThreshold: 2, check: http }

function course(verdicts: string): string {
  const names = { g: 'good', b: 'bad', s: 'silent' } as const
  const letters: Readonly<Record<Health, string>> = { unknown: '?', healthy: 'H', unhealthy: 'U' }
  let progress = UNCHECKED
  let text = ''
  for (const letter of verdicts) {
    progress = afterCheck(progress, names[letter as 'g'], check)
    text += letters[progress.health]
  }
  return text
}

test('one good answer is enough at first, two later; a bad one puts out at once, silence after three times', () => {
  const table: Readonly<Record<string, string>> = {
    g: 'H',
    b: 'U',
    s: 'U',
    gbgg: 'HUUH',
    gssg: 'HHHH',
    gsss: 'HHHU',
    gsssgg: 'HHHUUH',
    gssgss: 'HHHHHH',
    bgbg: 'UUUU',
  }
  for (const [verdicts, healths] of Object.entries(table)) assert.equal(course(verdicts), healths, verdicts)
})

test('when fewer than half are healthy, all are used', () => {
  const all = [1, 2, 3, 4]
  assert.equal(
    usable(all, () => true),
    all,
  )
  assert.deepEqual(
    usable(all, (one) => one !== 2),
    [1, 3, 4],
  )
  assert.deepEqual(
    usable(all, (one) => one > 2),
    [3, 4],
  )
  assert.equal(
    usable(all, (one) => one > 3),
    all,
  )
  assert.equal(
    usable(all, () => false),
    all,
  )
})

test('the question has the fields that are added, without those that are removed', () => {
  assert.equal(healthRequest(http, 'm_8000').toString(), 'GET /health HTTP/1.1\r\nhost: m_8000\r\nx-a: 1\r\n\r\n')
})
