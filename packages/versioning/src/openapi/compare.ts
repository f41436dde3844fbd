/** Two OpenAPI documents compared, for a CI that refuses a break without a new version. Pure. */

import type { SpecChange } from './changes.ts'
import { isObject, operationsOf, resolve, type JsonObject, type OpenApiDocument, type Operation } from './document.ts'
import { compareSchemas, type Direction } from './schemas.ts'

/** What clients of `before` would stumble over in `after`; empty if nothing. */
export function breakingChanges(before: OpenApiDocument, after: OpenApiDocument): readonly SpecChange[] {
  return compareDocuments(before, after).filter((change) => change.level === 'breaking')
}

/** Every difference that matters to clients, in the order of the old document's operations, additions last. Throws a `TypeError` if one is no OpenAPI 3 document. */
export function compareDocuments(before: OpenApiDocument, after: OpenApiDocument): readonly SpecChange[] {
  requireOpenApi(before, 'old')
  requireOpenApi(after, 'new')
  const changes: SpecChange[] = []
  const now = new Map(operationsOf(after).map((item) => [keyOf(item), item]))
  const old = operationsOf(before)
  for (const item of old) {
    const add = adder(changes, item)
    const other = now.get(keyOf(item))
    if (other === undefined) add('breaking', 'operation-removed', '', removedSentence(item))
    else compareOperations({ before, after, add }, item, other)
  }
  const known = new Set(old.map(keyOf))
  for (const [key, item] of now)
    if (!known.has(key)) adder(changes, item)('addition', 'operation-added', '', 'the operation is new')
  return changes
}

function requireOpenApi(document: unknown, name: string): void {
  const version = isObject(document) ? document['openapi'] : undefined
  if (typeof version === 'string' && version.startsWith('3.')) return
  throw new TypeError(
    `the ${name} document is no OpenAPI 3 document: its 'openapi' is ${JSON.stringify(version) ?? 'missing'}`,
  )
}

type Add = (level: SpecChange['level'], code: SpecChange['code'], where: string, message: string) => void

interface Comparison {
  readonly before: OpenApiDocument
  readonly after: OpenApiDocument
  readonly add: Add
}

function adder(changes: SpecChange[], { method, path }: Operation): Add {
  return (level, code, where, message) =>
    void changes.push({ level, code, operation: `${method} ${path}`, where, message })
}

/** The names of path parameters do not count. */
function keyOf({ method, path }: Operation): string {
  return `${method} ${path.replaceAll(/\{[^}]*\}/g, '{}')}`
}

function removedSentence({ operation }: Operation): string {
  return operation['deprecated'] === true
    ? 'the operation was removed (it had been deprecated)'
    : 'the operation was removed'
}

function compareOperations(comparison: Comparison, old: Operation, now: Operation): void {
  const { add } = comparison
  if (old.operation['deprecated'] !== true && now.operation['deprecated'] === true)
    add('warning', 'operation-deprecated', '', 'the operation is deprecated now')
  compareParameters(comparison, old, now)
  compareBodies(comparison, old, now)
  compareResponses(comparison, old, now)
  compareSecurity(comparison, old, now)
}

function compareParameters(comparison: Comparison, old: Operation, now: Operation): void {
  const { add } = comparison
  const places = (operation: Operation): ReadonlyMap<string, JsonObject> =>
    new Map(operation.parameters.map((parameter) => [parameterKey(operation, parameter), parameter]))
  const before = places(old)
  const after = places(now)
  for (const [key, parameter] of before) {
    const other = after.get(key)
    const where = `${String(parameter['in'])} parameter ${String(parameter['name'])}`
    if (other === undefined) add('warning', 'parameter-removed', where, 'it was removed and is ignored now')
    else {
      if (parameter['required'] !== true && other['required'] === true)
        add('breaking', 'parameter-required', where, 'clients have to send it now')
      addSchemaChanges(comparison, 'input', where, [parameter['schema'], other['schema']])
    }
  }
  for (const [key, parameter] of after) {
    if (before.has(key)) continue
    const where = `${String(parameter['in'])} parameter ${String(parameter['name'])}`
    if (parameter['required'] === true)
      add('breaking', 'parameter-required', where, 'it is new, and clients have to send it')
    else add('addition', 'parameter-added', where, 'it is new')
  }
}

