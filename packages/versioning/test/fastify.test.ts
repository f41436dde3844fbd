/** What Fastify users rely on goes on working inside `versioned`. */

import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import websocket from '@fastify/websocket'
import { fastify, type FastifyInstance, type FastifyServerOptions } from 'fastify'
import {
  accept,
  change,
  header,
  usageChannelName,
  VersioningError,
  versioned,
  versionUsage,
  type VersionedOptions,
  type VersionedRoutes,
} from '../src/index.ts'

async function app(
  routes: VersionedRoutes,
  options: VersionedOptions = {},
  server: FastifyServerOptions = {},
  prefix = '',
): Promise<FastifyInstance> {
  const instance = fastify(server)
  instance.register(versioned(routes, options), { prefix })
  await instance.ready()
  return instance
}

async function json(instance: FastifyInstance, url: string): Promise<unknown> {
  return (await instance.inject(url)).json()
}

describe('encapsulation', () => {
  test('nested prefixes, hooks, decorators and error handlers belong to their plugin', async () => {
    const api = await app(async (outer) => {
      outer.decorateRequest('trail', null as never)
      outer.addHook('onRequest', async (request) => void Object.assign(request, { trail: ['outer'] }))
      outer.get('/', { version: 1 }, (request) => (request as unknown as { trail: string[] }).trail)
      outer.register(
        async (users) => {
          users.addHook(
            'preHandler',
            async (request) => void (request as unknown as { trail: string[] }).trail.push('users'),
          )
          users.setErrorHandler((error: Error, _request, reply) => reply.code(418).send({ users: error.message }))
          users.get('/', { version: 1 }, (request) => (request as unknown as { trail: string[] }).trail)
          users.get('/:id', { version: 2 }, () => {
            throw new Error('tea')
          })
        },
        { prefix: '/users' },
      )
    })
    deepEqual(await json(api, '/v1'), ['outer'])
    deepEqual(await json(api, '/v2/users'), ['outer', 'users'])
    deepEqual(await json(api, '/v1/users/'), ['outer', 'users'])
    deepEqual(await json(api, '/v2/users/7'), { users: 'tea' })
    equal((await api.inject('/users')).statusCode, 404)
    equal((await api.inject('/users/')).statusCode, 404)
  })

  test('hooks of the app around it run for all versions, and its own not-found handler for the rest', async () => {
    const instance = fastify()
    instance.addHook('onRequest', async (_request, reply) => void reply.header('x-root', 'yes'))
    instance.setNotFoundHandler((_request, reply) => reply.code(404).send({ nothing: true }))
    instance.register(versioned((api) => api.get('/', { version: 1 }, () => ({}))))
    equal((await instance.inject('/v1')).headers['x-root'], 'yes')
    deepEqual(await json(instance, '/v9'), { nothing: true })
  })

  test('the URL of a route is the one it is served at, for metrics and onRoute hooks', async () => {
    const seen: string[] = []
    const api = await app(
      (scope) => {
        scope.addHook('onRoute', ({ url, prefix }) => void seen.push(`${prefix} ${url}`))
        scope.get('/items/:id', { version: 1 }, (request) => ({ url: request.routeOptions.url }))
        scope.get('/b', { version: 2 }, () => ({}))
      },
      {},
      { exposeHeadRoutes: false },
    )
    deepEqual(await json(api, '/v2/items/1'), { url: '/v2/items/:id' })
    deepEqual(seen, ['/v1 /v1/items/:id', '/v2 /v2/b', '/v2 /v2/items/:id'])
  })

  test('a plugin may be written with a callback, and registers plugins of its own', async () => {
    const api = await app((scope, _options, done) => {
      scope.register((child, _childOptions, childDone) => {
        child.get('/deep', { version: 2 }, () => 'deep')
        childDone()
      })
      done()
    })
    equal((await api.inject('/v2/deep')).body, 'deep')
  })

  test('two versioned parts live side by side, each with its own readers', async () => {
    const instance = fastify()
    instance.register(
      versioned((api) => api.get('/a', { version: 1 }, (request) => ({ a: request.apiVersion })), {
        read: header('a-version'),
      }),
      { prefix: '/one' },
    )
    instance.register(
      versioned((api) => api.get('/a', { version: 2 }, (request) => ({ b: request.apiVersion })), {
        read: header('b-version'),
        default: 2,
      }),
      { prefix: '/two' },
    )
    deepEqual((await instance.inject({ url: '/one/a', headers: { 'a-version': '1' } })).json(), { a: '1' })
    deepEqual((await instance.inject({ url: '/two/a', headers: { 'b-version': '2' } })).json(), { b: '2' })
    equal((await instance.inject({ url: '/two/a', headers: { 'a-version': '1' } })).statusCode, 400)
  })
})

