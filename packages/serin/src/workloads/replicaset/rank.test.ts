import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PodObject } from '../../resources/kubernetes/types.ts'
import { removalOrder } from './rank.ts'

/** Who goes first: each pod differs from the one after it in one thing only. */

interface Facts {
  readonly node?: string
  readonly phase?: 'Pending' | 'Unknown' | 'Running'
  readonly ready?: string
  readonly cost?: number
  readonly restarts?: number
  readonly created?: string
}

const OLD = '2030-01-01T00:00:00Z'
const NEW = '2030-01-01T01:00:00Z'

const ORDER: readonly (readonly [name: string, facts: Facts])[] = [
  ['without a place', { node: '' }],
  ['pending', { phase: 'Pending' }],
  ['unknown', { phase: 'Unknown' }],
  ['not ready, cheap', { cost: -5 }],
  ['not ready, restarted', { restarts: 3 }],
  ['not ready, young', { created: NEW }],
  ['not ready', {}],
  ['ready, cheap', { ready: OLD, cost: -1 }],
  ['ready for a short time', { ready: NEW }],
  ['ready, young', { ready: OLD, created: NEW }],
  ['ready', { ready: OLD }],
  ['ready, dear', { ready: OLD, cost: 10 }],
]

function pod(
  name: string,
  { node = 'node', phase = 'Running', ready, cost, restarts = 0, created = OLD }: Facts,
): PodObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      creationTimestamp: created,
      ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': String(cost) } }),
    },
    spec: { nodeName: node, containers: [] },
    status: {
      phase,
      conditions: ready === undefined ? [] : [{ type: 'Ready', status: 'True', lastTransitionTime: ready }],
      containerStatuses: [
        { name: 'c', state: {}, lastState: {}, ready: false, restartCount: restarts, image: '', imageID: '' },
      ],
    },
  }
}

test('the least useful pod goes first', () => {
  const pods = ORDER.map(([name, facts]) => pod(name, facts))
  const wanted = ORDER.map(([name]) => name)
  assert.deepEqual(
    removalOrder(pods.toReversed()).map(({ metadata }) => metadata.name),
    wanted,
  )
  assert.deepEqual(
    removalOrder(pods).map(({ metadata }) => metadata.name),
    wanted,
  )
})
