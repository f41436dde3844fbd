/** `serin logs`: of one pod, or of all pods of a Deployment or a selector. */
import type { PodObject } from '../resources/kubernetes/types.ts'
import { Deployment, Pod, ReplicaSet } from '../resources/kinds.ts'
import { pathOf } from '../store/remote.ts'
import type { TransportRequest } from '../store/transport.ts'
import { type Client, failureOf, namespaceOf, openClient } from './client.ts'
import { type Invocation, usageError } from './command.ts'
import { CliError, EXIT } from './exit.ts'
import { linesOf } from '../store/lines.ts'
import { note, print } from './output.ts'
import { durationMs, kindOf } from './targets.ts'

export async function logs(invocation: Invocation): Promise<number> {
  const client = openClient(invocation)
  try {
    const pods = await podsOf(client, invocation)
    if (pods.length === 0) throw new CliError('no pods found', { exitCode: EXIT.notFound, hint: 'serin get pods' })
    const withPrefix = invocation.choice('prefix') ?? pods.length > 1
    const follow = invocation.boolean('follow')
    const show = (pod: string): Promise<void> => showPod(client, invocation, { pod, withPrefix })
    // Followed pods write at the same time; else one after the other, in order.
    if (follow) await Promise.all(pods.map(show))
    else for (const pod of pods) await show(pod)
    return EXIT.done
  } finally {
    client.close()
  }
}

async function podsOf(client: Client, invocation: Invocation): Promise<readonly string[]> {
  const selector = invocation.string('selector')
  const words = invocation.positionals.length === 2 ? [invocation.positionals.join('/')] : invocation.positionals
  const [word] = words
  if (selector !== undefined) return podNames(client, invocation, selector)
  if (word === undefined) throw usageError(invocation.command, 'which pod? For example: deploy/helloworld')
  if (!word.includes('/')) return [word]
  const [kindWord = '', name = ''] = word.split('/')
  const kind = kindOf(kindWord)
  if (kind === Pod) return [name]
  if (kind !== Deployment && kind !== ReplicaSet) {
    throw usageError(invocation.command, `${kindWord} has no logs; name a pod, a deployment or a replicaset`)
  }
  const owner = await client.json<{ spec: { selector: { matchLabels?: Record<string, string> } } }>(
    pathOf(kind, { namespace: namespaceOf(invocation), name }),
  )
  const labels = Object.entries(owner.spec.selector.matchLabels ?? {}).map(([label, value]) => `${label}=${value}`)
  return podNames(client, invocation, labels.join(','))
}

async function podNames(client: Client, invocation: Invocation, selector: string): Promise<readonly string[]> {
  const list = await client.json<{ items: PodObject[] }>(pathOf(Pod, { namespace: namespaceOf(invocation) }), {
    query: { labelSelector: selector },
  })
  return list.items.map((pod) => pod.metadata.name)
}

async function showPod(
  client: Client,
  invocation: Invocation,
  { pod, withPrefix }: { pod: string; withPrefix: boolean },
): Promise<void> {
  const path = pathOf(Pod, { namespace: namespaceOf(invocation), name: pod }, 'log')
  const options = { query: queryOf(invocation), accept: '*/*' }
  const show = (line: string): void => print(withPrefix ? `[pod/${pod}] ${line}\n` : `${line}\n`)
  if (invocation.boolean('follow')) {
    for await (const line of linesOf(client.stream(path, options))) show(line)
    return
  }
  const answer = await client.ask(path, options)
  if (answer.status >= 300) {
    if (!withPrefix) throw failureOf(answer)
    note(`error: ${failureOf(answer).message}`)
    return
  }
  const lines = answer.text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  for (const line of lines) show(line)
}

function queryOf(invocation: Invocation): NonNullable<TransportRequest['query']> {
  const sinceMs = durationMs(invocation, 'since')
  const tail = invocation.integer('tail', { min: -1, max: Number.MAX_SAFE_INTEGER })
  return {
    container: invocation.string('container'),
    follow: invocation.boolean('follow') ? 'true' : undefined,
    previous: invocation.boolean('previous') ? 'true' : undefined,
    timestamps: invocation.boolean('timestamps') ? 'true' : undefined,
    tailLines: tail === undefined || tail < 0 ? undefined : String(tail),
    sinceSeconds: sinceMs === undefined ? undefined : String(Math.max(1, Math.ceil(sinceMs / 1000))),
  }
}
