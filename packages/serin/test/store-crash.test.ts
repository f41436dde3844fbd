import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigMap } from '../src/resources/kinds.ts'
import type { KubeObject } from '../src/resources/object.ts'
import { openEmbeddedStore } from '../src/store/embedded.ts'

/** The long run takes 200: `SERIN_KILLS=200 node --test packages/serin/dist/test/store-crash.test.js`. */
const KILLS = Number(process.env['SERIN_KILLS'] ?? 12)
/** After its first acknowledged write the writer lives for up to this. */
const LIFE_MS_MAX = 120

interface Written extends KubeObject {
  readonly data: { readonly count: string; readonly text: string; readonly digest: string }
}

interface Acknowledged {
  readonly count: number
  readonly revision: number
}

test(`killed ${KILLS} times while it writes, the store has every acknowledged write, whole, and no revision twice`, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'serin-crash-'))
  try {
    const newest = new Map<string, Acknowledged>()
    let lastRevision = 0
    for (let kill = 0; kill < KILLS; kill += 1) {
      const said = await writeUntilKilled(directory)
      const revisions = said.map(({ revision }) => revision)
      for (const { name, count, revision } of said) newest.set(name, { count, revision })
      assert.ok(
        Math.min(...revisions) > lastRevision,
        `revision ${Math.min(...revisions)} came again after ${lastRevision}`,
      )
      assert.equal(new Set(revisions).size, revisions.length, 'a revision was given twice')
      lastRevision = Math.max(lastRevision, await check(directory, newest))
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

/** All that it said was acknowledged. */
async function writeUntilKilled(directory: string): Promise<{ name: string; count: number; revision: number }[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'store-crash-writer.js'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    if (text === '') setTimeout(() => child.kill('SIGKILL'), Math.random() * LIFE_MS_MAX)
    text += chunk
  })
  await new Promise((resolve) => child.once('close', resolve))
  assert.equal(child.signalCode, 'SIGKILL', 'the writer ended by itself')
  // The last line may be cut.
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [name = '', count, revision] = line.split(' ')
      return { name, count: Number(count), revision: Number(revision) }
    })
}

/** The newest revision that the store has. */
async function check(directory: string, newest: ReadonlyMap<string, Acknowledged>): Promise<number> {
  const store = openEmbeddedStore({ directory })
  const { items, resourceVersion } = await store.list<Written>(ConfigMap)
  const found = new Map(items.map((object) => [object.metadata.name, object]))
  for (const [name, { count, revision }] of newest) {
    const object = found.get(name)
    assert.ok(object !== undefined, `${name} is gone`)
    const { data, metadata } = object
    assert.ok(
      Number(metadata.resourceVersion) >= revision,
      `${name} went back to ${metadata.resourceVersion} before ${revision}`,
    )
    if (Number(metadata.resourceVersion) === revision) assert.equal(Number(data.count), count)
    assert.equal(data.digest, createHash('sha256').update(data.text).digest('hex'), `${name} is torn`)
  }
  await store.close()
  return Number(resourceVersion)
}