test('without encapsulation it works on the app itself, once, and leaves its methods as they were', async () => {
  const open = Object.assign(
    versioned((api) => api.get('/', { version: 1 }, () => 'one')),
    { [Symbol.for('skip-override')]: true },
  )
  const instance = fastify()
  await instance.register(open)
  instance.get('/later', () => 'later')
  equal((await instance.inject('/v1')).body, 'one')
  equal((await instance.inject('/later')).body, 'later')
  const twice = fastify()
  twice.register(open)
  twice.register(versioned((api) => api.get('/', { version: 2 }, () => 'two')))
  await rejects(async () => twice.ready(), /request\.apiVersion is taken/)
})

test('a versioned part inside of another is refused', () =>
  rejects(
    app((outer) => void outer.register(versioned((inner) => inner.get('/', { version: 1 }, () => '')))),
    /versioned\(\) inside of versioned\(\)/,
  ))

describe('routes', () => {
  test('schemas validate and serialise each version by its own', async () => {
    const schemaOf = (type: string): object => ({
      querystring: { type: 'object', properties: { n: { type } } },
      response: { 200: { type: 'object', properties: { [type]: { type } } } },
    })
    const api = await app((scope) => {
      scope.addSchema({ $id: 'thing', type: 'object', properties: { name: { type: 'string' } } })
      scope.get('/a', { version: 1, schema: schemaOf('integer') }, (request) => ({
        integer: (request.query as { n: number }).n,
        string: 'no',
      }))
      scope.get('/a', { version: 2, schema: schemaOf('string') }, (request) => ({
        integer: 1,
        string: (request.query as { n: string }).n,
      }))
      scope.get('/ref', { version: 1, schema: { response: { 200: { $ref: 'thing#' } } } }, () => ({
        name: 'x',
        secret: 'y',
      }))
    })
    deepEqual(await json(api, '/v1/a?n=3'), { integer: 3 })
    deepEqual(await json(api, '/v2/a?n=3'), { string: '3' })
    equal((await api.inject('/v1/a?n=x')).statusCode, 400)
    deepEqual(await json(api, '/v2/ref'), { name: 'x' })
  })

  test('a route with several methods keeps those that no newer route has taken', async () => {
    const api = await app((scope) => {
      scope.route({ method: ['GET', 'POST', 'DELETE'], url: '/m', version: 1, handler: () => ({ m: 1 }) })
      scope.get('/m', { version: 2 }, () => ({ m: 2 }))
    })
    deepEqual(await json(api, '/v2/m'), { m: 2 })
    deepEqual((await api.inject({ method: 'POST', url: '/v2/m' })).json(), { m: 1 })
    deepEqual(await json(api, '/v1/m'), { m: 1 })
  })

  test('HEAD: added to GET, or its own', async () => {
    const api = await app((scope) => {
      scope.get('/auto', { version: 1 }, () => 'x')
      scope.get('/own', { version: 1 }, () => 'x')
      scope.head('/own', { version: 1 }, (_request, reply) => reply.header('x-own', 'yes').send())
    })
    equal((await api.inject({ method: 'HEAD', url: '/v1/auto' })).statusCode, 200)
    equal((await api.inject({ method: 'HEAD', url: '/v1/own' })).headers['x-own'], 'yes')
  })

  test('optional parameters, patterns, wildcards, all() and user-made methods', async () => {
    const api = await app((scope) => {
      scope.addHttpMethod('MKCOL')
      scope.get('/opt/:id?', { version: 1 }, (request) => ({ v1: request.params }))
      scope.get('/opt', { version: 2 }, () => ({ v2: true }))
      scope.get('/n/:id(^\\d+$)', { version: 1 }, (request) => ({ v1: request.params }))
      scope.get('/n/:num(^[0-9]+$)', { version: 2 }, (request) => ({ v2: request.params }))
      scope.all('/files/*', { version: 1 }, (request) => ({ path: (request.params as { '*': string })['*'] }))
      ;(scope as unknown as { mkcol: FastifyInstance['get'] }).mkcol('/dir', { version: 1 }, () => ({ made: true }))
    })
    deepEqual(await json(api, '/v1/opt/3'), { v1: { id: '3' } })
    deepEqual(await json(api, '/v2/opt'), { v2: true })
    deepEqual(await json(api, '/v2/opt/3'), { v1: { id: '3' } })
    deepEqual(await json(api, '/v2/n/7'), { v2: { num: '7' } })
    deepEqual((await api.inject({ method: 'PATCH', url: '/v2/files/a/b' })).json(), { path: 'a/b' })
    deepEqual((await api.inject({ method: 'MKCOL' as 'GET', url: '/v1/dir' })).json(), { made: true })
  })

  test("the router's own options count: case and trailing slashes", async () => {
    const routes: VersionedRoutes = (scope) => {
      scope.get('/Items/', { version: 1 }, () => ({ v: 1 }))
      scope.get('/items', { version: 2 }, () => ({ v: 2 }))
    }
    const loose = await app(routes, {}, { routerOptions: { caseSensitive: false, ignoreTrailingSlash: true } })
    deepEqual(await json(loose, '/v2/ITEMS/'), { v: 2 })
    const strict = await app(routes)
    deepEqual(await json(strict, '/v2/Items/'), { v: 1 })
  })

  test('constraints of the author stay', async () => {
    const api = await app((scope) => {
      scope.get('/', { version: 1, constraints: { host: 'a.test' } }, () => 'a')
      scope.get('/', { version: 1, constraints: { host: 'b.test' } }, () => 'b')
    })
    equal((await api.inject({ url: '/v1', headers: { host: 'b.test' } })).body, 'b')
  })

  test('WebSockets are versioned like everything else', async () => {
    const instance = fastify({ forceCloseConnections: true })
    await instance.register(websocket)
    instance.register(
      versioned((api) => {
        api.get('/live', { version: 1, websocket: true }, (socket, request) => socket.send(`v1 ${request.apiVersion}`))
        api.get('/live', { version: 2, websocket: true }, (socket, request) => socket.send(`v2 ${request.apiVersion}`))
      }),
    )
    await instance.ready()
    for (const version of ['1', '2']) {
      let first: Promise<unknown[]> | undefined
      const socket = await instance.injectWS(
        `/v${version}/live`,
        {},
        { onInit: (ws) => void (first = once(ws, 'message')) },
      )
      equal(String((await first)?.[0]), `v${version} ${version}`)
      socket.terminate()
    }
    await instance.close()
  })

  test('405 with Allow and redirects of slashes are opt-in', async () => {
    const api = await app(
      (scope) => {
        scope.get('/items', { version: 1 }, () => ({}))
        scope.post('/items', { version: 1 }, () => ({}))
        scope.get('/dir/', { version: 1 }, () => ({}))
      },
      { methodNotAllowed: true, trailingSlash: 'redirect' },
    )
    const wrong = await api.inject({ method: 'DELETE', url: '/v1/items' })
    deepEqual(
      [wrong.statusCode, wrong.headers['allow'], wrong.headers['content-type']],
      [405, 'GET, POST', 'application/problem+json; charset=utf-8'],
    )
    const missing = await api.inject('/v1/dir?x=1')
    deepEqual([missing.statusCode, missing.headers['location']], [307, '/v1/dir/?x=1'])
    equal((await api.inject('/v1/items/')).headers['location'], '/v1/items')
    equal((await api.inject('/v1/nothing')).statusCode, 404)
    equal((await api.inject('//evil.test/v1/items/')).statusCode, 404)
  })
})

