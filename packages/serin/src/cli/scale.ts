/** `serin scale`: the number of replicas, through the scale subresource. */
import type { KubeObject } from '../resources/object.ts'
import { pathOf } from '../store/remote.ts'
import { namespaceOf, openClient } from './client.ts'
import { type Invocation, usageError } from './command.ts'
import { CliError, EXIT } from './exit.ts'
import { print } from './output.ts'
import { displayName, oneTarget } from './targets.ts'

const REPLICAS_MAX = 100_000

interface Scale extends KubeObject {
  spec: { replicas?: number }
}

export async function scale(invocation: Invocation): Promise<number> {
  const { kind, name } = oneTarget(invocation, invocation.positionals)
  const replicas = invocation.integer('replicas', { min: 0, max: REPLICAS_MAX })
  if (replicas === undefined) throw usageError(invocation.command, 'say how many: --replicas N')
  if (!kind.subresources.includes('scale')) throw usageError(invocation.command, `a ${kind.kind} has no replicas`)
  const client = openClient(invocation)
  try {
    const path = pathOf(kind, { namespace: namespaceOf(invocation), name }, 'scale')
    const wanted = invocation.integer('current-replicas', { min: 0, max: REPLICAS_MAX })
    const now = await client.json<Scale>(path)
    if (wanted !== undefined && (now.spec.replicas ?? 0) !== wanted) {
      throw new CliError(`${displayName(kind, name)} has ${now.spec.replicas ?? 0} replicas, not ${wanted}`)
    }
    await client.json(path, {
      method: 'PATCH',
      contentType: 'application/merge-patch+json',
      body: { spec: { replicas } },
      query: { fieldManager: 'serin' },
    })
    print(`${displayName(kind, name)} scaled`)
    return EXIT.done
  } finally {
    client.close()
  }
}
