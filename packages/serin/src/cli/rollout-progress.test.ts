import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { DeploymentObject, DeploymentStatus } from '../resources/kubernetes/types.ts'
import { rolloutProgress } from './rollout-progress.ts'

const deployment = (status: DeploymentStatus, generation = 2): DeploymentObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', generation },
  spec: { replicas: 4, selector: {}, template: { spec: { containers: [] } } },
  status,
})

const cases: readonly (readonly [DeploymentStatus, string])[] = [
  [{ observedGeneration: 1 }, 'waiting'],
  [{ observedGeneration: 2, updatedReplicas: 2, replicas: 5, availableReplicas: 4 }, 'waiting'],
  [{ observedGeneration: 2, updatedReplicas: 4, replicas: 5, availableReplicas: 4 }, 'waiting'],
  [{ observedGeneration: 2, updatedReplicas: 4, replicas: 4, availableReplicas: 3 }, 'waiting'],
  [{ observedGeneration: 2, updatedReplicas: 4, replicas: 4, availableReplicas: 4 }, 'complete'],
  [
    {
      observedGeneration: 2,
      conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }],
    },
    'failed',
  ],
]

for (const [status, kind] of cases) {
  test(`${JSON.stringify(status)} is ${kind}`, () => {
    assert.equal(rolloutProgress('web', deployment(status)).kind, kind)
  })
}
