/** `serin explain`: which Mapping takes a request, and why; of the running serin or of files. */
import { createCompiler } from '../compile/compile.ts'
import { explain as explainRequest, type ExplainRequest } from '../compile/explain.ts'
import { explanationText } from '../compile/explain-text.ts'
import type { KubeObject } from '../resources/object.ts'
import { openClient } from './client.ts'
import { type Invocation, usageError } from './command.ts'
import { EXIT } from './exit.ts'
import { gatewayObjects } from './gateway-objects.ts'
import { print } from './output.ts'
import { readResources } from './resource-files.ts'

const METHOD = /^[A-Z]+$/

export async function explain(invocation: Invocation): Promise<number> {
  const request = requestOf(invocation)
  const format = invocation.string('output') ?? 'text'
  if (format !== 'text' && format !== 'json') {
    throw usageError(invocation.command, `-o takes text or json, not "${format}"`)
  }
  const files = invocation.strings('filename')
  const objects = files.length > 0 ? await objectsOfFiles(files) : await objectsOfSerin(invocation)
  const { snapshot } = createCompiler().compile({ objects })
  const explanation = explainRequest(snapshot, request)
  print(format === 'json' ? JSON.stringify(explanation, undefined, 2) : explanationText(explanation))
  return EXIT.done
}

/** `'GET http://host/path'`, `GET /path`, or `/path`. */
function requestOf(invocation: Invocation): ExplainRequest {
  const words = invocation.positionals.flatMap((positional) => positional.trim().split(/\s+/))
  const [first = '', second] = words
  const method = METHOD.test(first) ? first : undefined
  const url = method === undefined ? first : second
  if (url === undefined || url === '' || words.length > 2) {
    throw usageError(invocation.command, "say which request: 'GET http://localhost:8080/helloworld/'")
  }
  return {
    url,
    ...(method !== undefined && { method }),
    headers: invocation.strings('header').map((header): readonly [string, string] => {
      const colon = header.indexOf(':')
      if (colon < 1) throw usageError(invocation.command, `-H takes 'NAME: VALUE', not "${header}"`)
      return [header.slice(0, colon).trim(), header.slice(colon + 1).trim()]
    }),
  }
}

async function objectsOfFiles(paths: readonly string[]): Promise<readonly KubeObject[]> {
  const { resources } = await readResources(paths)
  return resources.map(({ object }) => object)
}

async function objectsOfSerin(invocation: Invocation): Promise<readonly KubeObject[]> {
  const client = openClient(invocation)
  try {
    return await gatewayObjects(client)
  } finally {
    client.close()
  }
}
