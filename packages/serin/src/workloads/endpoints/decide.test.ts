import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndpointSliceObject, PodObject, ServiceObject } from '../../resources/kubernetes/types.ts'
import { PORTS_ANNOTATION } from './addresses.ts'
import { decide, type Decision } from './decide.ts'

/** Which slices a Service has: pure decisions over pods and what is there already. */

const SERVICE: ServiceObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default', uid: 's', labels: { app: 'web' } },
  spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
}

interface PodOptions {
  readonly ready?: boolean
  readonly leaving?: boolean
  readonly realPort?: number
  readonly ip?: string
}

function pod(name: string, { ready = true, leaving = false, realPort, ip = '10.0.0.1' }: PodOptions = {}): PodObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      ...(leaving ? { deletionTimestamp: '2030-01-01T00:00:00Z' } : {}),
      ...(realPort === undefined ? {} : { annotations: { [PORTS_ANNOTATION]: JSON.stringify({ 8080: realPort }) } }),
    },
    spec: { nodeName: 'node', containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 8080 }] }] },
    status: { phase: 'Running', podIP: ip, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }
}

function stored(decision: Decision): readonly EndpointSliceObject[] {
  return [
    ...decision.update,
    ...decision.create.map((slice, index) => ({
      ...slice,
      metadata: { ...slice.metadata, name: `web-${String(index)}` },
    })),
  ]
}

test('conditions say ready, serving and terminating', () => {
  const pods = [
    pod('a'),
    pod('b', { ready: false }),
    pod('c', { leaving: true }),
    pod('d', { leaving: true, ready: false }),
  ]
  const [slice] = stored(decide({ service: SERVICE, pods, slices: [] }))
  assert.deepEqual(
    slice?.endpoints?.map(({ conditions = {} }) => [conditions.ready, conditions.serving, conditions.terminating]),
    [
      [true, true, false],
      [false, false, false],
      [false, true, true],
      [false, false, true],
    ],
  )
})

test('named ports are found in the pod; pods with different real ports lie in different slices', () => {
  const pods = [pod('a', { realPort: 20_001 }), pod('b', { realPort: 20_002 })]
  const slices = stored(decide({ service: SERVICE, pods, slices: [] }))
  assert.deepEqual(
    slices.map(({ ports }) => ports?.[0]?.port),
    [20_001, 20_002],
  )
  assert.deepEqual(stored(decide({ service: SERVICE, pods: [pod('a')], slices: [] }))[0]?.ports, [
    { name: 'http', protocol: 'TCP', port: 8080 },
  ])
})

test('what is right already is not written again', () => {
  const pods = [pod('a'), pod('b')]
  const slices = stored(decide({ service: SERVICE, pods, slices: [] }))
  assert.deepEqual(decide({ service: SERVICE, pods, slices }), { create: [], update: [], remove: [] })
})

test('endpoints stay in their slice; a hundred fill one', () => {
  const pods = Array.from({ length: 150 }, (_value, index) => pod(`p${String(index).padStart(3, '0')}`))
  const slices = stored(decide({ service: SERVICE, pods, slices: [] }))
  assert.deepEqual(
    slices.map(({ endpoints }) => endpoints?.length),
    [100, 50],
  )
  const fewer = decide({ service: SERVICE, pods: pods.slice(1), slices })
  assert.deepEqual(
    fewer.update.map(({ endpoints }) => endpoints?.length),
    [99],
  )
  assert.equal(fewer.create.length + fewer.remove.length, 0)
})

test('without pods one empty slice stays, under its name; pods without an address or that have ended do not count', () => {
  const slices = stored(decide({ service: SERVICE, pods: [pod('a')], slices: [] }))
  const done = pod('b')
  const ended: PodObject = { ...done, status: { ...done.status, phase: 'Succeeded' } }
  const decision = decide({ service: SERVICE, pods: [pod('a', { ip: '' }), ended], slices })
  assert.deepEqual(
    decision.update.map(({ metadata, endpoints, ports }) => [metadata.name, endpoints, ports]),
    [['web-0', [], null]],
  )
})

test('labels of the Service are copied, a headless one is marked, and unready addresses are published on wish', () => {
  const service = { ...SERVICE, spec: { ...SERVICE.spec, clusterIP: 'None', publishNotReadyAddresses: true } }
  const [slice] = stored(decide({ service, pods: [pod('a', { ready: false })], slices: [] }))
  assert.equal(slice?.metadata.labels?.['app'], 'web')
  assert.equal(slice.metadata.labels['service.kubernetes.io/headless'], '')
  assert.equal(slice.endpoints?.[0]?.conditions?.ready, true)
})
