/** What every maker of a Store keeps (`store/store.ts`): one suite for the embedded and the remote one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KubeObject } from '../src/resources/object.ts'
import { ConfigMap, Deployment, Mapping, Pod } from '../src/resources/kinds.ts'
import { createInformer } from '../src/store/informer.ts'
import { StoreError, type Store, type StoreErrorReason, type WatchEvent } from '../src/store/store.ts'

export interface ContractStore {
  readonly store: Store
  close: () => Promise<void>
}

interface ConfigMapObject extends KubeObject {
  data?: Record<string, string>
}

let names = 0

/** A name that no other case uses. */
function fresh(prefix: string): string {
  names += 1
  return `${prefix}-${names}`
}

function configMap(
  name: string,
  data: Record<string, string> = { a: '1' },
  labels: Record<string, string> = {},
): ConfigMapObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default', labels }, data }
}

function deployment(name: string): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'web:1' }] } },
    },
  }
}

function rejects(reason: StoreErrorReason): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StoreError, String(error))
    assert.equal(error.reason, reason, error.message)
    return true
  }
}

async function take<T>(
  events: AsyncIterable<WatchEvent<KubeObject>>,
  count: number,
  map: (event: WatchEvent<KubeObject>) => T,
): Promise<T[]> {
  const found: T[] = []
  for await (const event of events) {
    if (event.type === 'BOOKMARK') continue
    found.push(map(event))
    if (found.length === count) break
  }
  return found
}

const typeAndName = (event: WatchEvent<KubeObject>): string =>
  event.type === 'BOOKMARK' ? 'BOOKMARK' : `${event.type} ${event.object.metadata.name}`

