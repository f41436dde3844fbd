/** Reading a patch from a request. */
import type { IncomingMessage } from 'node:http'
import { isCustom } from '../resources/kubernetes/custom.ts'
import { JsonSyntaxError, scanJson } from '../resources/kubernetes/go-json.ts'
import { StoreError, type Patch } from '../store/store.ts'
import { readBody } from './body.ts'
import { parseYaml } from './decode.ts'
import { isTrue } from './options.ts'
import type { ResourceRoute } from './route.ts'

const TYPES: Readonly<Record<string, Patch['type']>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
}

/** Throws StoreError `UnsupportedMediaType`, `BadRequest`. */
export async function readPatch(
  route: ResourceRoute,
  request: IncomingMessage,
  query: URLSearchParams,
): Promise<Patch> {
  const type = patchType(route, request.headers['content-type'])
  const text = await readBody(request)
  switch (type) {
    case 'apply':
      return { type, body: parseYaml(text), force: isTrue(query.get('force')) }
    case 'strategic':
      return { type, body: objectIn(text, '') }
    case 'merge':
      return { type, body: objectIn(text, 'error decoding patch: '), duplicates: scanJson(text) }
    case 'json':
      return { type, body: valueIn(text, 'error decoding patch: ') }
  }
}

function patchType({ kind }: ResourceRoute, contentType: string | undefined): Patch['type'] {
  const type = TYPES[(contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '']
  const accepted = Object.keys(TYPES).filter((name) => TYPES[name] !== 'strategic' || !isCustom(kind))
  if (type !== undefined && (type !== 'strategic' || !isCustom(kind))) return type
  if (type === undefined) throw new StoreError('UnsupportedMediaType', '415: Unsupported Media Type')
  throw new StoreError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  )
}

function valueIn(text: string, prefix: string): unknown {
  try {
    scanJson(text)
    return JSON.parse(text) as unknown
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw new StoreError('BadRequest', prefix + error.message)
    throw error
  }
}

function objectIn(text: string, prefix: string): unknown {
  const value = valueIn(text, prefix)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  const what =
    value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
  throw new StoreError(
    'BadRequest',
    `${prefix}json: cannot unmarshal ${what} into Go value of type map[string]interface {}`,
  )
}
