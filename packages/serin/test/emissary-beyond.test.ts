/** What serin does where Emissary does nothing or worse, through the real gateway: error bodies, versions that are told, testers, traps. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Case, CaseRequest, Expectation, HeaderList, UpstreamRequest } from './emissary/case.ts'
import { Lane } from './emissary/lane.ts'

let lane: Lane
before(async () => {
  lane = await Lane.start(`127.${64 + (process.pid % 128)}.${(process.pid >> 7) % 250}.9`)
})
after(async () => {
  await lane.stop()
})

const LISTENER = `apiVersion: getambassador.io/v3alpha1
kind: Listener
metadata: {name: l}
spec: {port: 8080, protocol: HTTP, securityModel: XFP, hostBinding: {namespace: {from: ALL}}}
---
`

function resource(kind: string, name: string, spec: object, metadata: object = {}): string {
  return JSON.stringify({ apiVersion: 'getambassador.io/v3alpha1', kind, metadata: { name, ...metadata }, spec })
}

const mapping = (name: string, spec: object, annotations: object = {}): string =>
  resource('Mapping', name, { hostname: '*', prefix: '/m/', ...spec }, { annotations })

const get = (path: string, ...headers: [string, string][]): CaseRequest => ({
  method: 'GET',
  path,
  headers: [['Host', 'example.com'], ...headers],
})
const BY_US: HeaderList = [['server', 'envoy']]
const BY_UPSTREAM: HeaderList = [...BY_US, ['x-envoy-upstream-service-time', '<number>']]

/** What a request upstream holds beside what the case is about. */
const upstream = (
  service: string,
  path: string,
  original: string,
  headers: Record<string, string[]> = {},
): UpstreamRequest => ({
  service,
  method: 'GET',
  path,
  headers: {
    host: ['example.com'],
    'x-forwarded-for': ['<client>'],
    'x-forwarded-proto': ['http'],
    'x-envoy-external-address': ['<client>'],
    'x-envoy-expected-rq-timeout-ms': ['<number>'],
    'x-request-id': ['<uuid>'],
    ...(original !== path && { 'x-envoy-original-path': [original] }),
    ...headers,
  },
})

async function holds(
  resources: readonly string[],
  asked: readonly (readonly [CaseRequest, Expectation])[],
): Promise<void> {
  const own: Case = {
    id: 'own',
    title: '',
    group: 'own',
    resources: LISTENER + resources.join('\n---\n'),
    requests: asked.map(([request]) => request),
    expect: asked.map(([, expectation]) => expectation),
  }
  assert.deepEqual(await lane.run(own), [])
}

test('error_response_overrides give a status its own body, for the upstream as for the gateway', async () => {
  const overrides = [
    { on_status_code: 404, body: { text_format: 'none at %REQ(:path)%', content_type: 'text/plain' } },
    { on_status_code: 503, body: { json_format: { code: '%RESPONSE_CODE%' } } },
  ]
  const module = resource('Module', 'ambassador', {
    config: { error_response_overrides: [{ on_status_code: 404, body: { text_format: 'nobody home' } }] },
  })
  await holds(
    [
      module,
      mapping('m', { service: 'm:8000', error_response_overrides: overrides }),
      mapping('x', { prefix: '/x/', service: 'x:8000', bypass_error_response_overrides: true }),
    ],
    [
      [get('/m/?status=404'), { status: 404, headers: BY_UPSTREAM, own_body: 'none at /m/?status=404' }],
      [get('/m/?status=503'), { status: 503, headers: BY_UPSTREAM, own_body: '{"code":"503"}' }],
      [get('/none/'), { status: 404, headers: BY_US, upstream: null, own_body: 'nobody home' }],
    ],
  )
})

test('answers tell their version and stay out of shared caches where a Mapping asks for it', async () => {
  const annotations = { 'serin.dev/tell-version': 'true', 'serin.dev/private-cache': 'true' }
  await holds(
    [
      resource(
        'Mapping',
        'm',
        { hostname: '*', prefix: '/m/', service: 'm:8000' },
        { annotations, labels: { version: 'v7' } },
      ),
    ],
    [
      [
        get('/m/'),
        {
          status: 200,
          headers: [
            ...BY_UPSTREAM,
            ['serin-version', 'v7'],
            ['serin-mapping', 'default/m'],
            ['cache-control', 'private'],
          ],
          upstream: upstream('m:8000', '/', '/m/'),
        },
      ],
    ],
  )
})

