import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { Namespace, Node } from '../src/resources/kinds.ts'
import { startWorkloads, type Workloads } from '../src/workloads/workloads.ts'
import { ADMIN, openTestApi, type TestApi } from './api-process.ts'
import { documentedDifferences, isMap, matchesText, readCases } from './recorded.ts'
import { kubectlBinary } from './support/kubectl-binary.ts'
import { StandIn } from './workloads-standin.ts'

interface Step {
  readonly cmd: string
  readonly stdin?: string
  readonly record?: boolean
}

interface Expected {
  readonly exit?: unknown
  readonly stdout?: unknown
  readonly stderr?: unknown
  readonly stdout_lines_in_any_order?: boolean
}

interface KubectlCase {
  readonly id: string
  readonly title: string
  readonly files?: Readonly<Record<string, string>>
  readonly steps: readonly Step[]
  readonly expect: readonly (Expected | null)[]
}

interface Result {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

/** A command that takes longer hangs. */
const COMMAND_MS_MAX = 60_000
const CASE_MS_MAX = 240_000

/** The version of the recordings where it is, else any that is recent enough. */
const kubectl = kubectlBinary([32])
const documented = documentedDifferences()

if (kubectl === undefined) {
  test(
    'recorded command lines of kubectl',
    { skip: process.env['CI'] === undefined ? 'left out: there is no kubectl here' : false },
    () => {
      assert.fail('CI is set, and there is no kubectl')
    },
  )
} else {
  describe('recorded command lines of kubectl print the same', { concurrency: 2 }, () => {
    for (const recorded of readCases<KubectlCase>('kubectl.jsonl')) {
      test(`${recorded.id}: ${recorded.title}`, { timeout: CASE_MS_MAX }, () => replay(recorded, kubectl))
    }
  })
}

/** A restart writes the time in seconds, so kubectl refuses a second one in the same second; here a rollout takes less than that. */
const RESTART = /\brollout restart\b/
const RESTART_GRAIN_MS = 1_100
/** Creation times are whole seconds: whether two objects have the same one is chance. */
const BY_CREATION = /--sort-by=\S*creationTimestamp/

async function replay(recorded: KubectlCase, binary: string): Promise<void> {
  const place = await openPlace(binary)
  try {
    for (const [name, text] of Object.entries(recorded.files ?? {})) {
      mkdirSync(dirname(join(place.work, name)), { recursive: true })
      writeFileSync(join(place.work, name), text)
    }
    const hashes = new Map<string, string>()
    const failures: string[] = []
    const known = documented.get(recorded.id)
    let restartedMs = 0
    for (const [index, step] of recorded.steps.entries()) {
      const expected = recorded.expect[index]
      if (RESTART.test(step.cmd) && expected?.exit === 0) {
        await setTimeout(Math.max(0, restartedMs + RESTART_GRAIN_MS - Date.now()))
        restartedMs = Date.now()
      }
      const result = await place.run(step)
      if (expected === null || expected === undefined) continue
      const found = compare(expected, result, hashes, BY_CREATION.test(step.cmd))
      const isKnown = known === 'all' || known?.has(index + 1) === true
      if (found !== undefined && !isKnown) failures.push(`step ${index + 1} $ ${step.cmd}\n${found}`)
      if (found === undefined && isKnown && known !== 'all')
        failures.push(`step ${index + 1} is documented as different, but is the same`)
    }
    assert.equal(failures.join('\n'), '')
  } finally {
    await place.close()
  }
}

interface Place {
  readonly work: string
  run(step: Step): Promise<Result>
  close(): Promise<void>
}

/** A control plane with a stand-in for the kubelet, an empty working directory, and a kubeconfig as in the recordings. */
async function openPlace(binary: string): Promise<Place> {
  const server = await openTestApi()
  const home = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'serin-kubectl-'))
  const work = join(home, 'work')
  mkdirSync(join(home, 'bin'))
  mkdirSync(work)
  symlinkSync(binary, join(home, 'bin/kubectl'))
  writeFileSync(join(home, 'config'), kubeconfig(server))
  await server.store.create(Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'testing' } })
  await server.store.create(Node, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1' } })
  const workloads = await startWorkloads({
    store: server.store,
    directory: join(home, 'pods'),
    imagesFile: join(home, 'images.json'),
    runtime: 'none',
    loadBalancerRange: 'none',
  })
  const standIn = new StandIn(server.store)
  await standIn.synced
  return {
    work,
    run: (step) => run(step, home),
    close: () => close(server, workloads, standIn, home),
  }
}

