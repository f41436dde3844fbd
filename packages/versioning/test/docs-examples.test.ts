/**
 * Every TypeScript example of the README, the guides and the reference is compiled and run.
 *
 * A line `// GET /v1/greet x-api-version: 1 → 200 Hello` in or below an example is a request and its answer.
 * An example may leave out its imports, and `routes`: then it is the greeting in two versions.
 */

import { equal, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import * as everything from '../src/index.ts'

const root = join(import.meta.dirname, '../../../..')
const project = mkdtempSync(join(tmpdir(), 'serin-examples-'))

interface Example {
  readonly name: string
  readonly page: string
  readonly line: number
  readonly code: string
}

const guides = readdirSync(join(root, 'docs/guide')).filter((name) => name.startsWith('versioning'))
const references = readdirSync(join(root, 'docs/reference')).filter((name) => name.startsWith('versioning'))
const pages = [
  'packages/versioning/README.md',
  ...guides.map((name) => `docs/guide/${name}`),
  ...references.map((name) => `docs/reference/${name}`),
]

function examplesOf(page: string): readonly Example[] {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)]
    .map((found) => ({ code: found[1] as string, line: text.slice(0, found.index).split('\n').length }))
    .filter(({ code }) => !isExcerpt(code))
    .map(({ code, line }) => ({ page, line, code, name: `${page.replaceAll(/[^\w]+/g, '-')}-${line}` }))
}

/** Imports alone, and a test of the reader's own. */
function isExcerpt(code: string): boolean {
  return code.replaceAll(/^import .*$/gm, '').trim() === '' || code.includes('readFileSync')
}

const greeting = `const routes = (api: FastifyInstance): void => {
  api.get('/greet', { version: 1 }, () => 'Hello')
  api.get('/greet', { version: 2 }, () => 'Hi')
}\n`

/** What the reader of a fragment puts around it. */
function complete(code: string): string {
  const fragment = code.replace(/^versioned\(routes/m, 'const plugin = versioned(routes')
  const parts: string[] = []
  if (!code.includes('import ')) {
    const names = Object.keys(everything).filter((name) => new RegExp(`\\b${name}\\(`).test(code))
    parts.push(
      `import { ${names.join(', ')} } from '@serin/versioning'\nimport { fastify, type FastifyInstance } from 'fastify'\n`,
      greeting,
    )
  }
  parts.push(fragment)
  if (fragment !== code) parts.push('const app = fastify()\napp.register(plugin)\n')
  return parts
    .join('')
    .replace(/^await app\.listen\(.*\)$/m, 'await app.ready()')
    .replace('.listen(3000)', '.listen(0).unref()')
}

function requestsOf(code: string): readonly object[] {
  return [...code.matchAll(/^\/\/ ([A-Z]+) (\S+)(?: ([\w-]+): (\S+))? → (\d+)(?: (.+))?$/gm)].map(
    ([, method, url, header, value, status, body]) => ({
      method,
      url,
      headers: header === undefined ? {} : { [header]: value },
      status: Number(status),
      body,
    }),
  )
}

const harness = `import { equal } from 'node:assert/strict'
interface Wanted { method: string; url: string; headers: Record<string, string>; status: number; body?: string }
type Answer = { status: number; body: string }
type App = { inject(options: object): Promise<{ statusCode: number; body: string }> } | { request(url: string, init: object): Response | Promise<Response> } | { fetch(request: Request): Promise<Response> }
async function ask(app: App, { method, url, headers }: Wanted): Promise<Answer> {
  if ('inject' in app) { const { statusCode, body } = await app.inject({ method, url, headers }); return { status: statusCode, body } }
  const response = 'request' in app ? await app.request(url, { method, headers }) : await app.fetch(new Request('http://localhost' + url, { method, headers }))
  return { status: response.status, body: await response.text() }
}
export async function check(app: unknown, requests: readonly Wanted[]): Promise<void> {
  for (const wanted of requests) {
    const { status, body } = await ask(app as App, wanted)
    const what = wanted.method + ' ' + wanted.url + ': ' + body
    equal(status, wanted.status, what)
    if (wanted.body !== undefined) equal(body, wanted.body, what)
  }
}
`

const examples = pages.flatMap(examplesOf)
const compilerOptions = {
  target: 'es2023',
  lib: ['es2023'],
  module: 'nodenext',
  strict: true,
  skipLibCheck: true,
  rewriteRelativeImportExtensions: true,
  types: ['node'],
}

/** Each in a folder of its own, since one of them declares its versions for the whole program. */
function folderOf({ code, name }: Example): string {
  return code.includes('declare module') ? name : 'together'
}

before(() => {
  for (const name of ['@serin/versioning', 'fastify', '@fastify/swagger', 'hono', '@types/node']) {
    const link = join(project, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), link)
  }
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'examples', private: true, type: 'module' }))
  for (const example of examples) {
    const folder = join(project, folderOf(example))
    mkdirSync(folder, { recursive: true })
    const code = complete(example.code)
    const target = /\b(?:const|let) app\b/.test(code) ? 'app' : /\bconst api\b/.test(code) ? 'api' : 'undefined'
    writeFileSync(join(folder, 'check.ts'), harness)
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
    writeFileSync(
      join(folder, `${example.name}.ts`),
      `import { check } from './check.ts'\n${code}\nawait check(${target}, ${JSON.stringify(requestsOf(example.code))})\n`,
    )
  }
})

