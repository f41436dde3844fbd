/** A sticky split: who is on the canary, for the keys that people have, at any weight. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { createCompiler } from '../src/compile/compile.ts'
import { explain } from '../src/compile/explain.ts'
import { bucketOf } from '../src/gateway/split.ts'
import { SHARE_WHOLE } from '../src/model/split.ts'
import type { Snapshot } from '../src/model/snapshot.ts'
import type { KubeObject } from '../src/resources/object.ts'

const CLIENTS = 20_000
const KEYS: Readonly<Record<string, (index: number) => string>> = {
  'sequential ids': (index) => String(index + 1),
  'addresses of one network': (index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
  uuids: (index) => {
    const hex = createHash('md5').update(String(index)).digest('hex')
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  },
  'mail addresses': (index) => `user${index}@example.com`,
}
const SALTS = ['', 'release-7', 'release-8']
const PERCENTS = [0.5, 1, 10, 25, 50]

for (const [kind, keyOf] of Object.entries(KEYS)) {
  test(`${kind}: each weight gets its share within 3 sigma, and growing it only adds clients`, () => {
    for (const salt of SALTS) {
      const buckets = Array.from({ length: CLIENTS }, (_, index) => bucketOf(salt, keyOf(index)))
      const canary = (percent: number): number[] =>
        [...buckets.keys()].filter((index) => buckets[index]! < percent * (SHARE_WHOLE / 100))
      assert.deepEqual(canary(0), [])
      assert.equal(canary(100).length, CLIENTS)
      let smaller = new Set<number>()
      for (const percent of PERCENTS) {
        const clients = new Set(canary(percent))
        const share = percent / 100
        const sigma = Math.sqrt(CLIENTS * share * (1 - share))
        assert.ok(Math.abs(clients.size - CLIENTS * share) <= 3 * sigma, `${salt} ${percent} %: ${clients.size}`)
        assert.ok([...smaller].every((client) => clients.has(client)))
        smaller = clients
      }
    }
  })
}

test('another salt chooses other clients', () => {
  const first = (salt: string): Set<number> =>
    new Set(
      Array.from({ length: CLIENTS }, (_, index) => index).filter((index) => bucketOf(salt, String(index)) < 1000),
    )
  const [old, next] = [first('release-7'), first('release-8')]
  const both = [...old].filter((client) => next.has(client)).length
  assert.ok(Math.abs(both - CLIENTS / 100) < 4 * Math.sqrt(CLIENTS / 100), `${both} are first twice`)
})

function snapshotAt(weight: number): Snapshot {
  const mapping = (name: string, spec: object, annotations: Record<string, string> = {}): KubeObject => ({
    apiVersion: 'getambassador.io/v3alpha1',
    kind: 'Mapping',
    metadata: { name, annotations },
    spec: { hostname: '*', prefix: '/a/', service: '127.0.0.1:9001', ...spec },
  })
  const listener: KubeObject = {
    apiVersion: 'getambassador.io/v3alpha1',
    kind: 'Listener',
    metadata: { name: 'l' },
    spec: { port: 8080, protocol: 'HTTP', securityModel: 'XFP', hostBinding: { namespace: { from: 'ALL' } } },
  }
  const annotations = {
    'serin.dev/split': 'sticky',
    'serin.dev/split-key': 'header:x-user',
    'serin.dev/override-header': 'x-version',
  }
  return createCompiler().compile({ objects: [listener, mapping('v1', {}), mapping('v2', { weight }, annotations)] })
    .snapshot
}

function versionOf(snapshot: Snapshot, headers: readonly (readonly [string, string])[]): string | undefined {
  return explain(snapshot, { url: 'http://localhost:8080/a/', headers }).choice?.mapping
}

test('a client keeps its version while the weight grows, weight 0 sends everybody back, a tester gets through all the same', () => {
  const at = new Map([0, 10, 50, 100].map((weight) => [weight, snapshotAt(weight)]))
  for (let user = 0; user < 200; user++) {
    const headers = [['x-user', `user-${user}`]] as const
    const path = [0, 10, 50, 100].map((weight) => versionOf(at.get(weight)!, headers))
    assert.equal(path[0], 'default/v1')
    assert.equal(path[3], 'default/v2')
    assert.ok(!path.join().includes('default/v2,default/v1'), path.join())
  }
  assert.equal(versionOf(at.get(0)!, [['x-version', 'v2']]), 'default/v2')
  assert.equal(versionOf(at.get(10)!, []), undefined)
})
