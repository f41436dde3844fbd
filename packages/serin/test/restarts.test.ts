/** Rolling restarts that lose no request: of a program that exits at once on SIGTERM, of one replica, with answers under way. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { startLoad } from '../src/cli/load.ts'
import { SerinUnderTest } from './support/serin.ts'
import { startTraffic } from './support/traffic.ts'

const PROGRAM = `
import { createServer } from 'node:http'
process.on('SIGTERM', () => process.exit(0))
createServer((request, response) => {
  // Half of the answer is sent at once: nobody can repeat such a request.
  response.write('begun ')
  setTimeout(() => response.end('and done'), 200)
}).listen(Number(process.env.PORT), '127.0.0.1')
`

const files = (port: number): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: slow }
spec:
  replicas: 2
  selector: { matchLabels: { app: slow } }
  template:
    metadata:
      labels: { app: slow }
      annotations: { serin.dev/image-directory: image }
    spec:
      containers:
        - name: slow
          image: slow
          ports: [{ containerPort: 80 }]
          readinessProbe: { httpGet: { path: /, port: 80 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: slow }
spec: { selector: { app: slow }, ports: [{ port: 80 }] }
---
apiVersion: getambassador.io/v3alpha1
kind: Listener
metadata: { name: http }
spec: { port: ${port}, protocol: HTTP, securityModel: XFP, hostBinding: { namespace: { from: ALL } } }
---
apiVersion: getambassador.io/v3alpha1
kind: Mapping
metadata: { name: slow }
spec: { hostname: '*', prefix: /, service: 'slow:80', resolver: endpoint, load_balancer: { policy: round_robin } }
`

describe('a rolling restart of a slow program that exits at once', { timeout: 280_000 }, () => {
  let serin: SerinUnderTest
  before(async () => {
    serin = await SerinUnderTest.create([])
    mkdirSync(join(serin.directory, 'image'))
    writeFileSync(join(serin.directory, 'image/server.mjs'), PROGRAM)
    writeFileSync(join(serin.directory, 'image/package.json'), '{"scripts":{"start":"node server.mjs"}}')
    const file = join(serin.directory, 'slow.yaml')
    writeFileSync(file, files(serin.port))
    await serin.up({ files: [file] })
  })
  after(() => serin.cleanUp())

  test('waits for the answers that are under way', async () => {
    const load = startLoad({ host: serin.host, port: serin.port, path: '/', connection: 'keep-alive', clients: 8 })
    assert.equal((await serin.verb('rollout', 'restart', 'deploy', 'slow')).code, 0)
    assert.equal((await serin.verb('rollout', 'status', 'deploy', 'slow')).code, 0)
    const result = await load.stop()
    assert.equal(result.failed, 0, `${result.failed} of ${result.requests}: ${result.reasons.join(', ')}`)
    assert.deepEqual([...load.bodies.keys()], ['begun and done'])
  })
})

for (const [name, patch] of [
  [
    'a program that exits at once on SIGTERM',
    { op: 'add', path: '/spec/template/spec/containers/0/env', value: [{ name: 'STOP', value: 'abrupt' }] },
  ],
  ['one replica', { op: 'replace', path: '/spec/replicas', value: 1 }],
] as const) {
  describe(`a rolling restart of ${name}`, { timeout: 280_000 }, () => {
    let serin: SerinUnderTest
    before(async () => {
      serin = await SerinUnderTest.create()
      await serin.up()
      const changed = await serin.verb('patch', 'deploy', 'helloworld', '--type=json', '-p', JSON.stringify([patch]))
      assert.equal(changed.code, 0, changed.stderr)
      assert.equal((await serin.verb('rollout', 'status', 'deploy', 'helloworld')).code, 0)
    })
    after(() => serin.cleanUp())

    test('loses no request, twice in a row', async () => {
      const clients = startTraffic(serin, '/helloworld/v1/')
      for (let round = 0; round < 2; round++) {
        assert.equal((await serin.verb('rollout', 'restart', 'deploy', 'helloworld')).code, 0)
        const status = await serin.verb('rollout', 'status', 'deploy', 'helloworld')
        assert.equal(status.code, 0, status.stderr)
      }
      await clients.mustNotFail()
    })
  })
}