test('a tester gets through to a version at weight 0, by its name', async () => {
  await holds(
    [
      mapping('stable', { service: 'v1:8000' }),
      mapping('canary', { service: 'v2:8000', weight: 0 }, { 'serin.dev/override-header': 'X-Version' }),
    ],
    [
      [get('/m/'), { status: 200, headers: BY_UPSTREAM, upstream: upstream('v1:8000', '/', '/m/') }],
      [
        get('/m/', ['x-version', 'canary']),
        { status: 200, headers: BY_UPSTREAM, upstream: upstream('v2:8000', '/', '/m/', { 'x-version': ['canary'] }) },
      ],
      [
        get('/m/', ['x-version', 'nobody']),
        { status: 200, headers: BY_UPSTREAM, upstream: upstream('v1:8000', '/', '/m/', { 'x-version': ['nobody'] }) },
      ],
    ],
  )
})

test('a sticky client stays, and half a percent is half a percent', async () => {
  const sticky = { 'serin.dev/split': 'sticky', 'serin.dev/split-key': 'header:x-user', 'serin.dev/weight': '50' }
  await holds(
    [mapping('stable', { service: 'v1:8000' }), mapping('canary', { service: 'v2:8000' }, sticky)],
    // These two fall into the buckets 3,209 and 6,977: one on either side of the half.
    [
      [
        { ...get('/m/', ['x-user', 'user-1']), repeat: 30 },
        { of: 30, nominal_percent: { 'v2:8000': 100 } },
      ],
      [
        { ...get('/m/', ['x-user', 'user-5']), repeat: 30 },
        { of: 30, nominal_percent: { 'v1:8000': 100 } },
      ],
    ],
  )
  await holds(
    [
      mapping('stable', { service: 'v1:8000' }),
      mapping('canary', { service: 'v2:8000' }, { 'serin.dev/weight': '0.5' }),
    ],
    [
      [
        { ...get('/m/'), repeat: 400 },
        { of: 400, nominal_percent: { 'v1:8000': 99.5, 'v2:8000': 0.5 } },
      ],
    ],
  )
})

test('headers of a version are its own', async () => {
  const version = (name: string): object => ({
    add_request_headers: { 'x-version': { value: name } },
    service: `${name}:8000`,
  })
  await holds(
    [mapping('a', version('v1')), mapping('b', { ...version('v2'), weight: 50 })],
    [
      [
        { ...get('/m/'), repeat: 40, by_headers: ['x-version'] },
        {
          of: 40,
          split: [
            { status: 200, service: 'v1:8000', path: '/', request_headers: { 'x-version': 'v1' }, count: 20 },
            { status: 200, service: 'v2:8000', path: '/', request_headers: { 'x-version': 'v2' }, count: 20 },
          ],
        },
      ],
    ],
  )
})

test('a broken Mapping beside good ones takes none of them down', async () => {
  await holds(
    [
      mapping('good', { service: 'good:8000' }),
      mapping('regex', { prefix: '/(?!x)', prefix_regex: true, service: 'a:8000' }),
      mapping('type', { prefix: '/t/', service: 'a:8000', timeout_ms: 'fast' }),
      mapping('operator', { prefix: '/o/', service: 'a:8000', add_request_headers: { x: { value: '%NOSUCH%' } } }),
      mapping('over', { prefix: '/over/', service: 'v1:8000' }),
      mapping('over-canary', { prefix: '/over/', service: 'v2:8000', weight: 101 }),
    ],
    [
      [get('/m/'), { status: 200, headers: BY_UPSTREAM, upstream: upstream('good:8000', '/', '/m/') }],
      [get('/t/'), { status: 404, headers: BY_US, upstream: null }],
      [
        { ...get('/over/'), repeat: 20 },
        { of: 20, nominal_percent: { 'v1:8000': 100 } },
      ],
    ],
  )
})