after(() => rmSync(project, { recursive: true, force: true }))

describe('examples', () => {
  test('all compile', () => {
    for (const folder of new Set(examples.map(folderOf))) {
      const { stdout } = spawnSync(
        process.execPath,
        [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(project, folder)],
        { encoding: 'utf8' },
      )
      equal(stdout, '')
    }
  })

  for (const example of examples) {
    test(`${example.page}:${example.line}`, () => {
      const file = join(project, folderOf(example), `${example.name}.js`)
      const { status, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8', cwd: project })
      equal(status, 0, stderr)
    })
  }

  test('there are many, and they ask many things', () => {
    ok(examples.length >= 18, String(examples.length))
    ok(examples.flatMap(({ code }) => requestsOf(code)).length >= 60)
  })
})

describe('the reference', () => {
  const reference = readFileSync(join(root, 'docs/reference/versioning.md'), 'utf8')

  /** The options of an interface, read from its source. */
  function optionsOf(file: string, name: string): readonly string[] {
    const source = readFileSync(join(root, 'packages/versioning/src', file), 'utf8')
    const body = new RegExp(`interface ${name}(?: extends [\\w, ]+)? \\{\\n([\\s\\S]*?)\\n\\}`).exec(source)?.[1] ?? ''
    return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map((found) => found[1] as string)
  }

  /** The first cells of the table below a heading. */
  function rowsBelow(heading: string): readonly string[] {
    const section = reference.split(`\n${heading}\n`)[1]?.split(/\n#+ /)[0] ?? ''
    return [...section.matchAll(/^\| (`.*?) \|/gm)].flatMap((found) =>
      [...(found[1] as string).matchAll(/`(\w+)`/g)].map((cell) => cell[1] as string),
    )
  }

  const tables = [
    [
      '## Options of `versioned`',
      [
        ...optionsOf('core/plan.ts', 'ApiOptions'),
        ...optionsOf('fastify/options.ts', 'VersionedOptions'),
        ...optionsOf('fetch/versioned.ts', 'FetchOptions'),
      ],
    ],
    ['### Options of `docs`', optionsOf('fastify/options.ts', 'DocsOptions')],
    [
      '### Options of a version',
      [...optionsOf('core/lifecycle.ts', 'VersionPolicy'), ...optionsOf('core/lifecycle.ts', 'RoutePolicy')],
    ],
    ['## Options of a route', ['version', 'overrides', ...optionsOf('core/lifecycle.ts', 'RoutePolicy')]],
  ] as const

  for (const [heading, options] of tables) {
    test(`${heading} names every option, and no other`, () => {
      ok(options.length >= 4, heading)
      equal([...new Set(rowsBelow(heading))].sort().join(' '), [...options].sort().join(' '))
    })
  }
})
