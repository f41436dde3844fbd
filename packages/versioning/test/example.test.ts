/** `examples/versioned-api`, asked what its README says to try. */

import { deepEqual, equal, match } from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'

const file = join(import.meta.dirname, '../../../../examples/versioned-api/dist/app.js')
const { shop } = (await import(file)) as { shop: () => FastifyInstance }

test('the shop answers as its README says', async () => {
  const app = shop()
  const newest = {
    id: '1',
    name: 'pen',
    stores: [
      { store: 'main', quantity: 3 },
      { store: 'airport', quantity: 2 },
    ],
  }
  const oldest = { id: '1', name: 'pen', quantity: 5 }
  deepEqual((await app.inject('/v2/items/1')).json(), newest)
  const old = await app.inject('/v1/items/1')
  deepEqual(old.json(), oldest)
  equal(old.headers['deprecation'], '@1767225600')
  equal(old.headers['sunset'], 'Wed, 30 Jun 2027 00:00:00 GMT')
  match(String(old.headers['link']), /<\/v2\/items\/1>; rel="successor-version"/)
  const negotiated = await app.inject({ url: '/items/1', headers: { 'x-api-version': '1' } })
  deepEqual(
    [negotiated.json(), negotiated.headers['vary'], negotiated.headers['x-api-version']],
    [oldest, 'x-api-version', '1'],
  )
  deepEqual((await app.inject('/items/1')).json(), newest)
  equal((await app.inject({ url: '/items/1', headers: { 'x-api-version': '7' } })).statusCode, 400)
  deepEqual([(await app.inject('/v1/search?q=pe')).statusCode, (await app.inject('/v2/search')).statusCode], [200, 404])
  const added = await app.inject({ method: 'POST', url: '/v1/items', payload: { name: 'ink', quantity: 4 } })
  deepEqual([added.statusCode, added.json()], [201, { id: '2', name: 'ink', quantity: 4 }])
  deepEqual((await app.inject('/latest/items/2')).json(), {
    id: '2',
    name: 'ink',
    stores: [{ store: 'main', quantity: 4 }],
  })
  equal((await app.inject({ method: 'DELETE', url: '/v3-beta/items/2' })).statusCode, 204)
  equal((await app.inject({ method: 'DELETE', url: '/v2/items/1' })).statusCode, 404)
  const { paths } = (await app.inject('/v1/openapi.json')).json() as {
    paths: Record<string, Record<string, { responses: object }>>
  }
  deepEqual(Object.keys(paths['/items']?.['post']?.responses ?? {}), ['201'])
  const { latest, versions } = (await app.inject('/versions')).json() as {
    latest: string
    versions: { status: string }[]
  }
  deepEqual([latest, versions.map(({ status }) => status)], ['2', ['deprecated', 'stable', 'preview']])
  const page = (await app.inject('/v2/docs')).body
  match(page, /What is new in this version.*The quantity of an item is told for each store/)
  for (const url of ['/docs', '/v1/docs', '/latest/docs', '/v3-beta/openapi.json', '/health'])
    equal((await app.inject(url)).statusCode, 200, url)
  await app.close()
})
