/** Documents, pages, the index, and `specs`. */

import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { fastify, type FastifyInstance } from 'fastify'
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import { z } from 'zod'
import { contentSchema, operationsOf, type OpenApiDocument } from '../src/openapi/document.ts'
import { change, header, specs, versioned, type VersionedOptions, type VersionedRoutes } from '../src/index.ts'

const routes: VersionedRoutes = (api) => {
  api.addSchema({
    $id: 'Item',
    type: 'object',
    required: ['id'],
    properties: { id: { type: 'string' }, stores: { type: 'array', items: { type: 'integer' } } },
  })
  api.get(
    '/items/:id',
    {
      version: 1,
      schema: {
        summary: 'One item',
        params: { type: 'object', properties: { id: { type: 'string' } } },
        response: { 200: { $ref: 'Item#' } },
      },
    },
    () => ({ id: '1' }),
  )
  api.delete('/items/:item', { version: 2, deprecated: '2026-01-01' }, () => ({}))
  api.get('/hidden', { version: 1, schema: { hide: true } as never }, () => ({}))
  api.get('/ended', { version: { from: 1, until: 2 } }, () => ({}))
  api.register(async (users) => void users.get('/', { version: 1 }, () => []), { prefix: '/users' })
}

const options: VersionedOptions = {
  title: 'Shop <1>',
  description: 'An example',
  path: '/v{major}',
  label: '{major}.{minor}',
  latest: true,
  docs: true,
  versions: {
    1: { deprecated: '2026-01-01', sunset: '2026-12-31', info: 'https://acme.dev/move' },
    2: {},
    '3-beta': {},
  },
  clock: () => Date.parse('2026-06-01T00:00Z'),
}

async function app(more: Partial<VersionedOptions> = {}, prefix = ''): Promise<FastifyInstance> {
  const instance = fastify()
  instance.register(versioned(routes, { ...options, ...more }), { prefix })
  await instance.ready()
  return instance
}

test('each version has its document: its paths, its base address, its label, what is deprecated', async () => {
  const api = await app({}, '/api')
  const one = (await api.inject('/api/v1/openapi.json')).json()
  deepEqual(one.info, { title: 'Shop <1>', description: 'An example', version: '1.0' })
  deepEqual(one.servers, [{ url: '/api/v1' }])
  deepEqual(Object.keys(one.paths).sort(), ['/ended', '/items/{id}', '/users'])
  equal(one.paths['/items/{id}'].get.deprecated, true)
  equal(
    one.paths['/items/{id}'].get.responses['200'].content['application/json'].schema.$ref,
    '#/components/schemas/def-0',
  )
  const two = (await api.inject('/api/v2/openapi.json')).json()
  deepEqual(Object.keys(two.paths).sort(), ['/items/{item}', '/users'])
  deepEqual(Object.keys(two.paths['/items/{item}']).sort(), ['delete', 'get'])
  equal(two.paths['/items/{item}'].delete.deprecated, true)
  equal(two.paths['/items/{item}'].get.deprecated, undefined)
  equal(two.paths['/items/{item}'].get.parameters[0].name, 'item')
  deepEqual((await api.inject('/api/latest/openapi.json')).json().servers, [{ url: '/api/latest' }])
})

test('the list of versions says what each is up to', async () => {
  const api = await app()
  deepEqual((await api.inject('/versions')).json(), {
    title: 'Shop <1>',
    latest: '2',
    versions: [
      {
        version: '1',
        label: '1.0',
        status: 'deprecated',
        deprecated: '2026-01-01',
        sunset: '2026-12-31',
        info: 'https://acme.dev/move',
        latest: false,
        url: '/v1',
        docs: '/v1/docs',
        openapi: '/v1/openapi.json',
      },
      {
        version: '2',
        label: '2.0',
        status: 'stable',
        latest: true,
        url: '/v2',
        docs: '/v2/docs',
        openapi: '/v2/openapi.json',
      },
      {
        version: '3-beta',
        label: '3.0-beta',
        status: 'preview',
        latest: false,
        url: '/v3-beta',
        docs: '/v3-beta/docs',
        openapi: '/v3-beta/openapi.json',
      },
    ],
  })
})

