/** The demo holds what it promises, with serin's own verbs; with kubectl, the story's test does the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { serin } from './support/serin.ts'

test('the demo ends by itself without a terminal, and every step holds', { timeout: 180_000 }, async () => {
  const { code, stdout, stderr } = await serin(['demo'], {
    env: { ...process.env, KUBECTL: 'no-kubectl', NO_COLOR: '1' },
  })
  assert.equal(code, 0, stdout + stderr)
  assert.match(stdout, /\$ npx serin rollout restart deploy helloworld/)
  assert.match(stdout, /of 1,000 requests, (9[789]|10[0123]) got version 2/)
  assert.match(stdout, /requests in all, 0 failed/)
  assert.match(stdout, /every step held, no request failed/)
})
