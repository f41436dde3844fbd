import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { CaseRun, differences, isRecord, type DeploymentCase, type Observation } from './deployments-case.ts'
import { findKubectl, startCluster, type Cluster } from './workloads-cluster.ts'
import { StandIn } from './workloads-standin.ts'

/**
 * What a real Kubernetes 1.34 control plane did, case by case (conformance/kubernetes/deployments.jsonl), done by ours: real store, API and
 * controllers, real kubectl, and a stand-in for the kubelet. `npm test -- deployments` runs them all; CASE=dep-roll-4 only those that begin so.
 */

/** Cases at once: each waits more than it works. */
const CASES_AT_ONCE = 6

/** Cases that cannot be run here, with the reason. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'dep-rs-quota': 'serin has no ResourceQuota (docs/reference/kubernetes.md)',
}

/** Deadlines of two or three seconds are for a machine that does nothing else: times in such a case are longer here. */
const PATIENCE = 4
const DEADLINE = /progressDeadlineSeconds: (\d)\n/

function patient(recorded: DeploymentCase): DeploymentCase {
  if (!DEADLINE.test(recorded.setup)) return recorded
  return {
    ...recorded,
    setup: recorded.setup.replace(
      DEADLINE,
      (_line, seconds: string) => `progressDeadlineSeconds: ${String(Number(seconds) * PATIENCE)}\n`,
    ),
    steps: recorded.steps.map((step) => ({
      ...step,
      ...(step.seconds === undefined ? {} : { seconds: step.seconds * PATIENCE }),
      ...(step.timeout === undefined ? {} : { timeout: step.timeout * PATIENCE }),
    })),
  }
}

const root = join(import.meta.dirname, '../../../..')
const cases = readFileSync(join(root, 'conformance/kubernetes/deployments.jsonl'), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => patient(JSON.parse(line) as DeploymentCase))
  .filter(({ id }) => id.startsWith(process.env['CASE'] ?? ''))

const hasKubectl = findKubectl() !== undefined
if (!hasKubectl && process.env['CI'] !== undefined) throw new Error('these tests need kubectl')

describe(
  'recorded Deployments',
  { concurrency: CASES_AT_ONCE, skip: hasKubectl ? false : 'kubectl is not installed' },
  () => {
    let cluster: Cluster
    let standIn: StandIn

    before(async () => {
      cluster = await startCluster('none')
      standIn = new StandIn(cluster.store)
      await standIn.synced
    })

    after(async () => {
      standIn.end()
      await cluster.stop()
    })

    for (const recorded of cases) {
      test(`${recorded.id}: ${recorded.title}`, { skip: LEFT_OUT[recorded.id] ?? false }, async () => {
        const namespace = `case-${recorded.id}`
        const kubectl = await cluster.namespace(namespace)
        const run = new CaseRun({
          namespace,
          kubectl,
          standIn,
          store: cluster.store,
          isIdleIn: (name) => cluster.workloads.isIdleIn(name),
        })
        const observed = await run.run(recorded)
        assert.deepEqual(compare(recorded, observed), [])
      })
    }
  },
)

function compare({ expect, exact_actions: exact }: DeploymentCase, observed: Observation): readonly string[] {
  const steps = expect['steps'] as readonly Readonly<Record<string, unknown>>[]
  return [
    ...state(expect['setup'], observed.setup, { path: 'setup', exact: true }),
    ...steps.flatMap((step, index) =>
      state(step, observed.steps[index], { path: `steps[${String(index)}]`, exact: exact[index] === true }),
    ),
    ...differences(expect['replicasets'], observed['replicasets'], 'replicasets'),
    // Where the real controllers interleaved differently from run to run, so did their events.
    ...(exact.includes(false) || expect['events'] === undefined
      ? []
      : differences(expect['events'], observed['events'], 'events')),
    // Counts that differed between the real runs are not in the recording.
    ...state(expect['rs_events'], observed['rs_events'], { path: 'rs_events', exact: true }),
    ...bounds(expect, observed),
    ...trace(expect['status_trace'], observed['status_trace']),
  ]
}

/** What the recording says of a state; what it leaves out is not looked at. */
function state(
  expected: unknown,
  observed: unknown,
  { path, exact }: { path: string; exact: boolean },
): readonly string[] {
  if (!isRecord(expected) || !isRecord(observed)) return [`${path}: is missing`]
  return Object.keys(expected)
    .filter((part) => part !== 'actions' || exact)
    .flatMap((part) => differences(expected[part], observed[part], `${path}.${part}`))
}

function bounds(expect: Readonly<Record<string, unknown>>, observed: Observation): readonly string[] {
  const limits = expect['bounds']
  const seen = observed['invariants']
  if (!isRecord(limits) || !isRecord(seen)) return []
  const found: string[] = []
  if (Number(seen['max_sum_of_rs_spec']) > Number(limits['max_total']))
    found.push(`more than ${String(limits['max_total'])} replicas`)
  const fewest = seen['min_ready_after_first_full']
  if (fewest !== null && Number(fewest) < Number(limits['min_available']))
    found.push(`only ${JSON.stringify(fewest)} ready`)
  return found
}

/** Every change of a ReplicaSet's numbers, where the real ones were the same in every run. */
function trace(expected: unknown, observed: unknown): readonly string[] {
  if (!Array.isArray(expected) || !Array.isArray(observed)) return []
  return expected.flatMap((entry: unknown, index) =>
    entry === null ? [] : differences(entry, observed[index], `status_trace[${String(index)}]`),
  )
}
