import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Deployment } from '../src/resources/kinds.ts'
import { findEngine } from '../src/workloads/runtimes/engine.ts'
import { startCluster, type Cluster } from './workloads-cluster.ts'
import { BASE_IMAGE, engineFailure } from './workloads-engine.ts'
import { createDeployment, createService, podsOf, rolledOut, someClusterIP, until } from './workloads-pods.ts'

/** The helloworld example as a container image: built, run, and rolled out without a failed request. */

const IMAGE = 'serin-test-helloworld:1'
const root = join(import.meta.dirname, '../../../..')

describe('helloworld in containers', { skip: engineFailure() }, () => {
  let cluster: Cluster

  before(async () => {
    buildImage()
    cluster = await startCluster('container')
  })

  after(() => cluster.stop())

  const ask = (url: string): Promise<string> =>
    new Promise((resolve, reject) => {
      get(url, { agent: false }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (text: string) => (body += text))
        response.once('end', () =>
          response.statusCode === 200 ? resolve(body) : reject(new Error(`${String(response.statusCode)} ${body}`)),
        )
      }).once('error', reject)
    })

  test('a restart under load loses no request, and nothing is left of the old containers', async () => {
    const { store, workloads } = cluster
    const clusterIP = someClusterIP()
    await createService(store, 'hello', { clusterIP })
    const container = {
      name: 'web',
      image: IMAGE,
      ports: [{ name: 'http', containerPort: 8000 }],
      readinessProbe: { httpGet: { path: '/health', port: 'http' }, periodSeconds: 1 },
      resources: { limits: { memory: '256Mi' } },
    }
    await createDeployment(store, 'hello', {
      replicas: 2,
      spec: { containers: [container], terminationGracePeriodSeconds: 10 },
    })
    await rolledOut(store, 'hello')
    const url = `http://${clusterIP}/v1/`
    assert.equal(await until('it answers', () => ask(url).catch(() => undefined)), '{"message":"Hello World"}')
    let isOver = false
    let asked = 0
    const failures: string[] = []
    const clients = Array.from({ length: 2 }, async () => {
      while (!isOver) {
        asked += 1
        await ask(url).catch((error: unknown) => failures.push(String(error)))
      }
    })
    const old = (await podsOf(store, 'hello')).map(({ metadata }) => metadata.uid ?? '')
    const body = { spec: { template: { metadata: { annotations: { restarted: 'yes' } } } } }
    await store.patch(Deployment, { namespace: 'default', name: 'hello' }, { type: 'merge', body })
    await rolledOut(store, 'hello')
    isOver = true
    await Promise.all(clients)
    assert.deepEqual(failures, [])
    assert.ok(asked > 20, String(asked))
    await until('the old pods are gone', async () => (await podsOf(store, 'hello')).length === 2)
    await until('their containers are gone', () => !containers().some((name) => old.some((uid) => name.includes(uid))))
    const [pod] = await podsOf(store, 'hello')
    assert.ok(pod !== undefined)
    assert.match(pod.status?.containerStatuses?.[0]?.containerID ?? '', /^(podman|docker):\/\//)
    const session = await workloads.pods?.exec(pod, {
      container: 'web',
      command: ['/bin/echo', 'inside'],
      stdin: false,
      tty: false,
    })
    assert.equal(await session?.exit, 0)
  })
})

function containers(): readonly string[] {
  const engine = findEngine()
  return engine === undefined
    ? []
    : execFileSync(engine.program, ['ps', '--all', '--format', '{{.Names}}']).toString().split('\n')
}

/** The example's Dockerfile on a base of this machine; its packages are copied, not installed: there is no network. */
function buildImage(): void {
  const engine = findEngine()
  const app = join(root, 'examples/helloworld/app')
  const context = mkdtempSync(join(tmpdir(), 'serin-image-'))
  try {
    const lines = readFileSync(join(app, 'Dockerfile'), 'utf8')
      .split('\n')
      .filter((line) => !/^(#|RUN|USER|COPY)/.test(line))
    const dockerfile = lines.map((line) =>
      line.replace(/^FROM .*/, `FROM ${BASE_IMAGE}`).replace('["node"', `["${process.execPath}"`),
    )
    writeFileSync(join(context, 'Dockerfile'), `${dockerfile.join('\n')}\nCOPY . .\n`)
    cpSync(join(app, 'dist'), join(context, 'dist'), { recursive: true })
    cpSync(join(app, 'package.json'), join(context, 'package.json'))
    for (const path of packagesOf('helloworld')) copyPackage(path, context)
    execFileSync(
      engine?.program ?? '',
      [...(engine?.options ?? []), 'build', '--pull=never', '--tag', IMAGE, context],
      { stdio: 'pipe' },
    )
  } finally {
    rmSync(context, { recursive: true, force: true })
  }
}

/** Where npm put what a workspace needs to run. */
function packagesOf(workspace: string): readonly string[] {
  const output = execFileSync('npm', ['ls', '--omit=dev', '--all', '--parseable', '--workspace', workspace], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return output
    .toString()
    .split('\n')
    .filter((path) => path.includes('node_modules') && existsSync(path))
}

function copyPackage(path: string, context: string): void {
  const target = join(context, relative(root, path))
  mkdirSync(target, { recursive: true })
  cpSync(realpathSync(path), target, {
    recursive: true,
    dereference: true,
    filter: (source) => !/\/(src|test|\.git)$/.test(source) || source.includes('/dist/'),
  })
}
