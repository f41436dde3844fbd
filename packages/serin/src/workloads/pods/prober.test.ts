import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Probe } from '../../resources/kubernetes/types.ts'
import { afterOutcome, UNKNOWN } from './prober.ts'
import { failuresAfter, isRestarted, missingDelayMs, restartDelayMs } from './restarts.ts'

/** Verdicts of probes and waiting before restarts, as tables. `+` is a success, `-` a failure. */

const VERDICTS: readonly (readonly [title: string, probe: Probe, outcomes: string, verdict: boolean | undefined])[] = [
  ['one success is enough by default', {}, '+', true],
  ['two failures are not enough by default', {}, '+--', true],
  ['three failures in a row are', {}, '+---', false],
  ['a success between begins anew', {}, '+--+--', true],
  ['before any threshold nothing is known', {}, '--', undefined],
  ['a higher success threshold', { successThreshold: 3 }, '++', undefined],
  ['a higher success threshold, reached', { successThreshold: 3 }, '+++', true],
  ['back from a failure only after the success threshold', { successThreshold: 2, failureThreshold: 1 }, '++-+', false],
]

for (const [title, probe, outcomes, verdict] of VERDICTS) {
  test(`probe: ${title}`, () => {
    const state = Array.from(outcomes).reduce(
      (before, outcome) => afterOutcome(before, outcome === '+', probe),
      UNKNOWN,
    )
    assert.equal(state.verdict, verdict)
  })
}

test('the first restart is at once, then the wait doubles from ten seconds to five minutes', () => {
  const seconds = [1, 2, 3, 4, 5, 6, 7, 8, 20].map((failures) => restartDelayMs(failures) / 1000)
  assert.deepEqual(seconds, [0, 10, 20, 40, 80, 160, 300, 300, 300])
})

test('ten minutes of running make the slate clean', () => {
  assert.equal(failuresAfter(5, 599_000), 6)
  assert.equal(failuresAfter(5, 600_000), 1)
})

test('what is missing is looked for ever more rarely, up to once a minute', () => {
  assert.deepEqual([1, 2, 3, 10].map(missingDelayMs), [1_000, 2_000, 4_000, 60_000])
})

const RESTARTS: readonly (readonly [
  role: 'init' | 'sidecar' | 'main',
  policy: string,
  exitCode: number,
  expected: boolean,
])[] = [
  ['main', 'Always', 0, true],
  ['main', 'OnFailure', 0, false],
  ['main', 'OnFailure', 1, true],
  ['main', 'Never', 1, false],
  ['init', 'Always', 0, false],
  ['init', 'Always', 1, true],
  ['init', 'Never', 1, false],
  ['sidecar', 'Never', 0, true],
]

for (const [role, policy, exitCode, expected] of RESTARTS) {
  test(`a container (${role}) with restartPolicy ${policy} and exit code ${String(exitCode)} is ${expected ? '' : 'not '}started again`, () => {
    assert.equal(isRestarted(role, policy, exitCode), expected)
  })
}
