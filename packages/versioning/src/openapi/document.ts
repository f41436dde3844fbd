/** An OpenAPI 3 document, as far as this library looks into it. */

export type JsonObject = { readonly [key: string]: unknown }

export interface OpenApiDocument extends JsonObject {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly servers?: readonly { readonly url: string }[]
  readonly paths?: { readonly [path: string]: JsonObject }
  readonly components?: JsonObject
}

/** The methods an OpenAPI path item may hold, in the order of the specification. */
const operationMethods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const

export interface Operation {
  readonly path: string
  /** Upper case. */
  readonly method: string
  readonly operation: JsonObject
  /** Of the operation and its path, the operation's own first; references followed. */
  readonly parameters: readonly JsonObject[]
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** References followed in a row before a document counts as circular. */
const referencesMax = 20

/** Follows `$ref` inside the document (`#/components/schemas/Item`); anything else is returned as it is. */
export function resolve(document: JsonObject, value: unknown): unknown {
  let current = value
  for (let step = 0; step < referencesMax; step++) {
    if (!isObject(current) || typeof current['$ref'] !== 'string' || !current['$ref'].startsWith('#')) return current
    current = pointer(document, current['$ref'])
  }
  return {}
}

/** RFC 6901. */
function pointer(document: JsonObject, reference: string): unknown {
  const keys = reference.split('/').slice(1)
  return keys.reduce<unknown>((at, key) => {
    const name = decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~')
    return isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined
  }, document)
}

/** All operations, in the document's order. */
export function operationsOf(document: OpenApiDocument): readonly Operation[] {
  return Object.entries(document.paths ?? {}).flatMap(([path, value]) => {
    const item = resolve(document, value)
    if (!isObject(item)) return []
    return operationMethods.flatMap((method) => {
      const operation = item[method]
      if (!isObject(operation)) return []
      return [{ path, method: method.toUpperCase(), operation, parameters: parametersOf(document, item, operation) }]
    })
  })
}

function parametersOf(document: OpenApiDocument, item: JsonObject, operation: JsonObject): readonly JsonObject[] {
  const found = new Map<string, JsonObject>()
  for (const list of [item['parameters'], operation['parameters']]) {
    if (!Array.isArray(list)) continue
    for (const entry of list) {
      const parameter = resolve(document, entry)
      if (isObject(parameter)) found.set(`${String(parameter['in'])} ${String(parameter['name'])}`, parameter)
    }
  }
  return [...found.values()]
}

/** The schema of a `content` map: JSON if there is any, else the first. */
export function contentSchema(document: JsonObject, content: unknown): unknown {
  if (!isObject(content)) return undefined
  const types = Object.keys(content)
  const type = types.find((name) => /[/+]json\b/.test(name)) ?? types[0]
  const media = type === undefined ? undefined : content[type]
  return isObject(media) ? resolve(document, media['schema']) : undefined
}
