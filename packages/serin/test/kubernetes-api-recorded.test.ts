import assert from 'node:assert/strict'
import { request, type RequestOptions } from 'node:https'
import { describe, test } from 'node:test'
import type { KubeObject } from '../src/resources/object.ts'
import { ConfigMap, findKind, Namespace } from '../src/resources/kinds.ts'
import { startWorkloads } from '../src/workloads/workloads.ts'
import { ADMIN, openTestApi, type TestApi } from './api-process.ts'
import { difference, documentedDifferences, isMap, readCases } from './recorded.ts'

interface Step {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly pick?: readonly string[]
  readonly save?: Readonly<Record<string, string>>
  readonly watch_seconds?: number
}

interface Expected {
  readonly status: number
  readonly content_type?: string
  readonly warnings?: readonly string[]
  readonly body?: unknown
  readonly pick?: Readonly<Record<string, unknown>>
  readonly text?: string
  readonly events?: readonly unknown[]
  readonly [header: string]: unknown
}

interface HttpCase {
  readonly id: string
  readonly title: string
  readonly setup?: readonly KubeObject[]
  readonly steps: readonly Step[]
  readonly expect: readonly Expected[]
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

const documented = documentedDifferences()

describe('recorded exchanges with a real API server are answered the same', { concurrency: 2 }, () => {
  for (const recorded of readCases<HttpCase>('http.jsonl')) {
    test(`${recorded.id}: ${recorded.title}`, { timeout: 60_000 }, () => replay(recorded))
  }
})

async function replay(recorded: HttpCase): Promise<void> {
  const server = await openTestApi()
  const { store, directory } = server
  const workloads = await startWorkloads({ store, directory, imagesFile: `${directory}/images.json`, runtime: 'none' })
  try {
    await server.store.create(
      Namespace,
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'testing' } },
      { fieldManager: 'unknown' },
    )
    for (const object of recorded.setup ?? []) await create(server, object)
    const saved: Record<string, string> = {}
    const failures: string[] = []
    for (const [index, step] of recorded.steps.entries()) {
      const expected = recorded.expect[index]
      assert.ok(expected !== undefined)
      const answer = await send(server, step, saved)
      const found = compare(step, expected, answer, saved)
      const known = documented.get(recorded.id)
      const isKnown = known === 'all' || known?.has(index + 1) === true
      if (found !== undefined && !isKnown) failures.push(`step ${index + 1} ${step.method} ${step.path}: ${found}`)
      if (found === undefined && isKnown && known !== 'all')
        failures.push(`step ${index + 1} is documented as different, but is the same`)
    }
    assert.equal(failures.join('\n'), '')
  } finally {
    await workloads.stop()
    await server.close()
  }
}

async function create({ store }: TestApi, object: KubeObject): Promise<void> {
  const kind = findKind(object.apiVersion, object.kind) ?? ConfigMap
  await store.create(
    kind,
    { ...object, metadata: { ...object.metadata, namespace: 'testing' } },
    { fieldManager: 'unknown' },
  )
}

function filled(text: string, saved: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => saved[name] ?? '')
}

function send(server: TestApi, step: Step, saved: Record<string, string>): Promise<Answer> {
  const { host, port } = server.api.address
  const body = bodyOf(step.body, saved)
  const headers: Record<string, string> = { accept: 'application/json', authorization: `Bearer ${ADMIN}` }
  for (const [name, value] of Object.entries(step.headers ?? {})) {
    if (value === '') delete headers[name.toLowerCase()]
    else headers[name.toLowerCase()] = value
  }
  if (body !== undefined) headers['content-length'] = String(Buffer.byteLength(body))
  const options: RequestOptions = {
    host,
    port,
    method: step.method,
    path: filled(step.path, saved),
    headers,
    ca: server.certificates.authority,
    agent: false,
  }
  return new Promise((resolve, reject) => {
    const sent = request(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
        }),
      )
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** `@N` is N times `x`. */
function bodyOf(body: unknown, saved: Readonly<Record<string, string>>): string | undefined {
  if (body === undefined) return undefined
  const text = typeof body === 'string' ? body : spacedJson(body)
  return filled(text, saved).replaceAll(/"@(\d+)"/g, (_, count: string) => `"${'x'.repeat(Number(count))}"`)
}

/** With blanks after `:` and `,`, as the recording sent it: some answers quote the body. */
function spacedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(', ')}]`
  if (!isMap(value)) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, child]) => `${JSON.stringify(key)}: ${spacedJson(child)}`)
    .join(', ')}}`
}