test('pages escape what they show, load nothing, and run no script', async () => {
  const api = await app()
  for (const url of ['/docs', '/v1/docs', '/latest/docs']) {
    const { statusCode, body, headers } = await api.inject(url)
    equal(statusCode, 200, url)
    match(String(headers['content-type']), /^text\/html/)
    match(String(headers['content-security-policy']), /^default-src 'none'/)
    ok(body.includes('Shop &lt;1&gt;') && !body.includes('Shop <1>'), url)
    ok(!/<script|src=|<link|@import|url\(/.test(body), url)
  }
  const one = (await api.inject('/v1/docs')).body
  match(one, /deprecated since 2026-01-01 and ends on 2026-12-31/)
  match(one, /<code class="old">\/items\/\{id\}<\/code> <span class="dim">One item<\/span>/)
  ok(one.includes('href="/v1/openapi.json"'))
  match(one, /<code>stores<\/code><span class="dim">\?<\/span> <i>list of integer<\/i>/)
})

test('addresses can be chosen, switched off and protected', async () => {
  const api = await app({
    docs: {
      index: '/reference',
      page: false,
      document: '/spec.json',
      versions: false,
      onRequest: async (request, reply) => {
        if (request.headers.authorization === undefined) await reply.code(401).send({ who: 'are you' })
      },
    },
  })
  const status = async (url: string, authorization?: string): Promise<number> =>
    (await api.inject({ url, headers: authorization === undefined ? {} : { authorization } })).statusCode
  deepEqual(
    [
      await status('/reference'),
      await status('/v1/spec.json'),
      await status('/v1/spec.json', 'x'),
      await status('/versions', 'x'),
      await status('/v1/docs', 'x'),
    ],
    [401, 401, 200, 404, 404],
  )
  equal((await (await app({ docs: false })).inject('/docs')).statusCode, 404)
})

test('a route of the API goes before a page of the same address', async () => {
  const instance = fastify()
  instance.register(versioned((api) => api.get('/docs', { version: 1 }, () => 'mine'), { docs: true }))
  equal((await instance.inject('/v1/docs')).body, 'mine')
  equal((await instance.inject('/v1/openapi.json')).statusCode, 200)
})

test('without a prefix, an only version has its page at /docs, and the latest leaves that to the index', async () => {
  const only = fastify()
  only.register(versioned((api) => api.get('/a', { version: 1 }, () => ''), { path: '', docs: true }))
  ok((await only.inject('/docs')).body.includes('<code>/a</code>'))
  deepEqual(Object.keys((await only.inject('/openapi.json')).json().paths), ['/a'])
  const latest = fastify()
  latest.register(versioned((api) => api.get('/a', { version: 1 }, () => ''), { latest: '', docs: true }))
  ok((await latest.inject('/docs')).body.includes('href="/v1/docs"'))
})

test('without versions in the URL the documents lie under the index, and neutral routes are in each', async () => {
  const instance = fastify()
  instance.register(
    versioned(
      (api) => {
        api.get('/a', { version: 1 }, () => ({}))
        api.get('/health', { version: 'neutral' }, () => ({}))
      },
      { read: header('v'), docs: true, versions: [1, 2] },
    ),
    { prefix: '/api' },
  )
  const document = (await instance.inject('/api/docs/2/openapi.json')).json()
  deepEqual([document.servers, Object.keys(document.paths).sort()], [[{ url: '/api' }], ['/a', '/health']])
  equal((await instance.inject('/api/docs/1')).statusCode, 200)
  ok((await instance.inject('/api/docs')).body.includes('href="/api/docs/2"'))
})

test('specs gives the documents in code; an older one shows the older schemas', async () => {
  const instance = fastify()
  const newest = { type: 'object', properties: { stores: { type: 'array', items: { type: 'integer' } } } }
  const older = { type: 'object', properties: { quantity: { type: 'integer' } } }
  instance.register(
    versioned((api) => api.get('/item', { schema: { response: { 200: newest } } }, () => ({})), {
      versions: [1, 2],
      changes: [
        change(2, 'Per store', {
          on: { url: '/item' },
          schema: { response: { 200: older } },
          response: (item: object) => item,
        }),
      ],
    }),
  )
  const documents = await specs(instance)
  const schema = (version: string): unknown => {
    const [operation] = operationsOf(documents[version] as OpenApiDocument)
    const responses = operation?.operation['responses'] as Record<string, { content: unknown }>
    return contentSchema(documents[version] as OpenApiDocument, responses['200']?.content)
  }
  deepEqual([schema('1'), schema('2')], [older, newest])
  await rejects(specs(instance, { prefix: '/other' }), /no versioned part has the prefix "\/other"; there are ""/)
})

test('Zod schemas are documented through their own transform, and validated', async () => {
  const instance = fastify()
  instance.setValidatorCompiler(validatorCompiler)
  instance.setSerializerCompiler(serializerCompiler)
  instance.register(
    versioned(
      (api) => {
        api.withTypeProvider<ZodTypeProvider>().get(
          '/sum',
          {
            version: 1,
            schema: {
              querystring: z.object({ a: z.coerce.number() }),
              response: { 200: z.object({ sum: z.number() }) },
            },
          },
          (request) => ({ sum: request.query.a + 1 }),
        )
      },
      { docs: { swagger: { transform: jsonSchemaTransform } } },
    ),
  )
  deepEqual((await instance.inject('/v1/sum?a=2')).json(), { sum: 3 })
  equal((await instance.inject('/v1/sum')).statusCode, 400)
  const { paths } = (await instance.inject('/v1/openapi.json')).json()
  equal(paths['/sum'].get.parameters[0].name, 'a')
})