export function storeContract(name: string, open: () => Promise<ContractStore>): void {
  describe(`the contract of stores: ${name}`, () => {
    async function withStore(run: (store: Store) => Promise<void>): Promise<void> {
      const { store, close } = await open()
      try {
        await run(store)
      } finally {
        await close()
      }
    }

    test('what was created is read back with uid, version and time', () =>
      withStore(async (store) => {
        const name = fresh('a')
        const made = await store.create(ConfigMap, configMap(name))
        assert.match(made.metadata.uid ?? '', /^[0-9a-f-]{36}$/)
        assert.match(made.metadata.creationTimestamp ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
        assert.deepEqual(await store.get(ConfigMap, { namespace: 'default', name }), made)
        assert.equal(await store.get(ConfigMap, { namespace: 'default', name: fresh('none') }), undefined)
        await assert.rejects(store.create(ConfigMap, configMap(name)), rejects('AlreadyExists'))
      }))

    test('generateName gives a name nobody has', () =>
      withStore(async (store) => {
        const object = { ...configMap(''), metadata: { name: '', namespace: 'default', generateName: 'g-' } }
        const made = await Promise.all([store.create(ConfigMap, object), store.create(ConfigMap, object)])
        const [a = '', b = ''] = made.map(({ metadata }) => metadata.name)
        assert.match(a, /^g-[bcdfghjklmnpqrstvwxz2-9]{5}$/)
        assert.notEqual(a, b)
      }))

    test('an update needs the newest version or none', () =>
      withStore(async (store) => {
        const first = await store.create(ConfigMap, configMap(fresh('b')))
        const second = await store.update(ConfigMap, { ...first, data: { a: '2' } })
        assert.ok(Number(second.metadata.resourceVersion) > Number(first.metadata.resourceVersion))
        await assert.rejects(store.update(ConfigMap, { ...first, data: { a: '3' } }), rejects('Conflict'))
        const blind = configMap(first.metadata.name, { a: '4' })
        assert.deepEqual((await store.update(ConfigMap, blind)).data, { a: '4' })
        await assert.rejects(store.update(ConfigMap, configMap(fresh('none'))), rejects('NotFound'))
      }))

    test('an update that changes nothing keeps the version', () =>
      withStore(async (store) => {
        const first = await store.create(ConfigMap, configMap(fresh('same')))
        const second = await store.update(ConfigMap, first)
        assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion)
      }))

    test('generation counts changes of the spec, status is written by its subresource only', () =>
      withStore(async (store) => {
        const key = { namespace: 'default', name: fresh('web') }
        const made = await store.create(Deployment, { ...deployment(key.name), status: { replicas: 7 } })
        assert.equal(made.metadata.generation, 1)
        assert.equal((made.status as { replicas?: number } | undefined)?.replicas, undefined)
        const paused = await store.patch(Deployment, key, {
          type: 'merge',
          body: { spec: { paused: true }, status: { replicas: 7 } },
        })
        assert.equal(paused.metadata.generation, 2)
        assert.equal((paused.status as { replicas?: number } | undefined)?.replicas, undefined)
        const status = await store.patch(
          Deployment,
          key,
          { type: 'merge', body: { status: { replicas: 3 }, spec: { paused: false } } },
          { subresource: 'status' },
        )
        assert.equal(status.metadata.generation, 2)
        assert.deepEqual(
          [(status.status as { replicas: number }).replicas, (status.spec as { paused: boolean }).paused],
          [3, true],
        )
      }))

    test('merge and JSON patches', () =>
      withStore(async (store) => {
        const made = await store.create(ConfigMap, configMap(fresh('p')))
        const key = { namespace: 'default', name: made.metadata.name }
        const merged = await store.patch<ConfigMapObject>(ConfigMap, key, {
          type: 'merge',
          body: { data: { a: null, b: '2' } },
        })
        assert.deepEqual(merged.data, { b: '2' })
        const patched = await store.patch<ConfigMapObject>(ConfigMap, key, {
          type: 'json',
          body: [
            { op: 'test', path: '/data/b', value: '2' },
            { op: 'add', path: '/data/c', value: '3' },
          ],
        })
        assert.deepEqual(patched.data, { b: '2', c: '3' })
      }))

    test('lists are sorted, selected, and come in pages of one state', () =>
      withStore(async (store) => {
        const set = fresh('set')
        const made = ['c', 'a', 'b', 'd', 'e'].map((letter) => `${set}-${letter}`)
        for (const name of made) await store.create(ConfigMap, configMap(name, {}, { set, letter: name.slice(-1) }))
        const options = { namespace: 'default', labelSelector: `set=${set}` }
        const all = await store.list(ConfigMap, options)
        assert.deepEqual(
          all.items.map(({ metadata }) => metadata.name),
          [...made].sort(),
        )
        const two = await store.list(ConfigMap, { namespace: 'default', labelSelector: `set=${set},letter in (b,c)` })
        assert.equal(two.items.length, 2)

        const first = await store.list(ConfigMap, { ...options, limit: 2 })
        await store.delete(ConfigMap, { namespace: 'default', name: `${set}-d` })
        const rest = await store.list(ConfigMap, { ...options, limit: 10, continue: first.continue ?? '' })
        assert.deepEqual(
          [...first.items, ...rest.items].map(({ metadata }) => metadata.name),
          [...made].sort(),
        )
      }))

    test('a watch misses nothing and sees what enters and leaves its selector', () =>
      withStore(async (store) => {
        const set = fresh('w')
        const { resourceVersion } = await store.list(ConfigMap)
        const name = `${set}-x`
        await store.create(ConfigMap, configMap(name, {}, { set }))
        await store.patch(ConfigMap, { namespace: 'default', name }, { type: 'merge', body: { data: { n: '1' } } })
        await store.patch(
          ConfigMap,
          { namespace: 'default', name },
          { type: 'merge', body: { metadata: { labels: { set: 'other' } } } },
        )
        await store.patch(
          ConfigMap,
          { namespace: 'default', name },
          { type: 'merge', body: { metadata: { labels: { set } } } },
        )
        await store.delete(ConfigMap, { namespace: 'default', name })
        const seen = await take(
          store.watch(ConfigMap, { resourceVersion, labelSelector: `set=${set}` }),
          5,
          typeAndName,
        )
        assert.deepEqual(
          seen,
          ['ADDED', 'MODIFIED', 'DELETED', 'ADDED', 'DELETED'].map((type) => `${type} ${name}`),
        )
      }))

    test('a watch ends when its signal says so', { timeout: 10_000 }, () =>
      withStore(async (store) => {
        const { resourceVersion } = await store.list(ConfigMap)
        const ending = new AbortController()
        setTimeout(() => ending.abort(), 20)
        for await (const event of store.watch(Mapping, { resourceVersion, signal: ending.signal }))
          assert.fail(typeAndName(event))
      }),
    )

    test('finalizers hold a deleted object, preconditions hold a delete', () =>
      withStore(async (store) => {
        const object = configMap(fresh('f'))
        const made = await store.create(ConfigMap, {
          ...object,
          metadata: { ...object.metadata, finalizers: ['example.com/x'] },
        })
        const key = { namespace: 'default', name: made.metadata.name }
        await assert.rejects(store.delete(ConfigMap, key, { preconditions: { uid: 'other' } }), rejects('Conflict'))
        const marked = await store.delete(ConfigMap, key)
        const held = await store.get(ConfigMap, key)
        assert.ok(held?.metadata.deletionTimestamp !== undefined)
        if (marked.kind === 'ConfigMap')
          assert.equal(marked.metadata.deletionTimestamp, held.metadata.deletionTimestamp)
        await store.patch(ConfigMap, key, { type: 'merge', body: { metadata: { finalizers: null } } })
        assert.equal(await store.get(ConfigMap, key), undefined)
        await assert.rejects(store.delete(ConfigMap, key), rejects('NotFound'))
      }))

    test('a Pod on a node stays until it is deleted with grace 0', () =>
      withStore(async (store) => {
        const key = { namespace: 'default', name: fresh('pod') }
        await store.create(Pod, {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: key,
          spec: { nodeName: 'node-1', containers: [{ name: 'c', image: 'web:1' }] },
        })
        await store.delete(Pod, key)
        const going = await store.get(Pod, key)
        assert.equal(going?.metadata.deletionGracePeriodSeconds, 30)
        assert.ok(Date.parse(going.metadata.deletionTimestamp ?? '') > Date.now() + 20_000)
        await store.delete(Pod, key, { gracePeriodSeconds: 0 })
        assert.equal(await store.get(Pod, key), undefined)
      }))

    test('a dry run changes nothing', () =>
      withStore(async (store) => {
        const name = fresh('dry')
        const made = await store.create(ConfigMap, configMap(name), { dryRun: true })
        assert.equal(made.metadata.name, name)
        assert.equal(await store.get(ConfigMap, { namespace: 'default', name }), undefined)
      }))

    test(
      'an informer has every object, keeps the identity of what did not change, and tells changes in order',
      { timeout: 20_000 },
      () =>
        withStore(async (store) => {
          const set = fresh('inf')
          const key = { namespace: 'default', name: `${set}-a` }
          await store.create(ConfigMap, configMap(key.name, {}, { set }))
          const informer = createInformer<ConfigMapObject>(store, ConfigMap, { labelSelector: `set=${set}` })
          const told: string[] = []
          informer.onChange(({ type, object }) => told.push(`${type} ${object.metadata.name}`))
          await informer.synced
          const before = informer.get(key)
          assert.ok(before !== undefined)
          await store.create(ConfigMap, configMap(`${set}-b`, {}, { set }))
          await until(() => informer.list().length === 2)
          assert.equal(informer.get(key), before)
          await store.patch(ConfigMap, key, { type: 'merge', body: { data: { n: '1' } } })
          await store.delete(ConfigMap, { namespace: 'default', name: `${set}-b` })
          await until(() => informer.list().length === 1)
          assert.deepEqual(told, [`ADDED ${set}-a`, `ADDED ${set}-b`, `MODIFIED ${set}-a`, `DELETED ${set}-b`])
          informer.stop()
        }),
    )
  })
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(2)
}
