/** One suite for all adapters: versions in the URL, negotiated versions, lifecycle, migrations. */

import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { accept, change, custom, header, host, query, VersioningError, type Change } from '../src/core/index.ts'
import type { ApiOptions } from '../src/core/plan.ts'
import { adapters, type Adapter, type SuiteRoute } from './adapters.ts'

interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

type Ask = (path: string, init?: RequestInit) => Promise<Reply>

async function withApi(
  adapter: Adapter,
  routes: readonly SuiteRoute[],
  options: ApiOptions,
  use: (ask: Ask) => Promise<void>,
  base?: string,
): Promise<void> {
  const { origin, stop } = await adapter.start(routes, options, base)
  try {
    await use(async (path, init) => {
      const response = await fetch(`${origin}${path}`, { redirect: 'manual', ...init })
      const text = await response.text()
      const json = response.headers.get('content-type')?.includes('json') === true && text !== ''
      return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text }
    })
  } finally {
    await stop()
  }
}

const says = (
  method: string,
  path: string,
  version: NonNullable<SuiteRoute['marks']>['version'],
  text: string,
): SuiteRoute => ({
  method,
  path,
  ...(version === undefined ? {} : { marks: { version } }),
  answer: () => ({ says: text }),
})

const greetings = [says('GET', '/', 1, 'Hello World'), says('GET', '/', 2, 'Greetings, Planet!')]

