/** `serin patch`: some fields of one object. */
import { parse } from 'yaml'

import type { KubeObject } from '../resources/object.ts'
import { pathOf } from '../store/remote.ts'
import { namespaceOf, openClient } from './client.ts'
import { type Invocation, usageError } from './command.ts'
import { EXIT } from './exit.ts'
import { print } from './output.ts'
import { yamlOf } from './yaml.ts'
import { displayName, oneTarget } from './targets.ts'

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
}
/** Kinds of these groups are no custom resources: they have merge keys. */
const BUILT_IN_GROUPS: ReadonlySet<string> = new Set([
  '',
  'apps',
  'autoscaling',
  'discovery.k8s.io',
  'coordination.k8s.io',
])

export async function patch(invocation: Invocation): Promise<number> {
  const { kind, name } = oneTarget(invocation, invocation.positionals)
  const type = invocation.string('type') ?? (BUILT_IN_GROUPS.has(kind.group) ? 'strategic' : 'merge')
  const contentType = CONTENT_TYPES[type]
  if (contentType === undefined) {
    throw usageError(invocation.command, `--type takes ${Object.keys(CONTENT_TYPES).join(', ')}, not "${type}"`)
  }
  const body = patchBody(invocation)
  const client = openClient(invocation)
  try {
    const path = pathOf(kind, { namespace: namespaceOf(invocation), name })
    const before = await client.json<KubeObject>(path)
    const after = await client.json<KubeObject>(path, {
      method: 'PATCH',
      contentType,
      body,
      query: { fieldManager: 'serin', dryRun: invocation.boolean('dry-run') ? 'All' : undefined },
    })
    const changed = before.metadata.resourceVersion !== after.metadata.resourceVersion
    printChanged(invocation, after, `${displayName(kind, name)} patched${changed ? '' : ' (no change)'}`)
    return EXIT.done
  } finally {
    client.close()
  }
}

function patchBody(invocation: Invocation): unknown {
  const text = invocation.string('patch')
  if (text === undefined) throw usageError(invocation.command, `say what to change: -p '{"spec":{"weight":50}}'`)
  try {
    return parse(text)
  } catch (error) {
    throw usageError(invocation.command, `the patch is neither JSON nor YAML: ${(error as Error).message}`)
  }
}

/** The object as -o wants it, else the sentence. */
export function printChanged(invocation: Invocation, object: KubeObject, sentence: string): void {
  const format = invocation.string('output')
  if (format === 'json') print(JSON.stringify(object, undefined, 4))
  else if (format === 'yaml') print(yamlOf(object))
  else if (format === 'name') print(sentence.split(' ')[0]!)
  else if (format === undefined) print(sentence)
  else throw usageError(invocation.command, `-o takes json, yaml or name, not "${format}"`)
}
