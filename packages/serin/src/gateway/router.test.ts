import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareRank, type Route } from '../model/route.ts'
import { SHARE_WHOLE } from '../model/split.ts'
import { Registry } from '../metrics/registry.ts'
import { Head } from '../wire/head.ts'
import { CompiledRoute, type RouteQuery } from './compiled-route.ts'
import { EMPTY_ROUTER, findRoute, type Found, type Router, RouterEdit } from './router.ts'

const registry = new Registry()
const needs = {
  cluster: () => null,
  meter: (mapping: string, version: string) => registry.destination(mapping, version),
}
const origin = { kind: 'Mapping', namespace: 'default', name: 'test' }

function route(
  id: string,
  path: Route['match']['path'],
  changes: Partial<Route['match']> = {},
  caseSensitive = true,
): Route {
  const action = { kind: 'respond', status: 200, body: '', reason: '' } as const
  return {
    id,
    virtualHosts: ['*'],
    rank: [0, path.value.length, id],
    match: { path, headers: [], query: [], ...changes },
    split: {
      by: { kind: 'random' },
      destinations: [{ mapping: id, version: id, share: SHARE_WHOLE, caseSensitive, action, origin }],
    },
    origin,
  }
}

function compiled(one: Route): CompiledRoute {
  return new CompiledRoute(one, needs, { index: 0, count: 1 }, undefined)
}

function routerOf(routes: readonly Route[], before: Router = EMPTY_ROUTER): Router {
  const edit = new RouterEdit(before, {})
  for (const one of routes) edit.set(compiled(one))
  return edit.finish()
}

function find(router: Router, path: string, host = 'a.test'): string | null {
  const found: Found = { route: null, destination: null }
  const query: RouteQuery = {
    host,
    path,
    folded: '',
    query: '',
    method: 'GET',
    scheme: 'http',
    head: new Head(1),
    clientAddress: '',
    number: -1,
  }
  findRoute(router, query, found)
  return found.route?.route.id ?? null
}

test('the longest prefix is first, exact and pattern paths match the whole path', () => {
  const router = routerOf([
    route('root', { kind: 'prefix', value: '/' }),
    route('man', { kind: 'prefix', value: '/man' }),
    route('manual', { kind: 'prefix', value: '/manual/' }),
    route('exact', { kind: 'exact', value: '/manual/page' }),
    route('pattern', { kind: 'regex', value: '/items/[0-9]+/detail' }),
  ])
  assert.equal(find(router, '/mankind'), 'man')
  assert.equal(find(router, '/manual/page'), 'exact')
  assert.equal(find(router, '/manual/page2'), 'manual')
  assert.equal(find(router, '/items/12/detail'), 'pattern')
  assert.equal(find(router, '/items/x/detail'), 'root')
})

test('hosts: exact, globs at both ends, and without regard to the case of a path where one asks for it', () => {
  const router = routerOf([
    route('any', { kind: 'prefix', value: '/' }),
    route('host-a', { kind: 'prefix', value: '/x' }, { host: { kind: 'exact', value: 'a.test' } }),
    route('suffix', { kind: 'prefix', value: '/y/' }, { host: { kind: 'suffix', value: '.test' } }),
    route('prefix', { kind: 'prefix', value: '/zz/' }, { host: { kind: 'prefix', value: 'a.' } }),
    route('folded', { kind: 'prefix', value: '/Folded/' }, {}, false),
  ])
  assert.equal(find(router, '/x'), 'host-a')
  assert.equal(find(router, '/x', 'b.test'), 'any')
  assert.equal(find(router, '/y/', 'b.test'), 'suffix')
  assert.equal(find(router, '/y/', '.test'), 'suffix')
  assert.equal(find(router, '/zz/'), 'prefix')
  assert.equal(find(router, '/fOLDED/x'), 'folded')
})

test('hosts and paths with names of the language are only names', () => {
  const router = routerOf([
    route('proto', { kind: 'prefix', value: '/__proto__/' }, { host: { kind: 'exact', value: 'constructor' } }),
  ])
  assert.equal(find(router, '/__proto__/x', 'constructor'), 'proto')
  assert.equal(find(router, '/x', '__proto__'), null)
})

const pathText = fc.stringMatching(/^\/(?:[ab]{1,2}\/?){0,3}$/)
const someRoutes = fc.uniqueArray(
  fc.record({ kind: fc.constantFrom('prefix' as const, 'exact' as const), value: pathText }),
  {
    maxLength: 12,
    selector: ({ kind, value }) => `${kind} ${value}`,
  },
)

/** What a scan over all Routes in order would find. */
function scan(routes: readonly Route[], path: string): string | null {
  const inOrder = routes.toSorted((a, b) => compareRank(b.rank, a.rank))
  const taken = inOrder.find(({ match }) =>
    match.path.kind === 'exact' ? path === match.path.value : path.startsWith(match.path.value),
  )
  return taken?.id ?? null
}

test('the tree finds what a scan finds, also after changes, and the Router before them is as it was', () => {
  fc.assert(
    fc.property(someRoutes, someRoutes, fc.array(pathText, { minLength: 1, maxLength: 8 }), (first, second, paths) => {
      const before = first.map((path) => route(`${path.kind} ${path.value}`, path))
      const router = routerOf(before)
      const later = second.map((path) => route(`${path.kind} ${path.value}`, path))
      const edit = new RouterEdit(router, {})
      for (const one of before) edit.remove(compiled(one))
      for (const one of later) edit.set(compiled(one))
      const next = edit.finish()
      for (const path of paths) {
        assert.equal(find(next, path), scan(later, path), path)
        assert.equal(find(router, path), scan(before, path), path)
      }
    }),
    { numRuns: 300 },
  )
})
