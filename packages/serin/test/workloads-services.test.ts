import assert from 'node:assert/strict'
import { Agent, get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { after, before, describe, test } from 'node:test'
import { Deployment, EndpointSlice, Service } from '../src/resources/kinds.ts'
import type { DeploymentObject, EndpointSliceObject, ServiceObject } from '../src/resources/kubernetes/types.ts'
import { startCluster, type Cluster } from './workloads-cluster.ts'
import {
  createDeployment,
  createService,
  makeImage,
  podsOf,
  rolledOut,
  someClusterIP,
  until,
  webContainer,
} from './workloads-pods.ts'

/** Services as people of this machine reach them, and rolling updates that nobody notices. Needs all of 127.0.0.0/8 (Linux). */
describe('services', { skip: process.platform === 'linux' ? false : 'only Linux has all of 127.0.0.0/8' }, () => {
  let cluster: Cluster

  before(async () => {
    cluster = await startCluster('process')
    makeImage(cluster)
  })

  after(() => cluster.stop())

  /** One request; `keep` holds connections open between requests. */
  const ask = (url: string, keep?: Agent): Promise<string> =>
    new Promise((resolve, reject) => {
      const request = get(url, { agent: keep ?? new Agent({ keepAlive: false }) }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (text: string) => (body += text))
        response.once('end', () =>
          response.statusCode === 200 ? resolve(body) : reject(new Error(String(response.statusCode))),
        )
        response.once('error', reject)
      })
      request.once('error', reject)
    })

  const restart = async (name: string): Promise<void> => {
    const key = { namespace: 'default', name }
    const body = { spec: { template: { metadata: { annotations: { restarted: String(process.hrtime.bigint()) } } } } }
    await cluster.store.patch(Deployment, key, { type: 'merge', body })
    await rolledOut(cluster.store, name)
  }

  test('a cluster IP reaches all ready pods in turn; with affinity a client stays with one', async () => {
    const [clusterIP, sticky] = [someClusterIP(), someClusterIP()]
    await createService(cluster.store, 'turns', { clusterIP })
    await createService(cluster.store, 'sticks', {
      clusterIP: sticky,
      selector: { app: 'turns' },
      sessionAffinity: 'ClientIP',
    })
    await createDeployment(cluster.store, 'turns', { replicas: 3 })
    await rolledOut(cluster.store, 'turns')
    const names = (await podsOf(cluster.store, 'turns')).map(({ metadata }) => metadata.name).toSorted()
    const answers = await until('all three are in', async () => {
      const seen = [
        await ask(`http://${clusterIP}/`),
        await ask(`http://${clusterIP}/`),
        await ask(`http://${clusterIP}/`),
      ].toSorted()
      return new Set(seen).size === 3 ? seen : undefined
    })
    assert.deepEqual(answers, names)
    const stuck = [await ask(`http://${sticky}/`), await ask(`http://${sticky}/`), await ask(`http://${sticky}/`)]
    assert.equal(new Set(stuck).size, 1)
  })

  test('a Service without pods refuses connections', async () => {
    const clusterIP = someClusterIP()
    await createService(cluster.store, 'empty', { clusterIP })
    await until('it listens', async () => {
      const error = await ask(`http://${clusterIP}/`).catch((reason: unknown) => reason as NodeJS.ErrnoException)
      return typeof error !== 'string' && error.code === 'ECONNRESET'
    })
  })

  test('a load balancer gets an address that answers, and loses it with its type', async () => {
    await createDeployment(cluster.store, 'public', { replicas: 1 })
    await createService(cluster.store, 'public', { type: 'LoadBalancer', clusterIP: someClusterIP() })
    const key = { namespace: 'default', name: 'public' }
    const ip = await until('it has an address', async () => {
      const service = await cluster.store.get<ServiceObject>(Service, key)
      return service?.status?.loadBalancer?.ingress?.[0]?.ip
    })
    assert.match(ip, /^127\.112\./)
    await rolledOut(cluster.store, 'public')
    await until('it answers', () => ask(`http://${ip}/`).catch(() => undefined))
    const ports = [{ name: 'http', port: 80, targetPort: 'http' }]
    await cluster.store.patch(Service, key, {
      type: 'merge',
      body: { spec: { type: 'ClusterIP', externalTrafficPolicy: null, allocateLoadBalancerNodePorts: null, ports } },
    })
    await until(
      'it has none',
      async () => (await cluster.store.get<ServiceObject>(Service, key))?.status?.loadBalancer?.ingress === undefined,
    )
  })

  for (const [title, replicas] of [
    ['four replicas', 4],
    ['one replica', 1],
  ] as const) {
    test(`three restarts of ${title} under load lose no request, though the program ends at once when it is told to`, async () => {
      const name = `steady-${String(replicas)}`
      const clusterIP = someClusterIP()
      await createService(cluster.store, name, { clusterIP })
      await createDeployment(cluster.store, name, { replicas })
      await rolledOut(cluster.store, name)
      await until('it answers', () => ask(`http://${clusterIP}/`).catch(() => undefined))
      let asked = 0
      const failures: string[] = []
      let isOver = false
      const clients = Array.from({ length: 4 }, async () => {
        while (!isOver) {
          asked += 1
          await ask(`http://${clusterIP}/slow?5`).catch((error: unknown) => failures.push(String(error)))
        }
      })
      let most = 0
      let fewest: number = replicas
      const watching = (async () => {
        while (!isOver) {
          const pods = await podsOf(cluster.store, name)
          const ready = pods.filter(
            ({ metadata, status }) =>
              metadata.deletionTimestamp === undefined &&
              status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True'),
          )
          most = Math.max(most, pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined).length)
          fewest = Math.min(fewest, ready.length)
          await delay(2)
        }
      })()
      for (let round = 0; round < 3; round += 1) await restart(name)
      isOver = true
      await Promise.all([...clients, watching])
      assert.deepEqual(failures, [])
      assert.ok(asked > 50)
      assert.ok(fewest >= replicas - Math.floor(replicas / 4), `only ${String(fewest)} were ready`)
      assert.ok(most <= replicas + Math.ceil(replicas / 4), `${String(most)} at once`)
    })
  }

  test('a request that takes long ends well though its pod goes, within the grace period', async () => {
    const clusterIP = someClusterIP()
    await createService(cluster.store, 'long', { clusterIP })
    await createDeployment(cluster.store, 'long', {
      replicas: 1,
      spec: { containers: [webContainer({ env: [{ name: 'ON_TERM', value: 'close' }] })] },
    })
    await rolledOut(cluster.store, 'long')
    const answer = await until('it answers', () => ask(`http://${clusterIP}/`).catch(() => undefined))
    const slow = ask(`http://${clusterIP}/slow?1500`)
    await delay(50)
    await restart('long')
    assert.equal(await slow, answer)
  })

  test('endpoints say ready, serving and terminating, each pod with its own port', async () => {
    await createService(cluster.store, 'slices', { clusterIP: someClusterIP() })
    await createDeployment(cluster.store, 'slices', {
      replicas: 2,
      spec: {
        containers: [webContainer({ env: [{ name: 'ON_TERM', value: 'ignore' }] })],
        terminationGracePeriodSeconds: 1,
      },
    })
    await rolledOut(cluster.store, 'slices')
    const endpoints = async (): Promise<readonly string[]> => {
      const { items } = await cluster.store.list<EndpointSliceObject>(EndpointSlice, {
        namespace: 'default',
        labelSelector: 'kubernetes.io/service-name=slices',
      })
      return items
        .flatMap((slice) =>
          (slice.endpoints ?? []).map(
            ({ conditions = {} }) =>
              `${String(conditions.ready)} ${String(conditions.serving)} ${String(conditions.terminating)}`,
          ),
        )
        .toSorted()
    }
    await until('both are ready', async () => (await endpoints()).join() === 'true true false,true true false')
    const key = { namespace: 'default', name: 'slices' }
    const { spec } = (await cluster.store.get<DeploymentObject>(Deployment, key)) ?? {}
    assert.equal(spec?.replicas, 2)
    await cluster.store.patch(Deployment, key, { type: 'merge', body: { spec: { replicas: 1 } } })
    await until('one is leaving', async () => (await endpoints()).join() === 'false true true,true true false')
    await until('it has left', async () => (await endpoints()).join() === 'true true false')
  })
})
