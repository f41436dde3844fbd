/** Writes as fast as it can and says on its standard output what was acknowledged, until it is killed. Argument: the directory. */
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { ConfigMap } from '../src/resources/kinds.ts'
import type { KubeObject } from '../src/resources/object.ts'
import { openEmbeddedStore } from '../src/store/embedded.ts'

const WRITERS = 8
const OBJECTS_PER_WRITER = 3

const [, , directory = ''] = process.argv
/** Of no other life: a write that changes nothing would be no write. */
const life = String(process.pid)
const store = openEmbeddedStore({ directory, history: { events: 200, bytes: 10_000_000 } })
await store.list(ConfigMap)

function objectOf(name: string, count: number): KubeObject {
  const text = name.repeat(1 + (count % 50))
  const data = { life, count: String(count), text, digest: createHash('sha256').update(text).digest('hex') }
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data } as KubeObject
}

async function write(writer: number): Promise<never> {
  for (let count = 0; ; count += 1) {
    const name = `w${writer}-${count % OBJECTS_PER_WRITER}`
    const exists = (await store.get(ConfigMap, { namespace: 'default', name })) !== undefined
    const object = objectOf(name, count)
    const stored = exists ? await store.update(ConfigMap, object) : await store.create(ConfigMap, object)
    // Not a stream: what was said is out of this process before it goes on.
    writeSync(1, `${name} ${count} ${stored.metadata.resourceVersion}\n`)
  }
}

await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)))
