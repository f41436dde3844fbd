import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { certificatesIn } from '../src/api/certificates.ts'
import { writeKubeconfig } from '../src/api/kubeconfig.ts'
import { startApi, type Api } from '../src/api/server.ts'
import { Namespace } from '../src/resources/kinds.ts'
import type { NamespaceObject } from '../src/resources/kubernetes/types.ts'
import { openEmbeddedStore, type EmbeddedStore } from '../src/store/embedded.ts'
import type { RuntimeChoice } from '../src/workloads/choices.ts'
import { startWorkloads, type Workloads } from '../src/workloads/workloads.ts'
import { kubectlBinary } from './support/kubectl-binary.ts'

/** A control plane for tests: the real store, API and controllers in this process, and the real kubectl against it. */
export interface Cluster {
  readonly directory: string
  readonly store: EmbeddedStore
  readonly workloads: Workloads
  /** Makes the namespace, and a kubeconfig that has it as its own. */
  namespace(name: string): Promise<Kubectl>
  stop(): Promise<void>
}

/** Runs a line by bash with kubectl in its PATH. Never throws for an exit code. */
export type Kubectl = (line: string, stdin?: string) => Promise<CommandResult>

export interface CommandResult {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

const TOKEN = 'test-token-of-an-administrator'

/** Where a kubectl is; undefined on a machine without one. */
export const findKubectl = (): string | undefined => kubectlBinary([33, 32])

export async function startCluster(runtime: RuntimeChoice): Promise<Cluster> {
  // In memory where there is such a place: other tests wait for the same disk.
  const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const directory = mkdtempSync(join(base, 'serin-workloads-'))
  const store = openEmbeddedStore({ directory: join(directory, 'store') })
  const tls = certificatesIn(join(directory, 'tls'), ['localhost', '127.0.0.1'])
  const workloads = await startWorkloads({
    store,
    directory: join(directory, 'pods'),
    imagesFile: join(directory, 'images.json'),
    runtime,
  })
  const api = await startApi({
    store,
    listen: { host: '127.0.0.1', port: 0 },
    tls,
    tokens: [{ token: TOKEN, user: 'admin', role: 'admin' }],
    ...(workloads.pods === undefined ? {} : { pods: workloads.pods }),
    ...(workloads.usage === undefined ? {} : { metrics: workloads.usage }),
  })
  return {
    directory,
    store,
    workloads,
    namespace: (name) => useNamespace({ directory, store, api, authority: tls.authority }, name),
    stop: async () => {
      await workloads.stop()
      await api.close()
      await store.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function useNamespace(
  { directory, store, api, authority }: { directory: string; store: EmbeddedStore; api: Api; authority: string },
  name: string,
): Promise<Kubectl> {
  const namespace: NamespaceObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
  if ((await store.get(Namespace, { name })) === undefined) await store.create(Namespace, namespace)
  const home = join(directory, `home-${name}`)
  mkdirSync(home)
  const kubeconfig = join(home, 'kubeconfig')
  writeKubeconfig(kubeconfig, { server: api.url, authority, token: TOKEN, user: 'admin', namespace: name })
  const kubectl = findKubectl() ?? 'kubectl'
  execFileSync('ln', ['-s', kubectl, join(home, 'kubectl')])
  const env = { PATH: `${home}:${process.env['PATH'] ?? ''}`, HOME: home, KUBECONFIG: kubeconfig }
  return (line, stdin = '') => runLine(line, stdin, env)
}

function runLine(line: string, stdin: string, env: Record<string, string>): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', line], { env, stdio: ['pipe', 'pipe', 'pipe'] })
    const output = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
    child.stdin.on('error', () => {})
    child.stdin.end(stdin)
    child.once('error', reject)
    child.once('close', (code) => resolve({ exit: code ?? -1, ...output }))
  })
}
