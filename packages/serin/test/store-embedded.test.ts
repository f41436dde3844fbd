import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { KubeObject } from '../src/resources/object.ts'
import { ConfigMap } from '../src/resources/kinds.ts'
import { backupStore, restoreStore } from '../src/store/backup.ts'
import { openEmbeddedStore, type EmbeddedStoreOptions } from '../src/store/embedded.ts'
import { StoreError } from '../src/store/store.ts'
import { storeContract } from './store-contract.ts'

storeContract('embedded', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'serin-store-'))
  const store = openEmbeddedStore({ directory })
  return {
    store,
    async close() {
      await store.close()
      await rm(directory, { recursive: true })
    },
  }
})

async function inDirectory(
  run: (
    open: (options?: Partial<EmbeddedStoreOptions>) => ReturnType<typeof openEmbeddedStore>,
    directory: string,
  ) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'serin-store-'))
  try {
    await run((options) => openEmbeddedStore({ directory, ...options }), directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

const key = { namespace: 'default', name: 'a' }
const object: KubeObject & { data: object } = { apiVersion: 'v1', kind: 'ConfigMap', metadata: key, data: { n: '0' } }

test('objects, revisions and history are there again after a restart', () =>
  inDirectory(async (open) => {
    const first = open()
    const { resourceVersion } = await first.list(ConfigMap)
    await first.create(ConfigMap, object)
    await first.update(ConfigMap, { ...object, data: { n: '1' } })
    const before = await first.list(ConfigMap)
    await first.close()

    const second = open()
    assert.deepEqual(await second.list(ConfigMap), before)
    const types: string[] = []
    for await (const event of second.watch(ConfigMap, { resourceVersion })) {
      types.push(event.type)
      if (types.length === 2) break
    }
    assert.deepEqual(types, ['ADDED', 'MODIFIED'])
    const next = await second.update(ConfigMap, { ...object, data: { n: '2' } })
    assert.ok(Number(next.metadata.resourceVersion) > Number(before.resourceVersion))
    await second.close()
  }))

test('a watch from before the window gets Expired, also after a restart, and the disk keeps only what is needed', () =>
  inDirectory(async (open) => {
    const options = { history: { events: 10, bytes: 1_000_000 } }
    const store = open(options)
    await store.create(ConfigMap, object)
    for (let n = 1; n <= 50; n += 1) await store.update(ConfigMap, { ...object, data: { n: String(n) } })
    const bytes = store.bytes
    await store.close()

    const again = open(options)
    assert.ok(again.bytes < 12 * (bytes / 10), `${again.bytes} bytes for one object and ten events`)
    await assert.rejects(
      async () => {
        for await (const event of again.watch(ConfigMap, { resourceVersion: '3' })) assert.fail(event.type)
      },
      (error) => error instanceof StoreError && error.reason === 'Expired',
    )
    await again.close()
  }))

test('a second server on the directory is refused and told who holds it', () =>
  inDirectory(async (open) => {
    const store = open()
    assert.throws(() => open(), new RegExp(`process ${process.pid}`))
    await store.close()
    await open().close()
  }))

test('a store that is full says so, and reads and deletes go on', () =>
  inDirectory(async (open) => {
    const store = open({ bytesMax: 5_000 })
    await store.create(ConfigMap, object)
    const big = { ...object, metadata: { ...key, name: 'big' }, data: { x: 'x'.repeat(6_000) } }
    await assert.rejects(
      store.create(ConfigMap, big),
      (error) => error instanceof StoreError && error.reason === 'InsufficientStorage',
    )
    assert.equal((await store.list(ConfigMap)).items.length, 1)
    await store.delete(ConfigMap, key)
    assert.equal((await store.list(ConfigMap)).items.length, 0)
    await store.close()
  }))

test('a backup of a live store is restored into a store of its own, but never over another', () =>
  inDirectory(async (open, directory) => {
    const store = open()
    await store.create(ConfigMap, object)
    const file = join(directory, 'backups/one')
    await backupStore({ directory, file })
    await store.update(ConfigMap, { ...object, data: { n: 'later' } })
    const restored = join(directory, 'restored')
    await restoreStore({ file, directory: restored })
    const copy = openEmbeddedStore({ directory: restored })
    assert.deepEqual((await copy.get<KubeObject & { data?: unknown }>(ConfigMap, key))?.data, { n: '0' })
    await copy.close()
    await assert.rejects(restoreStore({ file, directory: restored }), /has a store already/)
    await store.close()
  }))

test('a full disk refuses writes with a clear reason, reads go on, and writes too when there is space again', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'serin-full-'))
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]).status === 0
  if (!mounted) {
    await rm(directory, { recursive: true })
    context.skip('left out: no small file system can be mounted here')
    return
  }
  try {
    const ballast = join(directory, 'ballast')
    await writeFile(ballast, Buffer.alloc(600_000))
    const store = openEmbeddedStore({ directory: join(directory, 'store') })
    const large = (n: number): KubeObject & { data: object } => ({
      ...object,
      metadata: { name: `n${n}`, namespace: 'default' },
      data: { text: 'x'.repeat(20_000) },
    })
    let made = 0
    await assert.rejects(
      async () => {
        for (; made < 100; made += 1) await store.create(ConfigMap, large(made))
      },
      (error) =>
        error instanceof StoreError && error.reason === 'InsufficientStorage' && error.message.includes('is full'),
    )
    assert.equal((await store.list(ConfigMap)).items.length, made)
    await rm(ballast)
    await store.create(ConfigMap, large(made))
    const before = await store.list(ConfigMap)
    await store.close()
    const again = openEmbeddedStore({ directory: join(directory, 'store') })
    assert.deepEqual(await again.list(ConfigMap), before)
    await again.close()
  } finally {
    spawnSync('umount', [directory])
    await rm(directory, { recursive: true })
  }
})