describe('unmarked routes', () => {
  const routes: VersionedRoutes = (scope) => {
    scope.get('/plain', () => 'plain')
    scope.get('/two', { version: 2 }, () => 'two')
  }
  test('belong to the default version, which exists even if nothing is in it', async () => {
    const api = await app(routes, { default: 5 })
    for (const [url, status] of Object.entries({ '/v5/plain': 200, '/v5/two': 200, '/v2/plain': 404, '/v2/two': 200 }))
      equal((await api.inject(url)).statusCode, status, url)
  })
  test('are neutral on wish', async () => {
    equal((await (await app(routes, { default: 'neutral' })).inject('/plain')).body, 'plain')
  })
  test('are a mistake on wish', () => rejects(app(routes, { default: 'error' }), /unversioned-route/))
})

describe('removals', () => {
  test("a route that is not one's own to mark can be ended", async () => {
    const api = await app(
      (scope) => {
        scope.get('/a', { version: 1 }, () => 'a')
        scope.get('/', { version: 1 }, () => 'root')
      },
      {
        versions: [1, 2],
        remove: [
          { method: 'get', url: '/a', version: 2 },
          { method: 'GET', url: '/', version: 2 },
        ],
      },
    )
    for (const [url, status] of Object.entries({ '/v1/a': 200, '/v2/a': 404, '/v1': 200, '/v2': 404, '/v2/': 404 }))
      equal((await api.inject(url)).statusCode, status, url)
  })
})

