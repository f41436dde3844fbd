/** `serin get`: tables as the API makes them (the same columns as kubectl's), or the objects themselves. */
import { yamlOf } from './yaml.ts'

import type { Kind } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { pathOf } from '../store/remote.ts'
import { type Client, failureOf, namespaceOf, openClient } from './client.ts'
import { type Invocation, usageError } from './command.ts'
import { CliError, EXIT } from './exit.ts'
import { linesOf } from '../store/lines.ts'
import { note, print, table } from './output.ts'
import { displayName, type Target, targetsOf } from './targets.ts'

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
const FORMATS = ['wide', 'json', 'yaml', 'name'] as const
type Format = 'table' | (typeof FORMATS)[number]

/** meta.k8s.io/v1 Table, as far as it is shown. */
interface Table {
  readonly metadata?: { readonly resourceVersion?: string }
  readonly columnDefinitions: readonly { readonly name: string; readonly priority?: number }[]
  readonly rows: readonly { readonly cells: readonly unknown[]; readonly object?: KubeObject }[]
}

interface ObjectList {
  readonly metadata: { readonly resourceVersion?: string }
  readonly items: readonly KubeObject[]
}

interface Request {
  readonly client: Client
  readonly invocation: Invocation
  readonly format: Format
  /** undefined: all. */
  readonly namespace: string | undefined
  readonly targets: readonly Target[]
}

export async function get(invocation: Invocation): Promise<number> {
  const client = openClient(invocation)
  const request: Request = {
    client,
    invocation,
    format: formatOf(invocation),
    namespace: invocation.boolean('all-namespaces') ? undefined : namespaceOf(invocation),
    targets: targetsOf(invocation, invocation.positionals),
  }
  try {
    if (invocation.boolean('watch')) return await watch(request)
    return request.format === 'table' || request.format === 'wide'
      ? await showTables(request)
      : await showObjects(request)
  } finally {
    client.close()
  }
}

function formatOf(invocation: Invocation): Format {
  const text = invocation.string('output') ?? 'table'
  if (text === 'table' || (FORMATS as readonly string[]).includes(text)) return text as Format
  throw usageError(invocation.command, `-o takes ${FORMATS.join(', ')}, not "${text}"`)
}

async function showTables(request: Request): Promise<number> {
  const { client, targets } = request
  let shown = 0
  let missing = 0
  const withKind = new Set(targets.map((target) => target.kind)).size > 1
  for (const group of byKind(targets)) {
    const tables: Table[] = []
    for (const target of group) {
      const answer = await client.ask(...queryOf(request, target, TABLE))
      if (answer.status === 404 && target.name !== undefined) {
        if (!request.invocation.boolean('ignore-not-found')) note(`error: ${failureOf(answer).message}`)
        missing++
        continue
      }
      if (answer.status >= 300) throw failureOf(answer)
      tables.push(JSON.parse(answer.text) as Table)
    }
    const rows = tables.flatMap((one) => one.rows)
    if (rows.length === 0) continue
    if (shown > 0) print('\n')
    shown += rows.length
    print(renderTable(request, { ...tables[0]!, rows }, { kind: group[0]!.kind, withKind, withHeads: true }))
  }
  if (shown === 0 && missing === 0) note(nothingFound(request))
  return missing > 0 && !request.invocation.boolean('ignore-not-found') ? EXIT.notFound : EXIT.done
}

function nothingFound({ namespace }: Request): string {
  return namespace === undefined ? 'No resources found' : `No resources found in ${namespace} namespace.`
}

function byKind(targets: readonly Target[]): readonly (readonly Target[])[] {
  const groups = new Map<Kind, Target[]>()
  for (const target of targets) {
    const group = groups.get(target.kind)
    if (group === undefined) groups.set(target.kind, [target])
    else group.push(target)
  }
  return [...groups.values()]
}

function queryOf(request: Request, target: Target, accept: string): Parameters<Client['ask']> {
  const { invocation } = request
  const namespace = target.name === undefined ? request.namespace : (request.namespace ?? namespaceOf(invocation))
  return [
    pathOf(target.kind, { namespace, ...(target.name !== undefined && { name: target.name }) }),
    {
      accept,
      ...(target.name === undefined && {
        query: {
          labelSelector: invocation.string('selector'),
          fieldSelector: invocation.string('field-selector'),
        },
      }),
    },
  ]
}

interface RenderOptions {
  readonly kind: Kind
  readonly withKind: boolean
  readonly withHeads: boolean
}

function renderTable(request: Request, { columnDefinitions, rows }: Table, options: RenderOptions): string {
  const { invocation, format } = request
  const wide = format === 'wide'
  const columns = columnDefinitions
    .map((column, index) => ({ ...column, index }))
    .filter((column) => wide || (column.priority ?? 0) === 0)
  const withNamespace = request.namespace === undefined && options.kind.namespaced
  const withLabels = invocation.boolean('show-labels')
  const heads = [
    ...(withNamespace ? ['NAMESPACE'] : []),
    ...columns.map((column) => column.name.toUpperCase()),
    ...(withLabels ? ['LABELS'] : []),
  ]
  const lines = rows.map((row) => [
    ...(withNamespace ? [row.object?.metadata.namespace ?? ''] : []),
    ...columns.map(({ index }) =>
      cellText(row.cells[index], index === 0 && options.withKind ? options.kind : undefined),
    ),
    ...(withLabels ? [labelsText(row.object)] : []),
  ])
  return table(heads, lines, options.withHeads && !invocation.boolean('no-headers'))
}