async function close(server: TestApi, workloads: Workloads, standIn: StandIn, home: string): Promise<void> {
  standIn.end()
  await workloads.stop()
  await server.close()
  rmSync(home, { recursive: true, force: true })
}

function kubeconfig({ api }: TestApi): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: api.url, 'insecure-skip-tls-verify': true } }],
    contexts: [{ name: 'c', context: { cluster: 'c', namespace: 'testing', user: 'u' } }],
    'current-context': 'c',
    preferences: {},
    users: [{ name: 'u', user: { token: ADMIN } }],
  })
}

function run({ cmd, stdin }: Step, home: string): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', cmd], {
      cwd: join(home, 'work'),
      env: {
        PATH: [join(home, 'bin'), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter),
        HOME: home,
        KUBECONFIG: join(home, 'config'),
      },
      timeout: COMMAND_MS_MAX,
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.on('error', reject)
    child.on('close', (code) =>
      resolve({
        exit: code ?? -1,
        stdout: normal(Buffer.concat(out).toString()),
        stderr: normal(Buffer.concat(err).toString()),
      }),
    )
    child.stdin.on('error', () => {}) // It did not read.
    child.stdin.end(stdin ?? '')
  })
}

/** kubectl's own remarks about a wait whose end is its beginning: when the machine is busy. */
const SHORT_WATCH = /^(?:W\d{4} .*very short watch|E\d{4} .*Failed to watch .*context deadline exceeded)/
/** A row of `get hpa`: how many Pods the autoscaler saw, which is none until it looks for the first time. */
const AUTOSCALER_ROW = /(  Deployment\/\S+  .*  \d+  \d+  )\d+(  \S+)$/

/** Blanks as in the recordings (two for more inside a line, none at its end), without what only the speed of the machine decides. */
function normal(text: string): string {
  return text
    .split('\n')
    .filter((line) => !SHORT_WATCH.test(line))
    .map((line) => line.trimEnd().replaceAll(/(?<=\S)(?:[ \t]{2,}|\t)(?=\S)/g, '  '))
    .map((line) => line.replace(AUTOSCALER_ROW, '$1<seen>$2'))
    .join('\n')
}

function compare(
  expected: Expected,
  result: Result,
  hashes: Map<string, string>,
  inAnyOrder: boolean,
): string | undefined {
  const problems: string[] = []
  if (expected.exit !== undefined && !accepts(expected.exit, result.exit, false, hashes)) {
    problems.push(`exit ${result.exit} instead of ${JSON.stringify(expected.exit)}`)
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    const wanted = expected[stream]
    const anyOrder = stream === 'stdout' && (inAnyOrder || expected.stdout_lines_in_any_order === true)
    if (wanted === undefined || accepts(wanted, result[stream], anyOrder, hashes)) continue
    problems.push(
      `${stream}:\n${result[stream]}--- instead of\n${isMap(wanted) ? JSON.stringify(wanted) : String(wanted as string)}`,
    )
  }
  return problems.length === 0 ? undefined : problems.join('\n')
}

function accepts(expected: unknown, actual: string | number, anyOrder: boolean, hashes: Map<string, string>): boolean {
  if (isMap(expected) && Array.isArray(expected['any_of'])) {
    return (expected['any_of'] as unknown[]).some((option) => accepts(option, actual, anyOrder, hashes))
  }
  if (typeof expected !== 'string' || typeof actual !== 'string') return expected === actual
  const wanted = normal(expected)
  if (!anyOrder) return matchesText(wanted, actual, hashes)
  const sorted = (text: string): string => text.split('\n').sort().join('\n')
  return matchesText(sorted(wanted), sorted(actual), hashes)
}