describe('negotiation', () => {
  test('bodies of vendor media types are JSON, errors of the app vary too', async () => {
    const api = await app(
      (scope) => {
        scope.post('/a', { version: 2 }, (request) => ({ got: request.body, version: request.apiVersion }))
        scope.get('/boom', { version: 2 }, () => {
          throw new Error('boom')
        })
      },
      { read: accept({ vendor: 'acme' }), default: 2 },
    )
    const reply = await api.inject({
      method: 'POST',
      url: '/a',
      headers: { 'content-type': 'application/vnd.acme.v2+json' },
      payload: '{"x":1}',
    })
    deepEqual(reply.json(), { got: { x: 1 }, version: '2' })
    const unreadable = await api.inject({
      method: 'POST',
      url: '/a',
      headers: { 'content-type': 'application/vnd.acme.v9+json' },
      payload: '{}',
    })
    equal(unreadable.statusCode, 415)
    const boom = await api.inject({ url: '/boom', headers: { accept: 'application/json;v=2' } })
    deepEqual([boom.statusCode, boom.headers['vary']], [500, 'accept'])
  })

  test('Vary is added to what others vary by', async () => {
    const api = await app(
      (scope) => {
        scope.addHook('onRequest', async (_request, reply) => void reply.header('vary', 'Origin'))
        scope.get('/a', { version: 1 }, () => ({}))
      },
      { read: header('v') },
    )
    equal((await api.inject({ url: '/a', headers: { v: '1' } })).headers['vary'], 'Origin, v')
  })
})

