/** Every mistake is found at start, together with all others. One line here for each code of a diagnostic. */

import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fastify } from 'fastify'
import {
  brownouts,
  change,
  diagnosticCodes,
  header,
  VersioningError,
  versioned,
  type DiagnosticCode,
  type VersionedOptions,
  type VersionedRoutes,
} from '../src/index.ts'

const one: VersionedRoutes = (api) => api.get('/a', { version: 1 }, () => 'a')

interface Mistake {
  readonly code: DiagnosticCode
  readonly says: RegExp
  readonly routes?: VersionedRoutes
  readonly options?: VersionedOptions
}

const mistakes: readonly Mistake[] = [
  {
    code: 'not-a-version',
    says: /1\.1 is no version: 1\.10 and 1\.1 are the same number.*write it as a string: '1\.1'/,
    routes: (api) => api.get('/', { version: 1.1 }, () => ''),
  },
  {
    code: 'not-a-version',
    says: /"v2" is no version.*write '2'/,
    routes: (api) => api.get('/', { version: 'v2' }, () => ''),
  },
  { code: 'not-a-version', says: /no such day/, routes: (api) => api.get('/', { version: '2026-02-30' }, () => '') },
  {
    code: 'not-a-version',
    says: /the range ends \(until 1\) before it has begun \(from 2\)/,
    routes: (api) => api.get('/', { version: { from: 2, until: 1 } }, () => ''),
  },
  {
    code: 'not-a-version',
    says: /a range has no "to"/,
    routes: (api) => api.get('/', { version: { from: 2, to: 3 } as never }, () => ''),
  },
  {
    code: 'not-a-version',
    says: /the list of versions is empty/,
    routes: (api) => api.get('/', { version: [] }, () => ''),
  },
  { code: 'not-a-version', says: /in 'default'/, options: { default: 'x' } },
  { code: 'not-a-version', says: /in 'remove'/, options: { remove: [{ method: 'GET', url: '/a', version: 'x' }] } },
  {
    code: 'mixed-schemes',
    says: /"2026-01-01" is a date and "1" a number/,
    routes: (api) => api.get('/a', { version: 1 }, () => '').get('/b', { version: '2026-01-01' }, () => ''),
  },
  {
    code: 'unknown-version',
    says: /\[1, 2\] is a list of the versions 1 and 2.*for version 1\.2 write '1\.2'/,
    routes: (api) => api.get('/a', { version: '1.1' }, () => '').get('/a', { version: [1, 2] }, () => ''),
    options: { path: '/v{version}' },
  },
  {
    code: 'unknown-version',
    says: /1\.5 is not among the versions of this API: 1, 2/,
    routes: (api) => api.get('/a', { version: { from: 1, until: '1.5' } }, () => ''),
    options: { versions: [1, 2] },
  },
  {
    code: 'unknown-version',
    says: /9 is not among the versions of this API: 1, 2/,
    routes: (api) => api.get('/a', { version: [1, 9] }, () => ''),
    options: { versions: [1, 2] },
  },
  { code: 'unknown-version', says: /'default' is 3, which is not among/, options: { versions: [1, 2], default: 3 } },
  {
    code: 'duplicate-route',
    says: /version 1 already has a route with this method and path shape as \/a\/:x, at .*mistakes\.test/,
    routes: (api) => api.get('/a/:x', { version: 1 }, () => '').get('/a/:y', { version: '1.0' }, () => ''),
  },
  {
    code: 'duplicate-route',
    says: /this neutral route has the address of a route with versions/,
    routes: (api) => api.get('/a', { version: 1 }, () => '').get('/a', { version: 'neutral' }, () => ''),
    options: { read: header('v') },
  },
  {
    code: 'same-address',
    says: /version 1 and version 1\.1 both have the prefix \/v1/,
    routes: (api) => api.get('/a', { version: 1 }, () => '').get('/a', { version: '1.1' }, () => ''),
    options: { path: '/v{major}' },
  },
  { code: 'same-address', says: /both have no prefix/, options: { path: '', versions: [1, 2] } },
  {
    code: 'override-of-nothing',
    says: /says that it overrides an older one/,
    routes: (api) => api.get('/a', { version: 1, overrides: true }, () => ''),
  },
  {
    code: 'override-of-nothing',
    says: /nothing of this method and path is there to be removed/,
    options: { versions: [1, 2], remove: [{ method: 'POST', url: '/a', version: 2 }] },
  },
  {
    code: 'unreachable-route',
    says: /no client can reach this route: from the first version until 1 there is no version among 1, 2/,
    routes: (api) => api.get('/a', { version: { until: 1 } }, () => ''),
    options: { versions: [1, 2] },
  },
  {
    code: 'unversioned-route',
    says: /names no version/,
    routes: (api) => api.get('/a', () => ''),
    options: { default: 'error' },
  },
  {
    code: 'bad-template',
    says: /'path' holds \{patchy\}; known are \{version\}, \{major\}, \{minor\}, \{patch\}/,
    options: { path: '/{patchy}' },
  },
  { code: 'bad-template', says: /'label' holds \{constructor\}/, options: { label: '{constructor}' } },
  { code: 'bad-template', says: /has to begin with a slash/, options: { path: 'v{major}' } },
  { code: 'bad-template', says: /must not end with a slash/, options: { path: '/v{major}/' } },
  {
    code: 'latest-of-nothing',
    says: /all versions are previews/,
    routes: (api) => api.get('/a', { version: '1-beta' }, () => ''),
    options: { latest: true },
  },
  {
    code: 'sunset-before-deprecation',
    says: /version 1 ends \(sunset 2026-01-01\) before it is deprecated \(2026-06-01\)/,
    options: { versions: { 1: { deprecated: '2026-06-01', sunset: '2026-01-01' } } },
  },
  {
    code: 'sunset-before-deprecation',
    says: /with the dates of version 1 it ends/,
    routes: (api) => api.get('/a', { version: 1, sunset: '2026-01-01' }, () => ''),
    options: { versions: { 1: { deprecated: '2026-06-01' } } },
  },
  {
    code: 'bad-lifecycle',
    says: /'deprecated' of version 1 is soon: expected a date/,
    options: { versions: { 1: { deprecated: 'soon' } } },
  },
  {
    code: 'bad-lifecycle',
    says: /there is no 'sunset' to come/,
    options: { versions: { 1: { afterSunset: 'gone' } } },
  },
  {
    code: 'bad-lifecycle',
    says: /has brownouts but is not deprecated/,
    options: {
      versions: { 1: { brownouts: brownouts({ first: '2026-01-01', everyHours: 24, lastingMinutes: 5, times: 3 }) } },
    },
  },
  {
    code: 'bad-lifecycle',
    says: /'info' of this route is "not a link"/,
    routes: (api) => api.get('/a', { version: 1, deprecated: '2026-01-01', info: 'not a link' }, () => ''),
  },
  {
    code: 'bad-change',
    says: /belongs to version 9, which this API does not have/,
    options: { changes: [change(9, 'Nine', { response: (body: object) => body })] },
  },
  {
    code: 'bad-change',
    says: /belongs to the oldest version/,
    options: { changes: [change(1, 'One', { response: (body: object) => body })] },
  },
  {
    code: 'bad-change',
    says: /neither migrates anything/,
    options: { versions: [1, 2], changes: [change(2, 'Empty', {})] },
  },
  { code: 'bad-reader', says: /'path' is false and there is no 'read'/, options: { path: false } },
  { code: 'bad-reader', says: /'read' holds header v twice/, options: { read: [header('v'), header('V')] } },
  { code: 'bad-reader', says: /there is no 'read'/, options: { missing: 'latest' } },
  {
    code: 'route-refused',
    says: /Missing handler function/i,
    routes: (api) => api.get('/a', { version: 1 }, undefined as never),
  },
]

