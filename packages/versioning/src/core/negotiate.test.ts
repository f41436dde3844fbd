/** What clients send, good and evil. */

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { brownouts, lifecycleHeaders, noLifecycle, readLifecycle, refusalAt, successorLink } from './lifecycle.ts'
import { compileNegotiation, type NegotiationInput, type Outcome } from './negotiate.ts'
import { accept, header, host, query, type Reader } from './readers.ts'
import { version } from './version.ts'

const versions = ['1', '1.2', '2', '3-beta'].map((text) => version(text))

function negotiation(
  readers: readonly Reader[],
  more: Partial<NegotiationInput> = {},
): (source: { url?: string; headers: Record<string, string | string[]> }) => Outcome {
  const input = {
    readers,
    match: 'exact',
    missing: 'error',
    versions,
    previews: new Set(['3-beta']),
    latest: versions[2],
    fallback: versions[0],
    problems: {},
  } as const
  return compileNegotiation({ ...input, ...more }).ask as (source: object) => Outcome
}

function said(outcome: Outcome): string {
  return outcome.kind === 'version' ? outcome.version.text : outcome.problem.kind
}

test('media types: vendors, parameters, quality, bodies', () => {
  const ask = negotiation([accept({ vendor: 'acme' })])
  const rows: readonly (readonly [Record<string, string>, string])[] = [
    [{ accept: 'application/vnd.acme.v2+json' }, '2'],
    [{ accept: 'application/vnd.acme.item.v1.2+json' }, '1.2'],
    [{ accept: 'application/vnd.acme.item-v2+json' }, '2'],
    [{ accept: 'application/vnd.acme.v3-beta+json' }, '3-beta'],
    [{ accept: 'APPLICATION/VND.ACME.V2+JSON' }, '2'],
    [{ accept: 'application/json; v="1.2"' }, '1.2'],
    [{ accept: 'application/json;v=1;q=0' }, 'missing'],
    [{ accept: 'text/html, application/json;v=2;q=0.2, application/json;v=1;q=0.1' }, '2'],
    [{ accept: 'application/vnd.other.v2+json' }, 'missing'],
    [{ accept: 'application/vnd.acme.v7+json' }, 'unknown'],
    [{ 'content-type': 'application/vnd.acme.v2+json' }, '2'],
    [{ accept: '*/*', 'content-type': 'application/json; v=1' }, '1'],
  ]
  for (const [headers, expected] of rows) equal(said(ask({ headers })), expected, JSON.stringify(headers))
})

test('queries, hosts, repeated headers', () => {
  const ask = negotiation([header('v'), query(), host('v{version}.api.test')])
  const rows: readonly (readonly [string, Record<string, string | string[]>, string])[] = [
    ['/a?api-version=1.2', {}, '1.2'],
    ['/a?api-version=1%2E2', {}, '1.2'],
    ['/a?x=1', {}, 'missing'],
    ['/a?api-version=', {}, 'malformed'],
    ['/a', { host: 'v2.api.test:8080' }, '2'],
    ['/a', { host: 'V1-2.API.TEST' }, '1.2'],
    ['/a', { host: 'v1_2.api.test' }, '1.2'],
    ['/a', { host: 'api.test' }, 'missing'],
    ['/a', { host: 'v2.api.test.evil' }, 'missing'],
    ['/a', { v: ['1', '1.0'] }, '1'],
    ['/a', { v: ['1', '2'] }, 'ambiguous'],
    ['/a', { v: ['1', 'x'] }, 'ambiguous'],
    ['/a?api-version=2', { v: '2', host: 'v2.api.test' }, '2'],
    ['/a?api-version=2', { v: '2', host: 'v1.api.test' }, 'ambiguous'],
    ['/a?api-version=x', { v: '2' }, 'malformed'],
  ]
  for (const [url, headers, expected] of rows)
    equal(said(ask({ url, headers })), expected, `${url} ${JSON.stringify(headers)}`)
})

test('nothing that a client sends makes a reader throw, or an answer of more than a few hundred characters', () => {
  const text = fc.oneof(fc.string({ maxLength: 400 }), fc.stringMatching(/^[0-9.,;=v+"a-z/ *-]{0,200}$/))
  const modes = fc.constantFrom('exact', 'floor', 'semver')
  fc.assert(
    fc.property(text, text, text, text, modes, (url, one, other, type, mode) => {
      const ask = negotiation([header('v'), query(), accept({ vendor: 'acme' }), host('v{version}.x')], { match: mode })
      const outcome = ask({
        url: `/a?${url}`,
        headers: { v: [one, other], accept: type, host: one, 'content-type': other },
      })
      if (outcome.kind === 'problem') ok(JSON.stringify(outcome.problem.body).length < 1500)
    }),
    { numRuns: 150 },
  )
})

test('a link to the successor is one header line, whatever the path holds', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (path) =>
      match(successorLink(`/${path}\ud800`), /^<[\x21-\x3b\x3d\x3f-\x7e]+>; rel="successor-version"$/),
    ),
  )
})

test('brownouts come in rows, and end', () => {
  const list = brownouts({ first: '2026-11-01T10:00Z', everyHours: 24, lastingMinutes: 10, times: 3 })
  const life = readLifecycle(
    { deprecated: '2026-01-01', sunset: '2026-12-31', afterSunset: 'gone', brownouts: list },
    { subject: 'it' },
    [],
  )
  const at = (time: string): unknown => refusalAt(life, Date.parse(time))?.kind
  deepEqual(
    [
      '2026-11-01T09:59Z',
      '2026-11-01T10:00Z',
      '2026-11-01T10:10Z',
      '2026-11-03T10:09Z',
      '2026-11-04T10:05Z',
      '2026-12-31',
    ].map(at),
    [undefined, 'brownout', undefined, 'brownout', undefined, 'sunset'],
  )
})

test('the two dates have two formats', () => {
  const moment = Date.parse('2026-12-31T23:59:59.900Z')
  deepEqual(lifecycleHeaders({ ...noLifecycle, deprecatedMs: moment, sunsetMs: moment }), [
    ['deprecation', '@1798761599'],
    ['sunset', 'Thu, 31 Dec 2026 23:59:59 GMT'],
  ])
})
