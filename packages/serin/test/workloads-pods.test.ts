import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { after, before, describe, test } from 'node:test'
import { ConfigMap, Event, Pod, Secret } from '../src/resources/kinds.ts'
import type { ConfigMapObject, EventObject, PodObject, SecretObject } from '../src/resources/kubernetes/types.ts'
import { processesWith } from '../src/workloads/runtimes/proc.ts'
import { startCluster, type Cluster } from './workloads-cluster.ts'
import {
  ask,
  createPod,
  createService,
  isReady,
  makeImage,
  pidOf,
  podIs,
  someClusterIP,
  until,
  webContainer,
  createDeployment,
  podsOf,
  rolledOut,
} from './workloads-pods.ts'

/** Pods as processes of this machine: real programs, real probes, real signals. */
describe('pods as processes', { concurrency: 4 }, () => {
  let cluster: Cluster

  before(async () => {
    cluster = await startCluster('process')
    makeImage(cluster)
  })

  after(() => cluster.stop())

  const eventsOf = async (name: string): Promise<readonly string[]> => {
    const { items } = await cluster.store.list<EventObject>(Event, { namespace: 'default' })
    return items
      .filter((event) => event.involvedObject.name === name)
      .map(({ reason, message }) => `${reason ?? ''}: ${message ?? ''}`)
  }

  const logOf = async (pod: PodObject, options: { previous?: boolean; tailLines?: number } = {}): Promise<string> => {
    const chunks: Uint8Array[] = []
    const log = cluster.workloads.pods?.log(pod, {
      container: 'web',
      follow: false,
      timestamps: false,
      previous: false,
      ...options,
    })
    for await (const chunk of log ?? []) chunks.push(chunk)
    return Buffer.concat(chunks).toString('utf8')
  }

  test('a pod runs its image with PORT and HOST, becomes ready by its probe, and says so', async () => {
    await createPod(cluster.store, 'plain')
    const pod = await podIs(cluster.store, 'plain', isReady)
    assert.equal(await ask(pod, '/'), 'plain')
    assert.equal(await ask(pod, '/env?FROM_IMAGE'), 'yes it is')
    assert.equal(pod.status?.phase, 'Running')
    assert.equal(pod.status.qosClass, 'BestEffort')
    assert.equal(pod.status.podIP, '127.0.0.1')
    const events = await until('it is told', async () => {
      const told = await eventsOf('plain')
      return told.some((line) => line.startsWith('Started')) ? told : undefined
    })
    for (const reason of ['Scheduled', 'Pulled', 'Created', 'Started']) {
      assert.ok(
        events.some((line) => line.startsWith(`${reason}: `)),
        `${reason} in ${events.join('\n')}`,
      )
    }
    assert.match(await logOf(pod), /^listening\n$/)
  })

  test('a pod that is deleted is told to stop, and then it is gone, with everything it started', async () => {
    const stray = 'sh -c "setsid sleep 1000 & exec node server.mjs"'
    await createPod(cluster.store, 'strays', { containers: [webContainer({ command: ['sh', '-c', stray] })] })
    const pod = await podIs(cluster.store, 'strays', isReady)
    const key = { namespace: 'default', name: 'strays' }
    await cluster.store.delete(Pod, key)
    await until('it is gone', async () => (await cluster.store.get(Pod, key)) === undefined)
    assert.throws(() => process.kill(pidOf(pod), 0))
    const left = (await processesWith('SERIN_POD')).filter(({ value }) => value.endsWith(pod.metadata.uid ?? '-'))
    assert.deepEqual(left, [])
  })

  test('a program that does not stop is killed when its grace period ends', async () => {
    await createPod(cluster.store, 'stubborn', {
      terminationGracePeriodSeconds: 1,
      containers: [webContainer({ env: [{ name: 'ON_TERM', value: 'ignore' }] })],
    })
    const pod = await podIs(cluster.store, 'stubborn', isReady)
    const key = { namespace: 'default', name: 'stubborn' }
    await cluster.store.delete(Pod, key)
    await until('it is gone', async () => (await cluster.store.get(Pod, key)) === undefined)
    assert.throws(() => process.kill(pidOf(pod), 0))
  })

  test('a pod is deleted while its init container runs, or while its image is not known: it goes at once', async () => {
    await createPod(cluster.store, 'early', { initContainers: [{ name: 'first', command: ['sleep', '1000'] }] })
    await createPod(cluster.store, 'imageless', { containers: [{ name: 'web', image: 'nowhere:2' }] })
    await podIs(cluster.store, 'early', ({ status }) => status?.initContainerStatuses?.[0]?.state.running !== undefined)
    await podIs(
      cluster.store,
      'imageless',
      ({ status }) => status?.containerStatuses?.[0]?.state.waiting?.message !== undefined,
    )
    for (const name of ['early', 'imageless']) {
      await cluster.store.delete(Pod, { namespace: 'default', name })
      await until(
        `${name} is gone`,
        async () => (await cluster.store.get(Pod, { namespace: 'default', name })) === undefined,
      )
    }
  })

  test('pods that are deleted right after they were made leave nothing running', async () => {
    const names = Array.from({ length: 6 }, (_value, index) => `hasty-${String(index)}`)
    const pods = await Promise.all(names.map((name) => createPod(cluster.store, name)))
    await Promise.all(
      names.map(async (name, index) => {
        await delay(index * 4)
        await cluster.store.delete(Pod, { namespace: 'default', name })
      }),
    )
    await until('they are gone', async () =>
      (await Promise.all(names.map((name) => cluster.store.get(Pod, { namespace: 'default', name })))).every(
        (pod) => pod === undefined,
      ),
    )
    const uids = pods.map(({ metadata }) => metadata.uid ?? '-')
    await until(
      'nothing runs',
      async () => !(await processesWith('SERIN_POD')).some(({ value }) => uids.some((uid) => value.endsWith(uid))),
    )
  })

  test('a program that ends is started again, at once and then ever later; its former log can be read', async () => {
    const crash = 'echo life $(date +%N) && exit 3'
    await createPod(cluster.store, 'crash', { containers: [{ name: 'web', command: ['sh', '-c', crash] }] })
    const pod = await podIs(
      cluster.store,
      'crash',
      ({ status }) => status?.containerStatuses?.[0]?.state.waiting?.reason === 'CrashLoopBackOff',
    )
    const [status] = pod.status?.containerStatuses ?? []
    assert.equal(status?.lastState.terminated?.exitCode, 3)
    assert.equal(status.lastState.terminated.reason, 'Error')
    assert.equal(status.restartCount, 2)
    assert.equal(pod.status?.phase, 'Running')
    assert.match(await logOf(pod), /^life \d+\n$/)
    assert.match(await logOf(pod, { previous: true }), /^life \d+\n$/)
    assert.notEqual(await logOf(pod), await logOf(pod, { previous: true }))
  })

  test('an image that nothing is known of waits with ErrImagePull and says the three ways', async () => {
    await createPod(cluster.store, 'unknown', { containers: [{ name: 'web', image: 'nowhere:1' }] })
    const pod = await podIs(cluster.store, 'unknown', ({ status }) =>
      /ErrImagePull|ImagePullBackOff/.test(status?.containerStatuses?.[0]?.state.waiting?.reason ?? ''),
    )
    const message = pod.status?.containerStatuses?.[0]?.state.waiting?.message ?? ''
    for (const way of ['--image nowhere:1=DIR', 'podman or docker', 'a command'])
      assert.ok(message.includes(way), message)
    assert.equal(pod.status?.phase, 'Pending')
  })

  test('a program that does not exist is a plain sentence', async () => {
    await createPod(cluster.store, 'absent', { containers: [{ name: 'web', command: ['no-such-program'] }] })
    const pod = await podIs(
      cluster.store,
      'absent',
      ({ status }) => status?.containerStatuses?.[0]?.state.waiting?.reason === 'RunContainerError',
    )
    assert.match(
      pod.status?.containerStatuses?.[0]?.state.waiting?.message ?? '',
      /program "no-such-program" was not found/,
    )
  })

  test('readiness follows the probe both ways; liveness starts the container again', async () => {
    const unwell = join(cluster.directory, 'unwell')
    const env = [{ name: 'UNWELL', value: unwell }]
    const readinessProbe = { httpGet: { path: '/health', port: 'http' }, periodSeconds: 1, failureThreshold: 1 }
    await createPod(cluster.store, 'moody', { containers: [webContainer({ env, readinessProbe })] })
    await createPod(cluster.store, 'mortal', {
      containers: [
        webContainer({
          env,
          readinessProbe,
          livenessProbe: {
            exec: { command: ['sh', '-c', 'test ! -e $UNWELL'] },
            periodSeconds: 1,
            failureThreshold: 1,
          },
        }),
      ],
    })
    await podIs(cluster.store, 'moody', isReady)
    const before = pidOf(await podIs(cluster.store, 'mortal', isReady))
    writeFileSync(unwell, '')
    await podIs(cluster.store, 'moody', (pod) => !isReady(pod))
    const again = await podIs(
      cluster.store,
      'mortal',
      (pod) => (pod.status?.containerStatuses?.[0]?.restartCount ?? 0) > 0,
    )
    rmSync(unwell)
    await podIs(cluster.store, 'moody', isReady)
    const after = await podIs(cluster.store, 'mortal', isReady)
    assert.notEqual(pidOf(after), before)
    assert.equal(again.metadata.uid, after.metadata.uid)
    const told = 'Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 500'
    await until('it is told', async () => (await eventsOf('moody')).includes(told))
  })

  test('a startup probe holds the others back until it succeeds', async () => {
    await createPod(cluster.store, 'slow-start', {
      containers: [
        webContainer({
          env: [{ name: 'BOOT_MS', value: '600' }],
          startupProbe: { tcpSocket: { port: 8000 }, periodSeconds: 1, failureThreshold: 30 },
          livenessProbe: { httpGet: { path: '/', port: 8000 }, periodSeconds: 1, failureThreshold: 1 },
        }),
      ],
    })
    const pod = await podIs(cluster.store, 'slow-start', isReady)
    assert.equal(pod.status?.containerStatuses?.[0]?.restartCount, 0)
    assert.equal(pod.status.containerStatuses[0].started, true)
  })

  test('init containers run one after the other before the rest; a sidecar goes on', async () => {
    const note = join(cluster.directory, 'notes')
    const write = (text: string) => ['sh', '-c', `echo ${text} >> ${note}`]
    await createPod(cluster.store, 'stages', {
      initContainers: [
        { name: 'first', command: write('first') },
        {
          name: 'beside',
          restartPolicy: 'Always',
          startupProbe: { exec: { command: ['grep', '-q', 'beside', note] }, periodSeconds: 1, failureThreshold: 60 },
          command: ['sh', '-c', `echo beside >> ${note}; exec sleep 1000`],
        },
        { name: 'second', command: write('second') },
      ],
      containers: [{ name: 'web', command: ['sh', '-c', `cat ${note}; exec sleep 1000`] }],
    })
    const pod = await podIs(cluster.store, 'stages', isReady)
    assert.deepEqual(
      pod.status?.initContainerStatuses?.map(({ name, state }) => [name, Object.keys(state)[0]]),
      [
        ['first', 'terminated'],
        ['beside', 'running'],
        ['second', 'terminated'],
      ],
    )
    assert.equal(
      await until('the log is there', async () => (await logOf(pod)) || undefined),
      'first\nbeside\nsecond\n',
    )
  })

  test('restartPolicy Never and OnFailure end as Succeeded or Failed', async () => {
    const command = (code: number): string[] => ['sh', '-c', `exit ${String(code)}`]
    await createPod(cluster.store, 'done', {
      restartPolicy: 'OnFailure',
      containers: [{ name: 'web', command: command(0) }],
    })
    await createPod(cluster.store, 'failed', {
      restartPolicy: 'Never',
      containers: [{ name: 'web', command: command(7) }],
    })
    await podIs(cluster.store, 'done', ({ status }) => status?.phase === 'Succeeded')
    const failed = await podIs(cluster.store, 'failed', ({ status }) => status?.phase === 'Failed')
    assert.equal(failed.status?.containerStatuses?.[0]?.state.terminated?.exitCode, 7)
  })

  test('the environment comes from values, fields, ConfigMaps, Secrets and Services, and is expanded in arguments', async () => {
    const data: ConfigMapObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'conf', namespace: 'default' },
      data: { COLOR: 'blue', LEVEL: '3' },
    }
    const secret: SecretObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'keys', namespace: 'default' },
      data: { token: Buffer.from('s3cret').toString('base64') },
    }
    await cluster.store.create(ConfigMap, data)
    await cluster.store.create(Secret, secret)
    const clusterIP = someClusterIP()
    await createService(cluster.store, 'my-db', { clusterIP, selector: { app: 'nobody' }, ports: [{ port: 5432 }] })
    await createPod(cluster.store, 'envs', {
      containers: [
        webContainer({
          envFrom: [{ prefix: 'C_', configMapRef: { name: 'conf' } }],
          env: [
            { name: 'WHO', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            { name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
            { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'keys', key: 'token' } } },
            { name: 'BOTH', value: '$(WHO)-$(C_LEVEL)-$$(WHO)-$(NOBODY)' },
            { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
          ],
          resources: { limits: { memory: '300Mi' } },
        }),
      ],
    })
    const pod = await podIs(cluster.store, 'envs', isReady)
    const env = (name: string): Promise<string> => ask(pod, `/env?${name}`)
    assert.equal(await env('C_COLOR'), 'blue')
    assert.equal(await env('TOKEN'), 's3cret')
    assert.equal(await env('LABEL'), 'envs')
    assert.equal(await env('BOTH'), 'envs-3-$(WHO)-$(NOBODY)')
    assert.equal(await env('LIMIT'), '300')
    assert.equal(await env('MY_DB_SERVICE_HOST'), clusterIP)
    assert.equal(await env('MY_DB_PORT_5432_TCP_ADDR'), clusterIP)
  })

  test('a missing ConfigMap is waited for', async () => {
    await createPod(cluster.store, 'waits', {
      containers: [webContainer({ envFrom: [{ configMapRef: { name: 'late' } }] })],
    })
    await podIs(
      cluster.store,
      'waits',
      ({ status }) => status?.containerStatuses?.[0]?.state.waiting?.reason === 'CreateContainerConfigError',
    )
    const late: ConfigMapObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'late', namespace: 'default' },
      data: { A: '1' },
    }
    await cluster.store.create(ConfigMap, late)
    await podIs(cluster.store, 'waits', isReady)
  })

  test(
    'volumes lie where the container looks for them, and a changed ConfigMap reaches its files',
    { skip: process.getuid?.() === 0 ? false : 'mounts need root' },
    async () => {
      const files: ConfigMapObject = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'files', namespace: 'default' },
        data: { 'a.txt': 'one' },
      }
      const stored = await cluster.store.create(ConfigMap, files)
      mkdirSync(join(cluster.directory, 'shared'))
      const root = join(cluster.directory, 'mnt')
      await createPod(cluster.store, 'mounts', {
        volumes: [
          { name: 'config', configMap: { name: 'files' } },
          { name: 'scratch', emptyDir: {} },
          { name: 'host', hostPath: { path: join(cluster.directory, 'shared') } },
        ],
        containers: [
          webContainer({
            volumeMounts: [
              { name: 'config', mountPath: join(root, 'config') },
              { name: 'scratch', mountPath: join(root, 'scratch') },
              { name: 'host', mountPath: join(root, 'host') },
            ],
            lifecycle: {
              postStart: {
                exec: { command: ['sh', '-c', `echo hello > ${root}/scratch/note; echo hi > ${root}/host/note`] },
              },
            },
          }),
        ],
      })
      const pod = await podIs(cluster.store, 'mounts', isReady)
      assert.equal(await ask(pod, `/file?${root}/config/a.txt`), 'one')
      await cluster.store.update(ConfigMap, { ...stored, data: { 'a.txt': 'two' } })
      await until('the file changes', async () => (await ask(pod, `/file?${root}/config/a.txt`)) === 'two')
    },
  )

  test('a changed ConfigMap starts a rollout where the template wishes it', async () => {
    const setting: ConfigMapObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'setting', namespace: 'default' },
      data: { COLOR: 'red' },
    }
    const annotations = { 'serin.dev/restart-on-config-change': 'true' }
    const spec = { containers: [webContainer({ envFrom: [{ configMapRef: { name: 'setting' } }] })] }
    await createDeployment(cluster.store, 'colored', { replicas: 1, spec, annotations })
    const stored = await cluster.store.create(ConfigMap, setting)
    await rolledOut(cluster.store, 'colored')
    const [before] = await podsOf(cluster.store, 'colored')
    assert.ok(before !== undefined)
    assert.equal(await ask(before, '/env?COLOR'), 'red')
    await cluster.store.update(ConfigMap, { ...stored, data: { COLOR: 'green' } })
    await until('a new pod has the new value', async () => {
      const [pod, ...others] = await podsOf(cluster.store, 'colored')
      return pod !== undefined && others.length === 0 && isReady(pod) && (await ask(pod, '/env?COLOR')) === 'green'
    })
  })

  test('a command inside the pod has its environment and gives its exit code', async () => {
    await createPod(cluster.store, 'inside')
    const pod = await podIs(cluster.store, 'inside', isReady)
    const session = await cluster.workloads.pods?.exec(pod, {
      container: 'web',
      command: ['sh', '-c', 'cat; echo $FROM_IMAGE; exit 5'],
      stdin: true,
      tty: false,
    })
    session?.stdin?.end('hello ')
    let output = ''
    for await (const chunk of session?.stdout ?? []) output += String(chunk)
    assert.equal(output, 'hello yes it is\n')
    assert.equal(await session?.exit, 5)
  })

  test('preStop runs before the program is told to stop, within the grace period', async () => {
    const note = join(cluster.directory, 'order')
    const trap = `trap 'echo term >> ${note}; exit 0' TERM; touch ${note}; while true; do sleep 0.05; done`
    await createPod(cluster.store, 'hooks', {
      containers: [
        {
          name: 'web',
          command: ['sh', '-c', trap],
          lifecycle: { preStop: { exec: { command: ['sh', '-c', `sleep 0.2; echo stop >> ${note}`] } } },
        },
      ],
    })
    await podIs(cluster.store, 'hooks', isReady)
    const { readFileSync, existsSync } = await import('node:fs')
    await until('the program is up', () => existsSync(note))
    await cluster.store.delete(Pod, { namespace: 'default', name: 'hooks' })
    await until(
      'it is gone',
      async () => (await cluster.store.get(Pod, { namespace: 'default', name: 'hooks' })) === undefined,
    )
    assert.equal(readFileSync(note, 'utf8'), 'stop\nterm\n')
  })

  test('a program over its memory limit is killed as OOMKilled', async () => {
    const hog = 'const a = []; setInterval(() => a.push(Buffer.alloc(20e6, 1)), 20)'
    await createPod(cluster.store, 'hog', {
      restartPolicy: 'Never',
      containers: [{ name: 'web', command: ['node', '-e', hog], resources: { limits: { memory: '150Mi' } } }],
    })
    const pod = await podIs(cluster.store, 'hog', ({ status }) => status?.phase === 'Failed')
    assert.equal(pod.status?.containerStatuses?.[0]?.state.terminated?.reason, 'OOMKilled')
  })
})