async function start(routes: VersionedRoutes, options: VersionedOptions): Promise<void> {
  const app = fastify()
  app.register(versioned(routes, options))
  try {
    await app.ready()
  } finally {
    await app.close()
  }
}

describe('mistakes', () => {
  for (const { code, says, routes = one, options = {} } of mistakes) {
    test(`${code}: ${says.source.slice(0, 60)}`, () =>
      rejects(start(routes, options), (error: unknown) => {
        ok(error instanceof VersioningError, String(error))
        const found = error.diagnostics.find((item) => item.code === code && says.test(item.message))
        ok(found !== undefined, error.message)
        if (found.route !== undefined && routes !== one) match(found.origin?.file ?? '', /mistakes\.test/)
        return true
      }))
  }

  test('all are reported at once, each on a line with its place', () =>
    rejects(
      start(
        (api) =>
          api
            .get('/a', { version: 1.5 }, () => '')
            .get('/b', { version: 'x' }, () => '')
            .get('/c', { version: 1, overrides: true }, () => ''),
        { versions: { 1: { sunset: 'never' } } },
      ),
      (error: VersioningError) => {
        equal(error.diagnostics.length, 4)
        match(error.message, /^4 mistakes in the versions of this API\n/)
        equal(error.message.split('\n').length, 5)
        match(error.message, /mistakes\.test\.js:\d+:\d+ {2}GET \/c {2}override-of-nothing: /)
        return true
      },
    ))

  test('a route that comes back after its replacement has ended is warned of, not refused', async () => {
    const lines: string[] = []
    const app = fastify({ logger: { level: 'warn', stream: { write: (line: string) => void lines.push(line) } } })
    app.register(
      versioned(
        (api) => api.get('/a', { version: 1 }, () => 'one').get('/a', { version: { from: 2, until: 3 } }, () => 'two'),
        { versions: [1, 2, 3] },
      ),
    )
    equal((await app.inject('/v3/a')).body, 'one')
    equal(lines.length, 1)
    match(lines[0] ?? '', /it ends in version 3, and the older route of version 1 answers again/)
  })

  test('every code has a case here and a section in the reference, and the reference has no other', () => {
    const tried = new Set<string>([...mistakes.map((item) => item.code), 'resurfacing-route'])
    deepEqual([...tried].sort(), [...diagnosticCodes].sort())
    const page = readFileSync(join(import.meta.dirname, '../../../../docs/reference/versioning-errors.md'), 'utf8')
    const documented = [...page.matchAll(/^## `([a-z-]+)`$/gm)].map((found) => found[1])
    deepEqual(documented, [...diagnosticCodes])
  })
})
