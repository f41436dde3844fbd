/** `serin rollout`: the rolling update of a Deployment, watched and steered as with kubectl. */
import { Deployment, ReplicaSet } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import type { DeploymentObject, ReplicaSetObject } from '../resources/kubernetes/types.ts'
import { pathOf } from '../store/remote.ts'
import { type Client, namespaceOf, openClient } from './client.ts'
import { type Invocation, usageError } from './command.ts'
import { ROLLOUT_ACTIONS } from './commands.ts'
import { CliError, EXIT } from './exit.ts'
import { linesOf } from '../store/lines.ts'
import { print, table } from './output.ts'
import { printChanged } from './patch.ts'
import { rolloutProgress } from './rollout-progress.ts'
import { displayName, durationMs, oneTarget } from './targets.ts'

const REVISION = 'deployment.kubernetes.io/revision'
const CHANGE_CAUSE = 'kubernetes.io/change-cause'
const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt'

interface Subject {
  readonly client: Client
  readonly invocation: Invocation
  readonly name: string
  readonly namespace: string
  readonly path: string
}

const ACTIONS: Readonly<Record<string, (subject: Subject) => Promise<number>>> = {
  status,
  restart,
  undo,
  history,
  pause: (subject) => setPaused(subject, true),
  resume: (subject) => setPaused(subject, false),
}

export async function rollout(invocation: Invocation): Promise<number> {
  const [action, ...words] = invocation.positionals
  const act = action === undefined ? undefined : ACTIONS[action]
  if (act === undefined) throw usageError(invocation.command, `say what to do: ${ROLLOUT_ACTIONS.join(', ')}`)
  const { kind, name } = oneTarget(invocation, words)
  if (kind !== Deployment) throw usageError(invocation.command, `a ${kind.kind} is not rolled out; name a Deployment`)
  const client = openClient(invocation)
  const namespace = namespaceOf(invocation)
  try {
    return await act({ client, invocation, name, namespace, path: pathOf(kind, { namespace, name }) })
  } finally {
    client.close()
  }
}

/** Shows each step once and ends with the rollout: 0 when it is complete, 1 when it failed, 4 when it took too long. */
async function status(subject: Subject): Promise<number> {
  const { client, invocation, name, namespace, path } = subject
  const follow = invocation.choice('watch') ?? true
  const timeoutMs = durationMs(invocation, 'timeout')
  const give = new AbortController()
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => give.abort(), timeoutMs)
  const reporter = new ProgressReporter(invocation, name)
  try {
    const now = await client.json<DeploymentObject>(path)
    if (reporter.sees(now) || !follow) return EXIT.done
    const events = client.stream(pathOf(Deployment, { namespace }), {
      query: { watch: 'true', fieldSelector: `metadata.name=${name}`, resourceVersion: now.metadata.resourceVersion },
      signal: give.signal,
    })
    for await (const line of linesOf(events)) {
      const event = JSON.parse(line) as { type: string; object: DeploymentObject }
      if (event.type === 'DELETED') throw new CliError(`deployment "${name}" was deleted`)
      if (event.type === 'BOOKMARK') continue
      if (event.type === 'ERROR') return await status(subject)
      if (reporter.sees(event.object)) return EXIT.done
    }
    if (give.signal.aborted) {
      throw new CliError(`deployment "${name}" is not rolled out yet`, {
        exitCode: EXIT.timedOut,
        hint: 'serin get pods; serin get events',
      })
    }
    // The API closed the watch: ask again.
    return await status(subject)
  } finally {
    clearTimeout(timer)
    give.abort()
  }
}

class ProgressReporter {
  readonly #name: string
  readonly #revision: string | undefined
  #last = ''

  constructor(invocation: Invocation, name: string) {
    this.#name = name
    this.#revision = invocation.string('revision')
  }

