import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Deployment } from '../src/resources/kinds.ts'
import { openEmbeddedStore } from '../src/store/embedded.ts'
import type { PodRecord } from '../src/workloads/pods/records.ts'
import { isRunning } from '../src/workloads/runtimes/proc.ts'
import { createDeployment, isReady, makeImage, podsOf, until, webContainer } from './workloads-pods.ts'

/** Pods outlive the control process that started them; the next one takes them over as they are. */

let directory: string
let children: ChildProcess[]

beforeEach(() => {
  directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'serin-adoption-'))
  children = []
  makeImage({ directory })
})

afterEach(async () => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) await ended(child, 'SIGKILL')
  await ended(await control(), 'SIGTERM')
  assert.deepEqual(runningPids(), [])
  rmSync(directory, { recursive: true, force: true })
})

async function control(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'workloads-control.js'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  await once(child.stdout ?? child, 'data')
  return child
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exit = once(child, 'exit')
  child.kill(signal)
  await exit
}

function records(): readonly PodRecord[] {
  const pods = join(directory, 'pods')
  if (!existsSync(pods)) return []
  return readdirSync(pods).flatMap((uid) => {
    const file = join(pods, uid, 'pod.json')
    return existsSync(file) ? [JSON.parse(readFileSync(file, 'utf8')) as PodRecord] : []
  })
}

/** `pod name: pid` of everything that is said to run. */
function runningPids(): readonly string[] {
  return records()
    .flatMap(({ name, containers }) =>
      Object.values(containers).flatMap(({ running }) => (running === undefined ? [] : [`${name}: ${running.id}`])),
    )
    .toSorted()
}

/** The store is looked at when no control process has it. */
async function inStore<T>(look: (store: ReturnType<typeof openEmbeddedStore>) => Promise<T>): Promise<T> {
  const store = openEmbeddedStore({ directory: join(directory, 'store') })
  try {
    return await look(store)
  } finally {
    await store.close()
  }
}

async function threePods(): Promise<ChildProcess> {
  await inStore((store) => createDeployment(store, 'web', { replicas: 3 }))
  const child = await control()
  await until('three programs run', () => runningPids().length === 3 && records().every(isUp))
  return child
}

function isUp({ containers }: PodRecord): boolean {
  return Object.values(containers).every(({ running }) => running?.ready === true)
}

test('after kill -9 of the control process the next one has the same pods with the same processes, and their logs go on', async () => {
  const first = await threePods()
  const before = runningPids()
  await ended(first, 'SIGKILL')
  await control()
  await until('they are known again', () => runningPids().length === 3)
  assert.deepEqual(runningPids(), before)
  for (const record of records()) {
    const log = readFileSync(join(directory, 'pods', record.uid, 'logs/web/0.log'), 'utf8')
    assert.equal(log, 'listening\n')
    assert.equal(record.containers['web']?.restarts, 0)
  }
})

test('a stop that keeps pods leaves them running, too', async () => {
  const first = await threePods()
  const before = runningPids()
  await ended(first, 'SIGUSR2')
  for (const entry of before) assert.ok(isRunning(pidIn(entry)))
  await control()
  assert.deepEqual(runningPids(), before)
})

test('a pod that died meanwhile is seen and started again; the others are not touched', async () => {
  const first = await threePods()
  const before = runningPids()
  await ended(first, 'SIGKILL')
  const [victim = ''] = before
  process.kill(-pidIn(victim), 'SIGKILL')
  await control()
  await until(
    'it runs again',
    () => runningPids().length === 3 && !runningPids().includes(victim) && records().every(isUp),
  )
  assert.deepEqual(
    runningPids().filter((entry) => before.includes(entry)),
    before.slice(1),
  )
  const [name] = victim.split(':')
  assert.equal(records().find((record) => record.name === name)?.containers['web']?.restarts, 1)
})

test('a pid that a stranger has now is not touched', async () => {
  const first = await threePods()
  const before = runningPids()
  await ended(first, 'SIGKILL')
  const stranger = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })
  const [record] = records()
  const container = record?.containers['web']
  assert.ok(record !== undefined && container?.running !== undefined)
  const forged = {
    ...container,
    running: {
      ...container.running,
      id: String(stranger.pid),
      record: { ...container.running.record, pid: stranger.pid },
    },
  }
  writeFileSync(
    join(directory, 'pods', record.uid, 'pod.json'),
    JSON.stringify({ ...record, containers: { web: forged } }),
  )
  const second = await control()
  await until('three programs run again', () => runningPids().length === 3 && records().every(isUp))
  await ended(second, 'SIGTERM')
  process.kill(stranger.pid ?? 0, 0)
  stranger.kill('SIGKILL')
  // The program that the forged record no longer names was started by us, and is not left behind.
  for (const entry of before) assert.ok(!isRunning(pidIn(entry)), entry)
})

test('a program whose start was not written down is ended, not started twice', async () => {
  const first = await threePods()
  const before = runningPids()
  await ended(first, 'SIGKILL')
  const [record] = records()
  assert.ok(record !== undefined)
  writeFileSync(join(directory, 'pods', record.uid, 'pod.json'), JSON.stringify({ ...record, containers: {} }))
  await control()
  await until('three programs run again', () => runningPids().length === 3 && records().every(isUp))
  const forgotten = before.find((entry) => entry.startsWith(`${record.name}:`)) ?? ''
  assert.ok(!isRunning(pidIn(forgotten)))
})

test('a stop ends the programs and keeps the objects: the next start brings the same pods back', async () => {
  const first = await threePods()
  const names = records()
    .map(({ name }) => name)
    .toSorted()
  await ended(first, 'SIGTERM')
  assert.deepEqual(runningPids(), [])
  const stopped = await inStore((store) => podsOf(store, 'web'))
  assert.deepEqual(stopped.map(({ metadata }) => metadata.name).toSorted(), names)
  assert.ok(!stopped.some(isReady))
  await control()
  await until('three programs run again', () => runningPids().length === 3 && records().every(isUp))
  assert.deepEqual(
    records()
      .map(({ name }) => name)
      .toSorted(),
    names,
  )
})

test('a rollout goes on where the control process was killed in the middle of it', async () => {
  const first = await threePods()
  const before = runningPids()
  await ended(first, 'SIGKILL')
  const env = [{ name: 'BOOT_MS', value: '300' }]
  const body = { spec: { template: { spec: { containers: [webContainer({ env })] } } } }
  await inStore((store) => store.patch(Deployment, { namespace: 'default', name: 'web' }, { type: 'merge', body }))
  for (let kills = 0; kills < 3; kills += 1) {
    const killed = await control()
    await delay(350)
    await ended(killed, 'SIGKILL')
  }
  await control()
  await until(
    'all are new and ready',
    () => runningPids().length === 3 && records().every(isUp) && !runningPids().some((entry) => before.includes(entry)),
  )
  await until('the old programs have ended', () => !before.some((entry) => isRunning(pidIn(entry))))
})

test('pods whose objects went while no control process ran are ended', async () => {
  const first = await threePods()
  const before = runningPids()
  await ended(first, 'SIGKILL')
  rmSync(join(directory, 'store'), { recursive: true })
  await control()
  await until('nothing is left', () => records().length === 0)
  await until('they have ended', () => !before.some((entry) => isRunning(pidIn(entry))))
})

function pidIn(entry: string): number {
  return Number(/process:\/\/(\d+)/.exec(entry)?.[1])
}
