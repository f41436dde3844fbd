/**
 * What the real fastapi-versioning answered, asked of ours. Where the recording says that an answer is a bug, the intended one is asked for.
 * Each kind of difference that stays is named in `differences`, and described in `docs/guide/versioning-from-fastapi.md`.
 */

import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { join } from 'node:path'
import { VersioningError } from '../src/index.ts'
import { appOf, type Answer, type Case } from './conformance.ts'

const file = join(import.meta.dirname, '../../../../conformance/versioning.jsonl')
const lines = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Case)

for (const line of lines) {
  describe(`fastapi-versioning case ${line.id}`, () => {
    const app = appOf(line)
    let origin = ''
    let refused: unknown
    before(async () => {
      try {
        origin = await app.listen({ port: 0, host: '127.0.0.1' })
      } catch (error) {
        refused = error
      }
    })
    after(() => app.close())
    test(`its ${line.answers.length} answers`, async () => {
      if (refused !== undefined) expectedRefusal(line, refused)
      else for (const answer of line.answers) await check(origin, answer)
    })
  })
}

/** Two versions with one prefix, and two routes for one address: ours does not start. */
function expectedRefusal(line: Case, error: unknown): void {
  ok(error instanceof VersioningError, String(error))
  const codes = new Set(error.diagnostics.map((item) => item.code))
  const expected = new Set(
    (line.conflicts ?? []).map((conflict) => (conflict === 'prefix' ? 'same-address' : 'duplicate-route')),
  )
  deepEqual(codes, expected, `unexpected refusal: ${error.message}`)
}

async function check(origin: string, recorded: Answer): Promise<void> {
  const wanted: Answer = { ...recorded, ...recorded.intended }
  const what = `${wanted.method} ${wanted.url} (${wanted.kind}${recorded.bug === undefined ? '' : `, bug ${recorded.bug}`})`
  const difference = differences.find((item) => item.applies(wanted))
  const response = await fetch(`${origin}${wanted.url}`, {
    method: wanted.method,
    redirect: 'manual',
    ...(wanted.send === undefined
      ? {}
      : { body: JSON.stringify(wanted.send), headers: { 'content-type': 'application/json' } }),
  })
  const body = await response.text()
  if (difference !== undefined) {
    difference.check(wanted, { response, body }, what)
    return
  }
  equal(response.status, wanted.status, `${what}: ${body.slice(0, 200)}`)
  equal(response.headers.get('x-handler') ?? undefined, wanted.handler, `handler of ${what}`)
  if (wanted.handler !== undefined)
    deepEqual(body === '' ? undefined : JSON.parse(body), wanted.json, `body of ${what}`)
  if (wanted.location !== undefined) equal(response.headers.get('location'), wanted.location, `location of ${what}`)
  const allow = wanted.allow_intended ?? wanted.allow
  if (allow !== undefined) deepEqual(response.headers.get('allow')?.split(', '), allow, `allow of ${what}`)
  if (wanted.openapi !== undefined) checkDocument(wanted, JSON.parse(body) as object, what)
  if (wanted.spec !== undefined) ok(body.includes(`href="${wanted.spec}"`), `${what} links ${wanted.spec}`)
}

function checkDocument(wanted: Answer, document: object, what: string): void {
  deepEqual(pathsOf(document), wanted.openapi?.paths, `paths of ${what}`)
  checkHead(wanted, document, what)
}

function checkHead(wanted: Answer, document: object, what: string): void {
  const { servers, info } = document as { servers: unknown; info: Record<string, unknown> }
  deepEqual(servers, wanted.openapi?.servers, `servers of ${what}`)
  deepEqual(
    { title: info['title'], version: info['version'], description: info['description'] ?? null },
    wanted.openapi?.info,
    `info of ${what}`,
  )
}

function pathsOf(document: object): Readonly<Record<string, readonly string[]>> {
  const { paths = {} } = document as { paths?: Record<string, object> }
  return Object.fromEntries(
    Object.entries(paths).map(([path, item]) => [
      path,
      Object.keys(item)
        .map((method) => method.toUpperCase())
        .sort(),
    ]),
  )
}

interface Difference {
  readonly name: string
  readonly applies: (answer: Answer) => boolean
  readonly check: (
    answer: Answer,
    received: { readonly response: Response; readonly body: string },
    what: string,
  ) => void
}

/** Where a Fastify app answers otherwise, by design. */
const differences: readonly Difference[] = [
  {
    name: 'there is no ReDoc page',
    applies: ({ url }) => /\/redoc(\?|$)/.test(url),
    check: () => {},
  },
  {
    name: 'the index has an OpenAPI document of its own with the same links; its version is the latest one',
    applies: ({ kind, url, openapi }) => kind === 'docs' && url === '/openapi.json' && openapi?.servers === null,
    check: (wanted, { response, body }, what) => {
      equal(response.status, 200, what)
      deepEqual(pathsOf(JSON.parse(body) as object), wanted.openapi?.paths, `paths of ${what}`)
    },
  },
  {
    name: 'a prefix without a root, or outside of all versions, is a 404 and not a redirect to one',
    applies: ({ kind, status }) => (kind === 'bare-prefix' || kind === 'unversioned') && status === 307,
    check: (wanted, { response }, what) => {
      ok(response.status === 404 || response.headers.get('location') === wanted.location, what)
    },
  },
  {
    name: 'OPTIONS stays with whoever answers preflights',
    applies: ({ method }) => method === 'OPTIONS',
    check: (_wanted, { response }, what) => equal(response.status, 404, what),
  },
  {
    name: 'a parameter at the end of a path may be empty',
    applies: ({ empty_param }) => empty_param === true,
    check: (_wanted, { response }, what) => ok(response.status < 500, what),
  },
  {
    name: 'paths that differ in the names of parameters only are one path in a document',
    applies: ({ openapi }) => openapi !== undefined && Object.keys(openapi.paths).some((path) => path.includes('{')),
    check: (wanted, { response, body }, what) => {
      equal(response.status, 200, what)
      const document = JSON.parse(body) as object
      deepEqual(byShape(pathsOf(document)), byShape(wanted.openapi?.paths ?? {}), `paths of ${what}`)
      checkHead(wanted, document, what)
    },
  },
]

function byShape(paths: Readonly<Record<string, readonly string[]>>): Readonly<Record<string, readonly string[]>> {
  const shapes: Record<string, string[]> = {}
  for (const [path, methods] of Object.entries(paths)) {
    const shape = path.replaceAll(/\{[^}]*\}/g, '{}')
    shapes[shape] = [...new Set([...(shapes[shape] ?? []), ...methods])].sort()
  }
  return shapes
}
