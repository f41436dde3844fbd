import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Redirect } from '../model/destination.ts'
import type { Route } from '../model/route.ts'
import { compileRedirect, redirectLocation } from './redirect.ts'

function location(path: Redirect['path'], matched: Route['match']['path'], from: string, query = ''): string {
  const route = { match: { path: matched, headers: [], query: [] } } as unknown as Route
  return redirectLocation(compileRedirect({ host: 'foobar.com', status: 301, path }, route), 'http', from, query)
}

test('a redirect leads to another host, path, prefix or pattern', () => {
  const prefix = { kind: 'prefix', value: '/r/' } as const
  assert.equal(location({ kind: 'same' }, prefix, '/r/x', '?y=1'), 'http://foobar.com/r/x?y=1')
  assert.equal(location({ kind: 'path', value: '/new' }, prefix, '/r/x', '?y=1'), 'http://foobar.com/new?y=1')
  assert.equal(location({ kind: 'path', value: '/new?q=1' }, prefix, '/r/x', '?y=1'), 'http://foobar.com/new?q=1')
  assert.equal(location({ kind: 'prefix', value: '/new/' }, prefix, '/r/a/x'), 'http://foobar.com/new/a/x')
  const regex = { kind: 'regex', pattern: '/r/([a-f0-9]+)/images', substitution: String.raw`/images/\1` } as const
  assert.equal(location(regex, prefix, '/r/ab12/images/1.png', '?x'), 'http://foobar.com/images/ab12/1.png?x')
  assert.equal(location(regex, prefix, '/r/other'), 'http://foobar.com/r/other')
})

test('a prefix redirect of a pattern replaces the whole path', () => {
  const matched = { kind: 'regex', value: '/r/[0-9]+' } as const
  assert.equal(location({ kind: 'prefix', value: '/n' }, matched, '/r/12'), 'http://foobar.com/n')
})