function compare(step: Step, expected: Expected, answer: Answer, saved: Record<string, string>): string | undefined {
  if (answer.status !== expected.status)
    return `status ${answer.status} instead of ${expected.status}: ${answer.text.slice(0, 600)}`
  const type = answer.headers['content-type']
  if (expected.content_type !== undefined && type !== expected.content_type) return `content type ${String(type)}`
  if (expected['retry-after'] !== undefined && answer.headers['retry-after'] !== expected['retry-after'])
    return 'Retry-After'
  const warnings = [answer.headers['warning'] ?? []].flat().flatMap((text) => text.split(/, (?=299)/))
  const inWarnings = difference(expected.warnings ?? [], warnings, 'warnings')
  if (inWarnings !== undefined) return inWarnings
  if (expected.text !== undefined) return difference(expected.text, answer.text)
  if (expected.events !== undefined) return compareEvents(step, expected.events, answer.text)
  const value = JSON.parse(answer.text) as unknown
  for (const [name, path] of Object.entries(step.save ?? {})) saved[name] = String(pick(value, path))
  if (expected.pick !== undefined) return comparePicks(step.pick ?? [], expected.pick, value, saved)
  return expected.body === undefined ? undefined : difference(sortedManagers(expected.body), sortedManagers(value))
}

function comparePicks(
  paths: readonly string[],
  expected: Readonly<Record<string, unknown>>,
  value: unknown,
  saved: Readonly<Record<string, string>>,
): string | undefined {
  for (const path of paths) {
    const [, plain, equal] = /^(.*?)=(\$\{\w+\})$/.exec(path) ?? []
    const found =
      plain === undefined ? pick(sortedManagers(value), path) : pick(value, plain) === filled(equal ?? '', saved)
    const wanted = expected[path]
    const inPick = difference(wanted ?? null, found ?? null, path)
    if (inPick !== undefined) return inPick
  }
  return undefined
}

function compareEvents(step: Step, expected: readonly unknown[], text: string): string | undefined {
  const events = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown)
  const picked = events.map((event) =>
    step.pick === undefined ? event : Object.fromEntries(step.pick.map((path) => [path, pick(event, path) ?? null])),
  )
  return difference(expected, picked, 'events')
}

/** `a.b[*].c`; absent is null in lists. */
function pick(value: unknown, path: string): unknown {
  const [head = '', ...rest] = path.split('[*]')
  const found = walk(value, head)
  if (rest.length === 0) return found
  if (!Array.isArray(found)) return undefined
  const below = rest.join('[*]').replace(/^\./, '')
  const picked = found.map((entry: unknown) => (below === '' ? entry : (pick(entry, below) ?? null)))
  return below.includes('[*]') ? picked.flat() : picked
}

function walk(value: unknown, path: string): unknown {
  let at = value
  for (const part of path.split(/\.|(?=\[\d+\])/).filter((name) => name !== '')) {
    const index = /^\[(\d+)\]$/.exec(part)
    if (index !== null) at = Array.isArray(at) ? (at as unknown[])[Number(index[1])] : undefined
    else at = isMap(at) ? at[part] : undefined
  }
  return at
}

function sortedManagers(value: unknown): unknown {
  if (!isMap(value) || !isMap(value['metadata']) || !Array.isArray(value['metadata']['managedFields'])) return value
  const key = (entry: unknown): string =>
    isMap(entry) ? [entry['manager'], entry['operation'], entry['subresource'] ?? ''].join(' ') : ''
  const managedFields = [...(value['metadata']['managedFields'] as unknown[])].sort((a, b) =>
    key(a) < key(b) ? -1 : 1,
  )
  return { ...value, metadata: { ...value['metadata'], managedFields } }
}
