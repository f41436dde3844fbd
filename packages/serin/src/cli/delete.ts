/** `serin delete`: by kind and name, by labels, or what files name. */
import { setTimeout as sleep } from 'node:timers/promises'

import type { KubeObject } from '../resources/object.ts'
import { pathOf } from '../store/remote.ts'
import { type Client, failureOf, namespaceOf, openClient } from './client.ts'
import { type Invocation, usageError } from './command.ts'
import { CliError, EXIT } from './exit.ts'
import { note, print } from './output.ts'
import { readResources } from './resource-files.ts'
import { displayName, durationMs, type Target, targetsOf } from './targets.ts'

const LOOK_EVERY_MS = 50

interface Doomed extends Required<Target> {
  readonly namespace: string
}

export async function deleteResources(invocation: Invocation): Promise<number> {
  const client = openClient(invocation)
  try {
    const doomed = await findDoomed(client, invocation)
    let missing = 0
    const held: Doomed[] = []
    for (const one of doomed) {
      const outcome = await deleteOne(client, invocation, one)
      if (outcome === 'missing') missing++
      if (outcome === 'held') held.push(one)
    }
    if (doomed.length === 0) note('No resources found')
    if (invocation.choice('wait') ?? true) await waitUntilGone(client, invocation, held)
    return missing > 0 && !invocation.boolean('ignore-not-found') ? EXIT.notFound : EXIT.done
  } finally {
    client.close()
  }
}

async function findDoomed(client: Client, invocation: Invocation): Promise<readonly Doomed[]> {
  const namespace = namespaceOf(invocation)
  const paths = invocation.strings('filename')
  if (paths.length > 0) {
    const { resources } = await readResources(paths)
    return resources
      .map(({ kind, object }) => ({
        kind,
        name: object.metadata.name,
        namespace: object.metadata.namespace ?? namespace,
      }))
      .reverse()
  }
  const targets = targetsOf(invocation, invocation.positionals)
  const selector = invocation.string('selector')
  if (selector === undefined && !invocation.boolean('all')) {
    if (targets.some((target) => target.name === undefined)) {
      throw usageError(invocation.command, 'name what to delete, or give -l SELECTOR or --all')
    }
    return targets.map((target) => ({ kind: target.kind, name: target.name!, namespace }))
  }
  const found: Doomed[] = []
  for (const { kind } of targets) {
    const list = await client.json<{ items: KubeObject[] }>(pathOf(kind, { namespace }), {
      query: { labelSelector: selector },
    })
    found.push(...list.items.map((item) => ({ kind, name: item.metadata.name, namespace })))
  }
  return found
}

/** held: something keeps it for a while (a finalizer, a pod that stops). */
async function deleteOne(
  client: Client,
  invocation: Invocation,
  { kind, name, namespace }: Doomed,
): Promise<'gone' | 'held' | 'missing'> {
  const grace = invocation.integer('grace-period', { min: 0, max: 86_400 })
  const answer = await client.ask(pathOf(kind, { namespace, name }), {
    method: 'DELETE',
    body: {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: 'Background',
      ...(grace !== undefined && { gracePeriodSeconds: grace }),
    },
  })
  if (answer.status === 404) {
    if (!invocation.boolean('ignore-not-found')) note(`error: ${failureOf(answer).message}`)
    return 'missing'
  }
  if (answer.status >= 300) throw failureOf(answer)
  if (invocation.string('output') === 'name') print(displayName(kind, name))
  else print(`${kind.singular}${kind.group === '' ? '' : `.${kind.group}`} "${name}" deleted`)
  const body = JSON.parse(answer.text) as Partial<KubeObject>
  return body.kind === 'Status' || body.metadata?.deletionTimestamp === undefined ? 'gone' : 'held'
}

async function waitUntilGone(client: Client, invocation: Invocation, held: readonly Doomed[]): Promise<void> {
  const limit = performance.now() + (durationMs(invocation, 'timeout') ?? Infinity)
  for (const { kind, name, namespace } of held) {
    while ((await client.find(pathOf(kind, { namespace, name }))) !== undefined) {
      if (performance.now() > limit) {
        throw new CliError(`${displayName(kind, name)} is still there`, { exitCode: EXIT.timedOut })
      }
      await sleep(LOOK_EVERY_MS)
    }
  }
}
