/** `serin explain` says what Emissary did: each recorded request, without a gateway. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCompiler } from '../src/compile/compile.ts'
import { explain } from '../src/compile/explain.ts'
import type { Snapshot } from '../src/model/snapshot.ts'
import { type Case, type CaseRequest, type Expectation, readCases } from './emissary/case.ts'
import { readObjects } from './emissary/lane.ts'
import { differences } from './emissary/differences.ts'

/** What lies before or after routing: octets that are refused, other services that are asked, connections. */
const OTHER_GROUPS = ['auth', 'tls', 'tcp', 'normalise']
const BEFORE_ROUTING = [400, 426, 431, 403]

interface Asked {
  readonly testCase: Case
  readonly request: CaseRequest
  readonly expected: Expectation
}

function comparable(): Asked[] {
  return (
    readCases()
      .filter(
        ({ id, group, rejected_by_envoy: rejected }) =>
          rejected === undefined && !OTHER_GROUPS.includes(group) && !differences().has(id),
      )
      .flatMap((testCase) =>
        testCase.requests.map((request, index) => ({ testCase, request, expected: testCase.expect[index] })),
      )
      .filter((asked): asked is Asked => asked.expected?.status !== undefined && asked.request.raw === undefined)
      .filter(({ expected }) => !BEFORE_ROUTING.includes(expected.status!))
      // A preflight is answered by CORS, the probes by the gateway itself, and an override of the answer is none of a route.
      .filter(
        ({ request, expected }) => request.method !== 'OPTIONS' && expected.upstream?.service !== '127.0.0.1:8877',
      )
  )
}

/** Undefined: as recorded. */
function difference({ request, expected }: Asked, snapshot: Snapshot): string | undefined {
  const { method = 'GET', path = '/', headers = [], source, port = 8080 } = request
  const host = headers.find(([name]) => name.toLowerCase() === 'host')?.[1] ?? ''
  const url = path.startsWith('/') ? `http://localhost:${port}${path}` : path
  const { upstream, outcome } = explain(snapshot, {
    method,
    url,
    headers: [...headers.filter(([name]) => name.toLowerCase() !== 'host'), ['Host', host]],
    ...(source !== undefined && { clientAddress: source }),
  })
  const location = expected.headers?.find(([name]) => name === 'location')?.[1]
  if (location !== undefined) return outcome.includes(location) ? undefined : `${outcome}, recorded ${location}`
  if (expected.upstream == null)
    return expected.status === 404 && !outcome.startsWith('404') ? `${outcome}, recorded 404` : undefined
  const { service, path: upstreamPath } = expected.upstream
  const fits = upstream.some(
    ({ cluster = '', request: sent }) => cluster.includes(service) && sent?.path === upstreamPath,
  )
  return fits ? undefined : `${outcome}, recorded ${service} ${upstreamPath}`
}

test('every recorded request is explained as it was answered', () => {
  const asked = comparable()
  assert.ok(asked.length > 500)
  const snapshots = new Map<Case, Snapshot>()
  const wrong: string[] = []
  for (const one of asked) {
    const { testCase, request } = one
    const snapshot =
      snapshots.get(testCase) ?? createCompiler().compile({ objects: readObjects(testCase.resources) }).snapshot
    snapshots.set(testCase, snapshot)
    const problem = difference(one, snapshot)
    if (problem !== undefined) wrong.push(`${testCase.id} ${request.path}: ${problem}`)
  }
  assert.deepEqual(wrong, [])
})