function cellText(cell: unknown, kind: Kind | undefined): string {
  const text = cell === null || cell === undefined ? '<none>' : typeof cell === 'string' ? cell : JSON.stringify(cell)
  return kind === undefined ? text : displayName(kind, text)
}

function labelsText(object: KubeObject | undefined): string {
  const labels = Object.entries(object?.metadata.labels ?? {}).map(([name, value]) => `${name}=${value}`)
  return labels.length === 0 ? '<none>' : labels.join(',')
}

async function showObjects(request: Request): Promise<number> {
  const items: KubeObject[] = []
  let missing = 0
  for (const target of request.targets) {
    const answer = await request.client.ask(...queryOf(request, target, 'application/json'))
    if (answer.status === 404 && target.name !== undefined) {
      if (!request.invocation.boolean('ignore-not-found')) note(`error: ${failureOf(answer).message}`)
      missing++
      continue
    }
    if (answer.status >= 300) throw failureOf(answer)
    const found = JSON.parse(answer.text) as KubeObject | ObjectList
    if ('items' in found) items.push(...found.items.map((item) => ({ ...headOf(target.kind), ...item })))
    else items.push(found)
  }
  const single = request.targets.length === 1 && request.targets[0]?.name !== undefined
  if (!single || items.length > 0) printObjects(request.format, single ? items[0]! : items)
  return missing > 0 && !request.invocation.boolean('ignore-not-found') ? EXIT.notFound : EXIT.done
}

/** Items of a list come without it. */
function headOf(kind: Kind): { apiVersion: string; kind: string } {
  return { apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}`, kind: kind.kind }
}

function printObjects(format: Format, found: KubeObject | readonly KubeObject[]): void {
  const items = (Array.isArray(found) ? found : [found]) as readonly KubeObject[]
  if (format === 'name') {
    print(items.map((item) => `${nameOf(item)}\n`).join(''))
    return
  }
  const body = Array.isArray(found)
    ? { apiVersion: 'v1', items: found, kind: 'List', metadata: { resourceVersion: '' } }
    : found
  print(format === 'yaml' ? yamlOf(body) : `${JSON.stringify(body, undefined, 4)}\n`)
}

function nameOf(object: KubeObject): string {
  const group = object.apiVersion.includes('/') ? `.${object.apiVersion.split('/')[0]}` : ''
  return `${object.kind.toLowerCase()}${group}/${object.metadata.name}`
}

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: unknown
}

/** Lists, then follows. Ends when the connection does, or by Ctrl-C. */
async function watch(request: Request): Promise<number> {
  const [target, another] = request.targets
  if (target === undefined || another !== undefined) {
    throw usageError(request.invocation.command, '-w watches one kind, or one object')
  }
  const asTable = request.format === 'table' || request.format === 'wide'
  const [path, options] = queryOf(request, target, asTable ? TABLE : 'application/json')
  const collection = pathOf(target.kind, { namespace: request.namespace })
  const query = {
    ...options?.query,
    ...(target.name !== undefined && { fieldSelector: `metadata.name=${target.name}` }),
  }
  const printer = new WatchPrinter(request, target.kind)
  const list = await request.client.json<Table | ObjectList>(target.name === undefined ? path : collection, {
    ...options,
    query,
  })
  printer.list(list)
  const body = request.client.stream(collection, {
    ...options,
    query: { ...query, watch: 'true', resourceVersion: list.metadata?.resourceVersion },
  })
  for await (const line of linesOf(body)) printer.event(JSON.parse(line) as WatchEvent)
  return EXIT.done
}

class WatchPrinter {
  readonly #request: Request
  readonly #kind: Kind
  #columns: Table['columnDefinitions'] = []
  #withHeads = true

  constructor(request: Request, kind: Kind) {
    this.#request = request
    this.#kind = kind
  }

  list(list: Table | ObjectList): void {
    if ('items' in list) for (const item of list.items) this.#object({ ...headOf(this.#kind), ...item })
    else this.#table(list)
  }

  event(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') return
    if (event.type === 'ERROR') throw new CliError((event.object as { message?: string }).message ?? 'the watch ended')
    const object = event.object as Table | KubeObject
    if ('rows' in object) this.#table(object)
    else this.#object(object)
  }

  #table(table: Table): void {
    // Only the first event of a watch carries the columns.
    if (table.columnDefinitions?.length > 0) this.#columns = table.columnDefinitions
    if (table.rows.length === 0) return
    const options = { kind: this.#kind, withKind: false, withHeads: this.#withHeads }
    print(renderTable(this.#request, { ...table, columnDefinitions: this.#columns }, options))
    this.#withHeads = false
  }

  #object(object: KubeObject): void {
    if (this.#request.format === 'json') print(`${JSON.stringify(object)}\n`)
    else if (this.#request.format === 'yaml') print(`---\n${yamlOf(object)}`)
    else print(`${nameOf(object)}\n`)
  }
}
