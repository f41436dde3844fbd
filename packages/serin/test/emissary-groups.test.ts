/** Which Mappings are versions of one route, in which order and with which weights: what Emissary's diagnostics say, and ours. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCompiler } from '../src/compile/compile.ts'
import type { CompiledGroup } from '../src/compile/routes.ts'
import { SHARE_WHOLE } from '../src/model/split.ts'
import { type Case, readCases } from './emissary/case.ts'
import { readObjects } from './emissary/lane.ts'

/** Illegal on purpose: see docs/reference/differences.md. */
const DIFFERENT = ['weights-022', 'weights-025', 'field-001', 'bad-015']

/** TCP is told apart here; a set that Envoy refuses as a whole is served in part. */
const comparable = readCases().filter(
  ({ id, group, diagnostics, rejected_by_envoy: rejected }) =>
    diagnostics?.groups !== undefined && rejected === undefined && group !== 'tcp' && !DIFFERENT.includes(id),
)

function recorded({ diagnostics }: Case): string[] {
  return diagnostics!.groups!.map((members) =>
    members
      .map(({ mapping, cumulative, redirect, shadow }) => `${mapping} ${kindOf(redirect, shadow) ?? cumulative}`)
      .join(', '),
  )
}

function kindOf(redirect = false, shadow = false): string | undefined {
  if (redirect) return 'redirect'
  return shadow ? 'shadow' : undefined
}

function ours(groups: readonly CompiledGroup[]): string[] {
  // The Module's own probes are no Mappings of the user.
  const written = groups.filter(
    ({ founder, shares, shadow }) =>
      shares.length + (shadow === undefined ? 0 : 1) > 0 && !founder.origin.name.startsWith('internal-'),
  )
  return written.map(({ shares, shadow }) => {
    let sum = 0
    const members = shares.map(({ plan, share }) => {
      sum += share
      return `${plan.origin.name} ${plan.role.kind === 'redirect' ? 'redirect' : sum / (SHARE_WHOLE / 100)}`
    })
    return [...members, ...(shadow === undefined ? [] : [`${shadow.origin.name} shadow`])].join(', ')
  })
}

test(`${comparable.length} recorded sets: the same groups, in the same order, with the same cumulative weights`, () => {
  for (const testCase of comparable) {
    const { groups } = createCompiler().compile({ objects: readObjects(testCase.resources) })
    assert.deepEqual(ours(groups), recorded(testCase), `${testCase.id} ${testCase.title}`)
  }
})

test('where Emissary reports an error about a Mapping, so do we', () => {
  const silent = comparable.filter((testCase) => {
    const names = Object.keys(testCase.diagnostics?.errors ?? {}).filter((key) => /\.default\.\d+$/.test(key))
    const { diagnostics } = createCompiler().compile({ objects: readObjects(testCase.resources) })
    return names.length > 0 && diagnostics.every(({ severity }) => severity === 'note')
  })
  assert.deepEqual(
    silent.map(({ id }) => id),
    [],
  )
})