for (const adapter of adapters) {
  describe(`${adapter.name}: versions in the URL`, () => {
    test('the helloworld story answers at /v1/, /v2/ and /latest/', () =>
      withApi(adapter, greetings, { path: '/v{major}', latest: true }, async (ask) => {
        for (const path of ['/v1/', '/v1']) deepEqual((await ask(path)).body, { says: 'Hello World' }, path)
        for (const path of ['/v2/', '/latest/', '/latest'])
          deepEqual((await ask(path)).body, { says: 'Greetings, Planet!' }, path)
        for (const path of ['/', '/v3/', '/v01/', '/V1/']) equal((await ask(path)).status, 404, path)
      }))

    test('a version inherits until a route with the same shape takes over, whatever its parameters are called', () =>
      withApi(
        adapter,
        [
          says('GET', '/items/:id', 1, 'one'),
          says('GET', '/items/:item_id', 3, 'three'),
          says('POST', '/items', 2, 'post'),
          says('GET', '/items/top', 2, 'top'),
        ],
        {},
        async (ask) => {
          const answers = {
            '/v1/items/a': 'one',
            '/v2/items/a': 'one',
            '/v3/items/a': 'three',
            '/v2/items/top': 'top',
            '/v3/items/top': 'top',
            '/v1/items/top': 'one',
          }
          for (const [path, text] of Object.entries(answers)) deepEqual((await ask(path)).body, { says: text }, path)
          ok((await ask('/v1/items', { method: 'POST' })).status >= 404)
          equal((await ask('/v3/items', { method: 'POST' })).status, 200)
        },
      ))

    test('an ended route is a 404, lists are exact, neutral routes have no version', () =>
      withApi(
        adapter,
        [
          says('GET', '/legacy', { from: 1, until: 3 }, 'legacy'),
          says('GET', '/odd', [1, 3], 'odd'),
          says('GET', '/health', 'neutral', 'up'),
          says('GET', '/two', 2, 'two'),
          says('GET', '/plain', undefined, 'plain'),
        ],
        { versions: [1, 2, 3, 4] },
        async (ask) => {
          const statuses = {
            '/v1/legacy': 200,
            '/v2/legacy': 200,
            '/v3/legacy': 404,
            '/v4/legacy': 404,
            '/v1/odd': 200,
            '/v2/odd': 404,
            '/v3/odd': 200,
            '/v4/odd': 404,
            '/health': 200,
            '/v1/two': 404,
            '/v1/plain': 200,
            '/v4/plain': 200,
          }
          for (const [path, status] of Object.entries(statuses)) equal((await ask(path)).status, status, path)
        },
      ))

    test('parameters, query, body and the version reach the handler, below any mount point', () =>
      withApi(
        adapter,
        [{ method: 'POST', path: '/users/:id', marks: { version: '1.2' }, answer: (seen) => seen }],
        { path: '/v{major}_{minor}', default: '1.0' },
        async (ask) => {
          const { body } = await ask('/custom/root/v1_2/users/caf%C3%A9?q=1', {
            method: 'POST',
            body: '{"n":1}',
            headers: { 'content-type': 'application/json' },
          })
          deepEqual(body, { params: { id: 'café' }, query: { q: '1' }, body: { n: 1 }, version: '1.2' })
          equal((await ask('/v1_2/users/1', { method: 'POST' })).status, 404)
        },
        '/custom/root',
      ))

    test('dates, minors and previews: 1.10 is newer than 1.9, a preview is never the latest', async () => {
      await withApi(
        adapter,
        [says('GET', '/a', '1.9', 'nine'), says('GET', '/a', '1.10', 'ten'), says('GET', '/a', '2-beta.1', 'beta')],
        { latest: '/current', default: '1.9' },
        async (ask) => {
          deepEqual((await ask('/current/a')).body, { says: 'ten' })
          deepEqual((await ask('/v2-beta.1/a')).body, { says: 'beta' })
        },
      )
      await withApi(
        adapter,
        [says('GET', '/a', '2025-01-15', 'old'), says('GET', '/a', '2026-01-15', 'new')],
        { latest: true },
        async (ask) => {
          deepEqual((await ask('/v2025-01-15/a')).body, { says: 'old' })
          deepEqual((await ask('/latest/a')).body, { says: 'new' })
        },
      )
    })

    test("the path '' serves one version without a prefix, and 'latest' may have no prefix", async () => {
      await withApi(adapter, [says('GET', '/a', 1, 'one')], { path: '' }, async (ask) =>
        deepEqual((await ask('/a')).body, { says: 'one' }),
      )
      await withApi(
        adapter,
        [says('GET', '/a', 1, 'one'), says('GET', '/a', 2, 'two')],
        { latest: '' },
        async (ask) => {
          deepEqual((await ask('/a')).body, { says: 'two' })
          deepEqual((await ask('/v1/a')).body, { says: 'one' })
        },
      )
    })

    test('HEAD is answered like GET, without a body', () =>
      withApi(adapter, greetings, {}, async (ask) => {
        const reply = await ask('/v2/', { method: 'HEAD' })
        deepEqual([reply.status, reply.body], [200, ''])
      }))

    test('contradictions keep it from starting, all at once, with their places', async () => {
      const routes = [
        says('GET', '/a/:x', 1, 'x'),
        says('GET', '/a/:y', 1, 'y'),
        says('GET', '/b', '1.x' as never, 'b'),
      ]
      await rejects(
        async () => (await adapter.start(routes, {})).stop(),
        (error: unknown) => {
          ok(error instanceof VersioningError, String(error))
          deepEqual(error.diagnostics.map((item) => item.code).sort(), ['duplicate-route', 'not-a-version'])
          for (const { origin } of error.diagnostics) match(origin?.file ?? '', /adapters\.|contract\.test/)
          return true
        },
      )
    })
  })

  describe(`${adapter.name}: negotiated versions`, () => {
    const pair = [
      says('GET', '/a', 1, 'one'),
      says('GET', '/a', 2, 'two'),
      says('GET', '/gone', { from: 1, until: 2 }, 'gone'),
    ]
    const at = (value: string, name = 'x-api-version'): RequestInit => ({ headers: { [name]: value } })

    test('a header chooses; the answer names the version and varies', () =>
      withApi(adapter, pair, { read: header('X-Api-Version') }, async (ask) => {
        const one = await ask('/a', at('1'))
        deepEqual(
          [one.body, one.headers.get('x-api-version'), one.headers.get('vary')],
          [{ says: 'one' }, '1', 'x-api-version'],
        )
        deepEqual((await ask('/a', at('2.0'))).body, { says: 'two' })
        equal((await ask('/gone', at('1'))).status, 200)
        const gone = await ask('/gone', at('2'))
        deepEqual([gone.status, gone.headers.get('vary')], [404, 'x-api-version'])
      }))

    test('missing, unknown, malformed and ambiguous versions are problem documents', () =>
      withApi(adapter, pair, { read: [header('x-api-version'), query('api-version')] }, async (ask) => {
        const cases = [
          ['/a', {}, 'ApiVersionUnspecified'],
          ['/a', at('7'), 'UnsupportedApiVersion'],
          ['/a', at('banana'), 'InvalidApiVersion'],
          ['/a?api-version=2', at('1'), 'AmbiguousApiVersion'],
          ['/a', at('1, 2'), 'AmbiguousApiVersion'],
          ['/a?api-version=1&api-version=2', {}, 'AmbiguousApiVersion'],
        ] as const
        for (const [path, init, code] of cases) {
          const { status, headers, body } = await ask(path, init)
          const problem = body as Record<string, unknown>
          deepEqual([status, problem['code'], problem['status']], [400, code, 400], `${path} ${code}`)
          match(headers.get('content-type') ?? '', /^application\/problem\+json/)
          equal(headers.get('vary'), 'x-api-version')
          if (code === 'UnsupportedApiVersion') deepEqual(problem['supported'], ['1', '2'])
        }
        deepEqual((await ask('/a?api-version=2', at('2.0'))).body, { says: 'two' })
        equal((await ask('/nowhere', at('7'))).status, 404)
      }))

    test('statuses and types of problems can be chosen', () =>
      withApi(
        adapter,
        pair,
        { read: header('v'), problems: { statuses: { unknown: 404 }, type: (slug) => `https://acme.dev/${slug}` } },
        async (ask) => {
          const { status, body } = await ask('/a', at('7', 'v'))
          deepEqual([status, (body as Record<string, unknown>)['type']], [404, 'https://acme.dev/unsupported'])
        },
      ))

    test('media types choose by quality; what cannot be served is 406', () =>
      withApi(adapter, pair, { read: accept({ vendor: 'acme' }), missing: 'latest' }, async (ask) => {
        const by = (value: string): Promise<Reply> => ask('/a', at(value, 'accept'))
        deepEqual((await by('application/vnd.acme.v1+json')).body, { says: 'one' })
        deepEqual((await by('application/json;v=2')).body, { says: 'two' })
        deepEqual((await by('application/json;v=1;q=0.5, application/json;v=2')).body, { says: 'two' })
        deepEqual((await by('application/json;v=9, application/json;v=1;q=0.1')).body, { says: 'one' })
        const latest = await by('text/html')
        deepEqual(
          [latest.body, latest.headers.get('vary'), latest.headers.get('api-version')],
          [{ says: 'two' }, 'accept', '2'],
        )
        equal((await by('application/vnd.acme.v9+json')).status, 406)
      }))

    test('the answer to an error that is thrown says the same', () =>
      withApi(
        adapter,
        [
          {
            method: 'GET',
            path: '/boom',
            answer: () => {
              throw new Error('boom')
            },
          },
        ],
        {
          versions: { 1: { deprecated: '2026-01-01' }, 2: {} },
          read: header('v'),
          onError: () => new Response('x', { status: 500 }),
        } as ApiOptions,
        async (ask) => {
          const { status, headers } = await ask('/boom', at('1', 'v'))
          deepEqual(
            [status, headers.get('vary'), headers.get('v'), headers.get('deprecation')],
            [500, 'v', '1', '@1767225600'],
          )
        },
      ))

    test('hosts and functions choose; a function that throws is a malformed version', () =>
      withApi(
        adapter,
        pair,
        {
          read: [
            host('v{version}.api.test'),
            custom(
              ({ headers }) => {
                if (headers['x-boom'] !== undefined) throw new Error('boom')
                return headers['x-tenant'] === 'old' ? '1' : undefined
              },
              { vary: ['X-Tenant'] },
            ),
          ],
          missing: 'oldest',
        },
        async (ask) => {
          const { headers, body } = await ask('/a', at('old', 'x-tenant'))
          deepEqual([body, headers.get('vary')], [{ says: 'one' }, 'x-tenant'])
          equal((await ask('/a', at('1', 'x-boom'))).status, 400)
          deepEqual((await ask('/a')).body, { says: 'one' })
        },
      ))

    test('floor finds the date before, semver the newest that fits', async () => {
      const dates = [says('GET', '/a', '2025-01-15', 'old'), says('GET', '/a', '2026-01-15', 'new')]
      await withApi(adapter, dates, { read: header('acme-version'), match: 'floor' }, async (ask) => {
        const { body, headers } = await ask('/a', at('2025-12-31', 'acme-version'))
        deepEqual([body, headers.get('acme-version')], [{ says: 'old' }, '2025-01-15'])
        equal((await ask('/a', at('2024-12-31', 'acme-version'))).status, 400)
      })
      const minors = [
        says('GET', '/a', '1.0', 'a'),
        says('GET', '/a', '1.2', 'b'),
        says('GET', '/a', '2.0', 'c'),
        says('GET', '/a', '2.1-beta', 'd'),
      ]
      await withApi(adapter, minors, { read: header('v'), match: 'semver', default: '1.0' }, async (ask) => {
        for (const [asked, text] of [
          ['1', 'b'],
          ['^1.0', 'b'],
          ['1.x', 'b'],
          ['2', 'c'],
          ['*', 'c'],
          ['~1.2', 'b'],
          ['2.1-beta', 'd'],
          ['>=1.1', 'c'],
        ]) {
          deepEqual((await ask('/a', at(asked as string, 'v'))).body, { says: text }, asked)
        }
        equal((await ask('/a', at('1.5', 'v'))).status, 400)
      })
    })

    test("a customer's pinned version counts where a request names none, also if it has to be looked up", async () => {
      const pinned: Record<string, number> = { alice: 1, bob: 2 }
      const pin = ({ headers }: { readonly headers: Readonly<Record<string, unknown>> }): number | undefined =>
        pinned[String(headers['x-user'])]
      type Source = Parameters<typeof pin>[0]
      for (const missing of [
        pin,
        async (source: Source) => pin(source),
        (source: Source) => Promise.resolve(pin(source)),
      ]) {
        await withApi(adapter, pair, { read: header('x-api-version'), missing }, async (ask) => {
          deepEqual((await ask('/a', at('alice', 'x-user'))).body, { says: 'one' })
          deepEqual((await ask('/a', at('bob', 'x-user'))).body, { says: 'two' })
          deepEqual((await ask('/a', { headers: { 'x-user': 'bob', 'x-api-version': '1' } })).body, { says: 'one' })
          equal((await ask('/a', at('eve', 'x-user'))).status, 400)
        })
      }
    })

    test('a pinned version that cannot be looked up is not the fault of the client', async () => {
      const fail = (): never => {
        throw new Error('no database')
      }
      for (const missing of [fail, async () => fail()]) {
        await withApi(adapter, pair, { read: header('v'), missing }, async (ask) => {
          equal((await ask('/a')).status, 500)
          equal((await ask('/a', at('1', 'v'))).status, 200)
        })
      }
    })

    test('a newer static route does not hide an older route with a parameter from older versions', () =>
      withApi(
        adapter,
        [says('GET', '/items/:id', 1, 'param'), says('GET', '/items/me', 2, 'me')],
        { read: header('v') },
        async (ask) => {
          deepEqual((await ask('/items/me', at('1', 'v'))).body, { says: 'param' })
          deepEqual((await ask('/items/me', at('2', 'v'))).body, { says: 'me' })
          deepEqual((await ask('/items/x', at('2', 'v'))).body, { says: 'param' })
          equal((await ask('/items/me', at('9', 'v'))).status, 400)
        },
      ))

    test('both addresses at once, and neutral routes whatever version is asked for', () =>
      withApi(
        adapter,
        [...pair, says('GET', '/health', 'neutral', 'up')],
        { path: '/v{major}', read: header('v') },
        async (ask) => {
          deepEqual((await ask('/v1/a', at('2', 'v'))).body, { says: 'one' })
          deepEqual((await ask('/a', at('2', 'v'))).body, { says: 'two' })
          for (const value of ['1', '9', 'nonsense'])
            deepEqual((await ask('/health', at(value, 'v'))).body, { says: 'up' })
        },
      ))

    test('more versions than a router node can hold', () =>
      withApi(
        adapter,
        Array.from({ length: 25 }, (_, index) => says('GET', '/a', index * 2 + 1, `v${index * 2 + 1}`)),
        { versions: Array.from({ length: 60 }, (_, index) => index + 1), read: header('v') },
        async (ask) => {
          deepEqual((await ask('/a', at('60', 'v'))).body, { says: 'v49' })
          deepEqual((await ask('/a', at('8', 'v'))).body, { says: 'v7' })
        },
      ))
  })

  describe(`${adapter.name}: the life of a version`, () => {
    const routes = [
      says('GET', '/items/:id', 1, 'one'),
      says('GET', '/items/:id', 2, 'two'),
      says('GET', '/old', 1, 'old'),
    ]
    const versions = { 1: { deprecated: '2026-01-01', sunset: '2026-12-31', info: 'https://acme.dev/move' }, 2: {} }

    test('deprecation, sunset and links are told, by URL with the way to the successor', () =>
      withApi(adapter, routes, { versions }, async (ask) => {
        const { headers } = await ask('/v1/items/7?x=1')
        equal(headers.get('deprecation'), '@1767225600')
        equal(headers.get('sunset'), 'Thu, 31 Dec 2026 00:00:00 GMT')
        equal(
          headers.get('link'),
          '<https://acme.dev/move>; rel="deprecation"; type="text/html", <https://acme.dev/move>; rel="sunset"; type="text/html", </v2/items/7>; rel="successor-version"',
        )
        equal((await ask('/v2/items/7')).headers.get('deprecation'), null)
      }))

    test('the link keeps what stands before the version and after it', () =>
      withApi(
        adapter,
        routes,
        { versions },
        async (ask) => {
          match(
            (await ask('/shop/api/v1/items/a%20b')).headers.get('link') ?? '',
            /<\/shop\/api\/v2\/items\/a%20b>; rel="successor-version"/,
          )
        },
        '/shop/api',
      ))

    test('a route has dates of its own, and a link header that was there stays', () =>
      withApi(
        adapter,
        [
          {
            method: 'GET',
            path: '/a',
            marks: { version: 1, deprecated: '2026-02-01' },
            headers: { link: '</me>; rel="self"' },
            answer: () => ({}),
          },
          { method: 'GET', path: '/b', marks: { version: 1 }, answer: () => ({}) },
          { method: 'GET', path: '/a', marks: { version: 2 }, answer: () => ({}) },
        ],
        {},
        async (ask) => {
          const { headers } = await ask('/v1/a')
          equal(headers.get('deprecation'), '@1769904000')
          equal(headers.get('link'), '</me>; rel="self", </v2/a>; rel="successor-version"')
          equal((await ask('/v1/b')).headers.get('deprecation'), null)
        },
      ))

    test('after its sunset a version is gone on wish, and switched off in brownouts before', async () => {
      let now = Date.parse('2026-06-01T00:00Z')
      const policy = {
        ...versions[1],
        afterSunset: 'gone',
        brownouts: [{ from: '2026-11-01T10:00Z', until: '2026-11-01T10:10Z' }],
      } as const
      await withApi(adapter, routes, { versions: { 1: policy, 2: {} }, clock: () => now }, async (ask) => {
        equal((await ask('/v1/old')).status, 200)
        now = Date.parse('2026-11-01T10:04Z')
        const off = await ask('/v1/old')
        deepEqual(
          [off.status, off.headers.get('retry-after'), (off.body as Record<string, unknown>)['code']],
          [503, '360', 'BrownoutApiVersion'],
        )
        equal(off.headers.get('sunset'), 'Thu, 31 Dec 2026 00:00:00 GMT')
        now = Date.parse('2026-11-01T10:10Z')
        equal((await ask('/v1/old')).status, 200)
        now = Date.parse('2026-12-31T00:00Z')
        const gone = await ask('/v1/old')
        deepEqual([gone.status, (gone.body as Record<string, unknown>)['supported']], [410, ['2']])
        equal((await ask('/v2/old')).status, 200)
      })
    })

    test('supported and deprecated versions are reported on wish, also with problems', () =>
      withApi(
        adapter,
        routes,
        { versions, report: true, read: header('v'), clock: () => Date.parse('2026-06-01T00:00Z') },
        async (ask) => {
          for (const value of ['1', '2', '9']) {
            const { headers } = await ask('/items/1', { headers: { v: value } })
            deepEqual(
              [headers.get('api-supported-versions'), headers.get('api-deprecated-versions')],
              ['2', '1'],
              value,
            )
          }
          equal((await ask('/items/1', { headers: { v: '1' } })).headers.get('deprecation'), '@1767225600')
        },
      ))
  })

  describe(`${adapter.name}: migrations`, () => {
    const changes: readonly Change[] = [
      change('2', 'Names are split', {
        on: { url: '/people/:id' },
        request: (body: { name: string }) => ({ first: body.name.split(' ')[0], last: body.name.split(' ')[1] }),
        response: ({ first, last, ...rest }: { first: string; last: string }) => ({
          ...rest,
          name: `${first} ${last}`,
        }),
      }),
      change('3', 'The last name is called family', {
        on: { method: ['GET', 'PUT'], url: '/people/:id' },
        request: async ({ last, ...rest }: { last: string }) => ({ ...rest, family: last }),
        query: ({ sort, ...rest }) => ({ ...rest, ...(sort === 'last' ? { sort: 'family' } : {}) }),
        response: async ({ family, ...rest }: { family: string }) => ({ ...rest, last: family }),
      }),
      change('3', 'Errors have a code', {
        errors: true,
        response: (body: { code?: string }) => (body.code === undefined ? body : { error: body.code }),
      }),
    ]
    const routes: readonly SuiteRoute[] = [
      {
        method: 'GET',
        path: '/people/:id',
        answer: ({ query: seen }) => ({ first: 'Ada', family: 'Lovelace', ...seen }),
      },
      { method: 'PUT', path: '/people/:person', answer: ({ body }) => body },
      { method: 'GET', path: '/missing', status: 404, answer: () => ({ code: 'nope' }) },
    ]
    const put = (body: object): RequestInit => ({
      method: 'PUT',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })

    test('the newest handler serves all versions', () =>
      withApi(adapter, routes, { versions: [1, 2, 3], changes }, async (ask) => {
        deepEqual((await ask('/v3/people/1')).body, { first: 'Ada', family: 'Lovelace' })
        deepEqual((await ask('/v2/people/1')).body, { first: 'Ada', last: 'Lovelace' })
        deepEqual((await ask('/v1/people/1?sort=last')).body, { sort: 'family', name: 'Ada Lovelace' })
        deepEqual((await ask('/v1/people/1', put({ name: 'Alan Turing' }))).body, { name: 'Alan Turing' })
        deepEqual((await ask('/v2/people/1', put({ first: 'Alan', last: 'Turing' }))).body, {
          first: 'Alan',
          last: 'Turing',
        })
        deepEqual((await ask('/v3/people/1', put({ first: 'Alan', family: 'Turing' }))).body, {
          first: 'Alan',
          family: 'Turing',
        })
      }))

    test('errors are moved down by the changes that ask for it', () =>
      withApi(adapter, routes, { versions: [1, 2, 3], changes }, async (ask) => {
        deepEqual((await ask('/v2/missing')).body, { error: 'nope' })
        deepEqual((await ask('/v3/missing')).body, { code: 'nope' })
      }))

    test('negotiated versions migrate too', () =>
      withApi(adapter, routes, { versions: [1, 2, 3], changes, read: header('v') }, async (ask) => {
        deepEqual((await ask('/people/1', { headers: { v: '1' } })).body, { name: 'Ada Lovelace' })
        deepEqual((await ask('/people/1', { headers: { v: '3' } })).body, { first: 'Ada', family: 'Lovelace' })
      }))

    test('a handler that was replaced keeps to what it was written for', () =>
      withApi(
        adapter,
        [
          ...routes,
          {
            method: 'GET',
            path: '/people/:id',
            marks: { version: 3 },
            answer: () => ({ first: 'New', family: 'Name' }),
          },
        ],
        { versions: [1, 2, 3], changes },
        async (ask) => {
          deepEqual((await ask('/v3/people/1')).body, { first: 'New', family: 'Name' })
          // The older handler speaks version 2, so only the change of version 2 lies between it and version 1.
          deepEqual((await ask('/v2/people/1')).body, { first: 'Ada', family: 'Lovelace' })
        },
      ))
  })
}
