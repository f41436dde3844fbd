import { setTimeout as delay } from 'node:timers/promises'
import { writeFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Deployment, Pod, Service } from '../src/resources/kinds.ts'
import type {
  Container,
  DeploymentObject,
  PodObject,
  PodSpec,
  ServiceObject,
} from '../src/resources/kubernetes/types.ts'
import type { Store } from '../src/store/store.ts'
import type { Cluster } from './workloads-cluster.ts'

/** Pods that really run, for tests: a small HTTP program that does what its environment says. */

/**
 * `GET /` answers the pod's name; `/slow?MS` later; `/health` 200, or 500 while the file `$UNWELL` exists; `/env?NAME` a variable; `/file?PATH`
 * a file. BOOT_MS: listens only then. ON_TERM: `exit` at once (default), `ignore`, or `close` after the open requests.
 */
const PROGRAM = `
import http from 'node:http'
import fs from 'node:fs'
const { PORT, HOST, HOSTNAME, UNWELL, BOOT_MS = '0', ON_TERM = 'exit' } = process.env
const server = http.createServer((request, response) => {
  const [path, query = ''] = request.url.split('?')
  if (path === '/slow') return setTimeout(() => response.end(HOSTNAME), Number(query))
  if (path === '/env') return response.end(process.env[query] ?? '')
  if (path === '/file') return response.end(fs.readFileSync(query))
  if (path === '/health' && UNWELL && fs.existsSync(UNWELL)) response.statusCode = 500
  response.end(HOSTNAME)
})
setTimeout(() => server.listen(PORT, HOST, () => console.log('listening')), Number(BOOT_MS))
process.on('SIGTERM', () => {
  console.log('told to stop')
  if (ON_TERM === 'exit') process.exit(0)
  if (ON_TERM === 'close') server.close(() => process.exit(0))
})
`

/** Makes the image \`web\`. */
export function makeImage(cluster: Pick<Cluster, 'directory'>): void {
  const directory = join(cluster.directory, 'image')
  mkdirSync(directory)
  writeFileSync(join(directory, 'server.mjs'), PROGRAM)
  writeFileSync(
    join(directory, 'Dockerfile'),
    'FROM node\nWORKDIR /app\nENV FROM_IMAGE="yes it is"\nCMD ["node", "/app/server.mjs"]\n',
  )
  writeFileSync(join(cluster.directory, 'images.json'), JSON.stringify({ web: directory }))
}

export function webContainer(extra: Partial<Container> = {}): Container {
  return {
    name: 'web',
    image: 'web:latest',
    ports: [{ name: 'http', containerPort: 8000 }],
    readinessProbe: { httpGet: { path: '/health', port: 'http' }, periodSeconds: 1 },
    ...extra,
  }
}

export async function createPod(store: Store, name: string, spec: Partial<PodSpec> = {}): Promise<PodObject> {
  const pod: PodObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec: { containers: [webContainer()], terminationGracePeriodSeconds: 5, ...spec },
  }
  return store.create(Pod, pod)
}

export async function createDeployment(
  store: Store,
  name: string,
  options: { replicas: number; spec?: Partial<PodSpec>; annotations?: Record<string, string> },
): Promise<void> {
  const deployment: DeploymentObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas: options.replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name }, annotations: options.annotations ?? {} },
        spec: { containers: [webContainer()], terminationGracePeriodSeconds: 5, ...options.spec },
      },
    },
  }
  await store.create(Deployment, deployment)
}

export async function createService(store: Store, name: string, spec: Partial<ServiceObject['spec']>): Promise<void> {
  const service: ServiceObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 'http' }], ...spec },
  }
  await store.create(Service, service)
}

/** An address of 127.96.0.0/12 that no other test has. */
export function someClusterIP(): string {
  return `127.${String(96 + Math.floor(Math.random() * 16))}.${String(Math.floor(Math.random() * 256))}.${String(1 + Math.floor(Math.random() * 254))}`
}

/** Waits for something to become true. The bound only ends a test that hangs. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  msMax = 60_000,
): Promise<T> {
  const end = Date.now() + msMax
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (Date.now() > end) throw new Error(`never: ${what}`)
    await delay(10)
  }
}

export function podIs(store: Store, name: string, isSo: (pod: PodObject) => boolean): Promise<PodObject> {
  return until(`pod ${name} is as wanted`, async () => {
    const pod = await store.get<PodObject>(Pod, { namespace: 'default', name })
    return pod !== undefined && isSo(pod) ? pod : undefined
  })
}

export function isReady(pod: PodObject): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
}

export async function podsOf(store: Store, app: string): Promise<readonly PodObject[]> {
  return (await store.list<PodObject>(Pod, { namespace: 'default', labelSelector: `app=${app}` })).items
}

/** The Deployment has its replicas, all of the newest template, and no others. */
export function rolledOut(store: Store, name: string): Promise<DeploymentObject> {
  return until(
    `deployment ${name} is rolled out`,
    async () => {
      const deployment = await store.get<DeploymentObject>(Deployment, { namespace: 'default', name })
      const { replicas = 1 } = deployment?.spec ?? {}
      const status = deployment?.status ?? {}
      const all = [status.replicas, status.updatedReplicas, status.availableReplicas].every(
        (count) => (count ?? 0) === replicas,
      )
      return all && status.observedGeneration === deployment?.metadata.generation ? deployment : undefined
    },
    60_000,
  )
}

function portOf(pod: PodObject): number {
  const map = JSON.parse(pod.metadata.annotations?.['serin.dev/ports'] ?? '{}') as Record<string, number>
  return Object.values(map)[0] ?? 0
}

export async function ask(pod: PodObject, path: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${String(portOf(pod))}${path}`)
  return response.text()
}

export function pidOf(pod: PodObject): number {
  return Number(pod.status?.containerStatuses?.[0]?.containerID?.replace('process://', ''))
}