  /** Prints a step that is new; true when the rollout is complete. */
  sees(deployment: DeploymentObject): boolean {
    const revision = deployment.metadata.annotations?.[REVISION]
    if (this.#revision !== undefined && revision !== this.#revision) {
      throw new CliError(`revision ${this.#revision} was replaced by revision ${revision ?? 'none'}`)
    }
    const progress = rolloutProgress(this.#name, deployment)
    if (progress.kind === 'failed') throw new CliError(progress.message, { hint: 'serin get pods; serin get events' })
    if (progress.message !== this.#last) print(progress.message)
    this.#last = progress.message
    return progress.kind === 'complete'
  }
}

async function restart(subject: Subject): Promise<number> {
  const now = await subject.client.json<DeploymentObject>(subject.path)
  if (now.spec.paused === true) {
    throw new CliError(`deployment "${subject.name}" is paused`, {
      hint: `serin rollout resume deploy ${subject.name}`,
    })
  }
  const restartedAt = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  return change(
    subject,
    { spec: { template: { metadata: { annotations: { [RESTARTED_AT]: restartedAt } } } } },
    'restarted',
  )
}

function setPaused(subject: Subject, paused: boolean): Promise<number> {
  return change(subject, { spec: { paused: paused ? true : null } }, paused ? 'paused' : 'resumed')
}

async function change({ client, invocation, name, path }: Subject, body: unknown, done: string): Promise<number> {
  const after = await client.json<KubeObject>(path, {
    method: 'PATCH',
    contentType: 'application/merge-patch+json',
    body,
    query: { fieldManager: 'serin' },
  })
  printChanged(invocation, after, `${displayName(Deployment, name)} ${done}`)
  return EXIT.done
}

async function history(subject: Subject): Promise<number> {
  const sets = await revisionsOf(subject)
  const wanted = subject.invocation.string('revision')
  if (wanted !== undefined) {
    const set = sets.get(Number(wanted))
    if (set === undefined) throw noRevision(subject, wanted, sets)
    printChanged(subject.invocation, set, JSON.stringify(set.spec.template, undefined, 2))
    return EXIT.done
  }
  const rows = [...sets].map(([revision, set]) => [
    String(revision),
    set.metadata.annotations?.[CHANGE_CAUSE] ?? '<none>',
  ])
  print(`${displayName(Deployment, subject.name)}\n${table(['REVISION', 'CHANGE-CAUSE'], rows)}`)
  return EXIT.done
}

/** The template of an earlier ReplicaSet becomes the Deployment's again. */
async function undo(subject: Subject): Promise<number> {
  const { client, invocation, name, path } = subject
  const sets = await revisionsOf(subject)
  const wanted = invocation.integer('to-revision', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0
  const revision = wanted === 0 ? [...sets.keys()].at(-2) : wanted
  const set = revision === undefined ? undefined : sets.get(revision)
  if (set === undefined) {
    if (wanted === 0) throw new CliError(`no earlier revision of deployment "${name}" is known`)
    throw noRevision(subject, String(wanted), sets)
  }
  const template = structuredClone(set.spec.template ?? { spec: { containers: [] } })
  delete template.metadata?.labels?.['pod-template-hash']
  const after = await client.json<KubeObject>(path, {
    method: 'PATCH',
    contentType: 'application/json-patch+json',
    body: [{ op: 'replace', path: '/spec/template', value: template }],
    query: { fieldManager: 'serin' },
  })
  printChanged(invocation, after, `${displayName(Deployment, name)} rolled back`)
  return EXIT.done
}

function noRevision({ name }: Subject, wanted: string, sets: ReadonlyMap<number, unknown>): CliError {
  return new CliError(`deployment "${name}" has no revision ${wanted}; it has ${[...sets.keys()].join(', ')}`, {
    exitCode: EXIT.notFound,
  })
}

/** The Deployment's ReplicaSets by revision, oldest first. */
async function revisionsOf({ client, name, namespace, path }: Subject): Promise<ReadonlyMap<number, ReplicaSetObject>> {
  const deployment = await client.json<DeploymentObject>(path)
  const list = await client.json<{ items: ReplicaSetObject[] }>(pathOf(ReplicaSet, { namespace }))
  const owned = list.items.filter((set) =>
    set.metadata.ownerReferences?.some((owner) => owner.controller === true && owner.uid === deployment.metadata.uid),
  )
  const revisions = owned
    .map((set) => [Number(set.metadata.annotations?.[REVISION]), set] as const)
    .filter(([revision]) => Number.isInteger(revision))
    .sort(([left], [right]) => left - right)
  if (revisions.length === 0) throw new CliError(`deployment "${name}" has no revisions yet`)
  return new Map(revisions)
}
