import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PodObject } from '../../resources/kubernetes/types.ts'
import type { UsageAccess } from './access.ts'
import { victimOf } from './pressure.ts'

const MIB = 1024 * 1024

function pod(name: string, request?: string): PodObject {
  const resources = request === undefined ? {} : { resources: { requests: { memory: request } } }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: name },
    spec: { containers: [{ name: 'c', ...resources }] },
    status: { phase: 'Running' },
  }
}

function using(amounts: Readonly<Record<string, number>>): UsageAccess {
  return {
    pod: ({ metadata }) => {
      const memoryBytes = amounts[metadata.name]
      return memoryBytes === undefined
        ? undefined
        : [{ name: 'c', usage: { cpuCores: 0, memoryBytes: memoryBytes * MIB } }]
    },
    node: () => ({ cpuCores: 0, memoryBytes: 0 }),
  }
}

test('when memory is short, the pod that is farthest above its request goes first', () => {
  const pods = [pod('modest', '500Mi'), pod('greedy', '100Mi'), pod('silent')]
  assert.equal(victimOf(pods, using({ modest: 550, greedy: 400, silent: 20 }))?.metadata.name, 'greedy')
  assert.equal(victimOf(pods, using({ modest: 450, silent: 20 }))?.metadata.name, 'silent')
  assert.equal(victimOf(pods, using({})), undefined)
})

test('a pod that goes already is not chosen again', () => {
  const going = pod('going')
  const pods = [{ ...going, metadata: { ...going.metadata, deletionTimestamp: '2030-01-01T00:00:00Z' } }, pod('other')]
  assert.equal(victimOf(pods, using({ going: 900, other: 1 }))?.metadata.name, 'other')
})