describe('migrations with schemas', () => {
  const number = { type: 'object', required: ['quantity'], properties: { quantity: { type: 'integer' } } }
  const perStore = {
    type: 'object',
    required: ['stores'],
    properties: { stores: { type: 'array', items: { type: 'integer' } } },
  }
  const stores = change('2025-06-01', 'Quantity is reported per store', {
    on: { url: '/item' },
    schema: { body: number, response: { 200: number } },
    request: ({ quantity }: { quantity: number }) => ({ stores: [quantity] }),
    response: (item: { stores: number[] }) => ({ quantity: item.stores.reduce((sum, next) => sum + next, 0) }),
  })
  const options: VersionedOptions = {
    versions: ['2024-01-15', '2025-06-01'],
    changes: [stores],
    read: header('acme-version'),
    match: 'floor',
  }
  const routes: VersionedRoutes = (scope) => {
    scope.get('/item', { schema: { response: { 200: perStore } } }, () => ({ stores: [2, 3] }))
    scope.put('/item', { schema: { body: perStore, response: { 200: perStore } } }, (request) => request.body)
  }
  const at = (version: string): Record<string, string> => ({ 'acme-version': version })

  test('the request is validated by the older schema, moved up, and the answer serialised by the older schema', async () => {
    const api = await app(routes, options)
    deepEqual((await api.inject({ url: '/item', headers: at('2024-12-01') })).json(), { quantity: 5 })
    deepEqual((await api.inject({ url: '/item', headers: at('2025-06-01') })).json(), { stores: [2, 3] })
    const put = (version: string, payload: object) =>
      api.inject({ method: 'PUT', url: '/item', headers: at(version), payload })
    deepEqual((await put('2024-01-15', { quantity: 4 })).json(), { quantity: 4 })
    deepEqual((await put('2025-07-01', { stores: [1] })).json(), { stores: [1] })
    equal((await put('2024-01-15', { stores: [1] })).statusCode, 400)
    equal((await put('2025-07-01', { quantity: 4 })).statusCode, 400)
  })

  test('a change of a named schema counts wherever it is the whole or the items of an answer', async () => {
    const api = await app(
      (scope) => {
        scope.addSchema({ $id: 'Item', ...perStore })
        scope.get('/one', { schema: { response: { 200: { $ref: 'Item#' } } } }, () => ({ stores: [1, 2] }))
        scope.get('/many', { schema: { response: { 200: { type: 'array', items: { $ref: 'Item#' } } } } }, () => [
          { stores: [1] },
          { stores: [2, 2] },
        ])
        scope.get('/other', () => ({ stores: [1] }))
      },
      {
        ...options,
        changes: [
          change('2025-06-01', 'Per store', {
            on: { schema: 'Item' },
            schema: { response: { 200: true } },
            response: (item: { stores: number[] }) => ({ quantity: item.stores.length }),
          }),
        ],
      },
    )
    const get = async (url: string): Promise<unknown> => (await api.inject({ url, headers: at('2024-01-15') })).json()
    deepEqual(await get('/one'), { quantity: 2 })
    deepEqual(await get('/many'), [{ quantity: 1 }, { quantity: 2 }])
    deepEqual(await get('/other'), { stores: [1] })
  })

  test('a migration whose older schema is missing is a mistake, since validation would undo it', () =>
    rejects(
      app(routes, { ...options, changes: [change('2025-06-01', 'Half', { response: (item: object) => item })] }),
      (error: VersioningError) => {
        deepEqual(
          error.diagnostics.map(({ code }) => code),
          ['bad-change', 'bad-change'],
        )
        match(error.message, /add 'schema: \{ response: … \}'/)
        return true
      },
    ))

  test('a migration that throws is an error of the request', async () => {
    const broken = change('2025-06-01', 'Broken', {
      on: { url: '/free' },
      request: () => {
        throw Object.assign(new Error('cannot'), { statusCode: 422 })
      },
    })
    const api = await app((scope) => scope.post('/free', () => ({})), { ...options, changes: [broken] })
    equal((await api.inject({ method: 'POST', url: '/free', headers: at('2024-01-15'), payload: {} })).statusCode, 422)
  })
})

describe('usage', () => {
  test('is counted per version, route and client, told to a hook and to a channel', async () => {
    const told: unknown[] = []
    const published: unknown[] = []
    const listener = (message: unknown): void => void published.push((message as { version: string }).version)
    channel(usageChannelName).subscribe(listener)
    const api = await app(
      (scope) => {
        scope.get('/items/:id', { version: 1 }, () => ({}))
        scope.get('/health', { version: 'neutral' }, () => ({}))
      },
      {
        versions: [1, 2],
        usage: { client: (request) => String(request.headers['x-client'] ?? 'nobody'), clientsMax: 2 },
        onVersionUsed: (use) => void told.push(use),
      },
    )
    for (const client of ['a', 'a', 'b', 'c', 'd'])
      await api.inject({ url: '/v1/items/7', headers: { 'x-client': client } })
    await api.inject('/v2/items/7')
    await api.inject('/health')
    const usage = await versionUsage(api)
    deepEqual(usage.counts()[0], { version: '1', method: 'GET', route: '/items/:id', client: 'a', count: 2 })
    equal(usage.counts().find(({ client, version }) => client === 'other' && version === '1')?.count, 2)
    match(usage.prometheus(), /^# HELP serin_api_requests_total .*\n# TYPE serin_api_requests_total counter\n/)
    ok(
      usage
        .prometheus()
        .includes('serin_api_requests_total{version="1",method="GET",route="/items/:id",client="a"} 2\n'),
    )
    deepEqual(told[0], { version: '1', method: 'GET', route: '/items/:id', status: 200, client: 'a' })
    deepEqual(published, ['1', '1', '1', '1', '1', '2', 'neutral'])
    channel(usageChannelName).unsubscribe(listener)
    await rejects(versionUsage(fastify()), /registered nothing/)
  })
})