/** Path parameters are told apart by their position, the rest by name (headers in any case). */
function parameterKey({ path }: Operation, parameter: JsonObject): string {
  const name = String(parameter['name'])
  if (parameter['in'] === 'path')
    return `path ${[...path.matchAll(/\{([^}]*)\}/g)].findIndex((match) => match[1] === name)}`
  return `${String(parameter['in'])} ${parameter['in'] === 'header' ? name.toLowerCase() : name}`
}

function compareBodies(comparison: Comparison, old: Operation, now: Operation): void {
  const { before, after, add } = comparison
  const was = resolve(before, old.operation['requestBody'])
  const is = resolve(after, now.operation['requestBody'])
  if (!isObject(was)) {
    if (isObject(is))
      add(
        is['required'] === true ? 'breaking' : 'addition',
        is['required'] === true ? 'body-required' : 'body-added',
        'body',
        'a body is expected now',
      )
    return
  }
  if (!isObject(is)) {
    add('warning', 'body-removed', 'body', 'the body is ignored now')
    return
  }
  if (was['required'] !== true && is['required'] === true)
    add('breaking', 'body-required', 'body', 'clients have to send it now')
  compareContents(comparison, 'input', 'body', [was['content'], is['content']])
}

function compareResponses(comparison: Comparison, old: Operation, now: Operation): void {
  const { before, after, add } = comparison
  const was = isObject(old.operation['responses']) ? old.operation['responses'] : {}
  const is = isObject(now.operation['responses']) ? now.operation['responses'] : {}
  for (const [status, value] of Object.entries(was)) {
    const where = `response ${status}`
    if (!Object.hasOwn(is, status)) {
      add('breaking', 'status-removed', where, 'this status was removed')
      continue
    }
    const a = resolve(before, value)
    const b = resolve(after, is[status])
    if (!isObject(a) || !isObject(b)) continue
    compareContents(comparison, 'output', where, [a['content'], b['content']])
    const headers = isObject(b['headers']) ? Object.keys(b['headers']).map((header) => header.toLowerCase()) : []
    for (const header of Object.keys(isObject(a['headers']) ? a['headers'] : {})) {
      if (!headers.includes(header.toLowerCase()))
        add('breaking', 'header-removed', `${where}, header ${header}`, 'it was removed')
    }
  }
  for (const status of Object.keys(is))
    if (!Object.hasOwn(was, status)) add('addition', 'status-added', `response ${status}`, 'this status is new')
}

function compareContents(
  comparison: Comparison,
  direction: Direction,
  where: string,
  [old, now]: readonly [unknown, unknown],
): void {
  const { add } = comparison
  const was = isObject(old) ? old : {}
  const is = isObject(now) ? now : {}
  for (const [type, media] of Object.entries(was)) {
    const other = is[type]
    if (!isObject(other)) add('breaking', 'media-type-removed', where, `the media type ${type} was removed`)
    else if (isObject(media)) addSchemaChanges(comparison, direction, where, [media['schema'], other['schema']])
  }
  for (const type of Object.keys(is))
    if (!Object.hasOwn(was, type)) add('addition', 'media-type-added', where, `the media type ${type} is new`)
}

function addSchemaChanges(
  { before, after, add }: Comparison,
  direction: Direction,
  where: string,
  [old, now]: readonly [unknown, unknown],
): void {
  for (const change of compareSchemas({ direction, oldDocument: before, newDocument: after }, old, now)) {
    add(change.level, change.code, change.path === '' ? where : `${where}, ${change.path}`, change.message)
  }
}

/** Security is a list of alternatives; a client that satisfied one of the old ones should satisfy one of the new. */
function compareSecurity({ before, after, add }: Comparison, old: Operation, now: Operation): void {
  const alternatives = (document: OpenApiDocument, operation: Operation): readonly (readonly string[])[] => {
    const list = operation.operation['security'] ?? document['security']
    return Array.isArray(list) && list.length > 0 ? list.map((item) => (isObject(item) ? Object.keys(item) : [])) : [[]]
  }
  const is = alternatives(after, now)
  const lost = alternatives(before, old).some(
    (schemes) => !is.some((other) => other.every((scheme) => schemes.includes(scheme))),
  )
  if (lost)
    add(
      'breaking',
      'security-added',
      '',
      `clients have to authenticate otherwise: ${is.map((schemes) => schemes.join(' and ') || 'nothing').join(', or ')}`,
    )
}
