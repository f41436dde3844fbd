import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Snapshot } from '../model/snapshot.ts'
import { diff } from '../model/diff.ts'
import type { KubeObject } from '../resources/object.ts'
import { type CompileResult, createCompiler } from './compile.ts'

const resource = (kind: string, name: string, spec: object, metadata: object = {}): KubeObject => ({
  apiVersion: 'getambassador.io/v3alpha1',
  kind,
  metadata: { name, namespace: 'default', ...metadata },
  spec,
})
const listener = resource('Listener', 'l', {
  port: 8080,
  protocol: 'HTTP',
  securityModel: 'XFP',
  hostBinding: { namespace: { from: 'ALL' } },
})
const host = resource('Host', 'h', { hostname: '*', requestPolicy: { insecure: { action: 'Route' } } })
const mapping = (name: string, spec: object, metadata: object = {}): KubeObject =>
  resource('Mapping', name, { hostname: '*', prefix: '/a/', service: '127.0.0.1:9001', ...spec }, metadata)

const service: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: { ports: [{ name: 'http', port: 8000 }] },
}
const slice = (name: string, port: number, ready = true): KubeObject =>
  ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    ports: [{ name: 'http', port }],
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready } }],
  }) as KubeObject

const sharesOf = ({ snapshot }: CompileResult): Record<string, number> =>
  Object.fromEntries(
    snapshot.routes.flatMap(({ split }) =>
      split.destinations.map(({ mapping: name, share }) => [name.split('/')[1]!, share]),
    ),
  )
const codesOf = ({ diagnostics }: CompileResult): string[] => diagnostics.map(({ code }) => code)

test('a weight over 100 keeps the last good split, and says so', () => {
  const compiler = createCompiler()
  const compile = (weight: unknown): CompileResult =>
    compiler.compile({ objects: [listener, host, mapping('v1', {}), mapping('v2', { weight })] })
  assert.deepEqual(sharesOf(compile(10)), { v2: 1000, v1: 9000 })
  for (const bad of [101, -1, 'ten', null]) {
    const result = compile(bad)
    assert.deepEqual(sharesOf(result), { v2: 1000, v1: 9000 }, String(bad))
    assert.match(JSON.stringify(result.diagnostics), /last good version of this (?:route|Mapping) keeps serving/)
  }
  assert.deepEqual(sharesOf(compile(50)), { v2: 5000, v1: 5000 })
})

test('weights over 100 with no good split before: those without a weight serve, or all in proportion', () => {
  const first = (...objects: KubeObject[]): CompileResult =>
    createCompiler().compile({ objects: [listener, host, ...objects] })
  assert.deepEqual(sharesOf(first(mapping('v1', {}), mapping('v2', { weight: 60 }), mapping('v3', { weight: 60 }))), {
    v2: 0,
    v3: 0,
    v1: 10_000,
  })
  assert.deepEqual(sharesOf(first(mapping('v2', { weight: 90 }), mapping('v3', { weight: 30 }))), {
    v2: 7500,
    v3: 2500,
  })
})

test('a Mapping of a held split that is deleted is gone', () => {
  const compiler = createCompiler()
  compiler.compile({
    objects: [listener, host, mapping('v1', {}), mapping('v2', { weight: 10 }), mapping('v3', { weight: 20 })],
  })
  const result = compiler.compile({ objects: [listener, host, mapping('v1', {}), mapping('v3', { weight: 120 })] })
  assert.deepEqual(sharesOf(result), { v3: 2000, v1: 8000 })
})

test('a canary that no longer agrees with its stable version keeps its last good form; a new one is left out', () => {
  const compiler = createCompiler()
  const canary = (spec: object): KubeObject => mapping('z', { weight: 10, service: '127.0.0.1:9002', ...spec })
  compiler.compile({ objects: [listener, host, mapping('a', {}), canary({})] })
  const edited = compiler.compile({ objects: [listener, host, mapping('a', {}), canary({ bypass_auth: true })] })
  assert.deepEqual(sharesOf(edited), { z: 1000, a: 9000 })
  assert.ok(codesOf(edited).includes('mismatch'))
  const fresh = createCompiler().compile({ objects: [listener, host, mapping('a', {}), canary({ bypass_auth: true })] })
  assert.deepEqual(sharesOf(fresh), { a: 10_000 })
})

test('a Mapping that breaks keeps serving as it was; one that was never good is left out; the others do not notice', () => {
  const compiler = createCompiler()
  const good = mapping('good', { prefix: '/good/' })
  const before = compiler.compile({ objects: [listener, host, good, mapping('m', { rewrite: '/v1/' })] })
  const after = compiler.compile({
    objects: [listener, host, good, mapping('m', { rewrite: '/v2/', retry_policy: {} }), mapping('n', { prefix: 5 })],
  })
  assert.equal(after.snapshot, before.snapshot)
  assert.deepEqual(codesOf(after), ['bad-retry-policy', 'wrong-type'])
})

test('a Host or Listener that breaks keeps serving as it was', () => {
  const compiler = createCompiler()
  const before = compiler.compile({ objects: [listener, host, mapping('m', {})] })
  const badHost = resource('Host', 'h', { hostname: '*', requestPolicy: { insecure: { action: 'Allow' } } })
  const badListener = resource('Listener', 'l', {
    port: 70_000,
    protocol: 'HTTP',
    securityModel: 'XFP',
    hostBinding: {},
  })
  const after = compiler.compile({ objects: [badListener, badHost, mapping('m', {})] })
  assert.deepEqual(after.snapshot.listeners, before.snapshot.listeners)
  assert.deepEqual(after.snapshot.virtualHosts, before.snapshot.virtualHosts)
})

test('one Host with a mistake does not open everything, as having no Host does', () => {
  const badHost = resource('Host', 'h', { hostname: ['a'] })
  const { snapshot } = createCompiler().compile({ objects: [listener, badHost, mapping('m', {})] })
  assert.deepEqual(snapshot.virtualHosts, [])
  assert.equal(
    createCompiler().compile({ objects: [listener, mapping('m', {})] }).snapshot.virtualHosts[0]?.insecure,
    'route',
  )
})

test('nothing changed: the same Snapshot; one Mapping changed: one Route in the delta', () => {
  const compiler = createCompiler()
  const objects = [
    listener,
    host,
    service,
    slice('s', 41_001),
    ...Array.from({ length: 50 }, (_, index) => mapping(`m${index}`, { prefix: `/${index}/`, service: 'web:8000' })),
  ]
  const first = compiler.compile({ objects }).snapshot
  assert.equal(compiler.compile({ objects: objects.toReversed() }).snapshot, first)
  objects[10] = mapping('m6', { prefix: '/6/', service: 'web:8000', timeout_ms: 1 })
  const second = compiler.compile({ objects }).snapshot
  const delta = diff(first, second)
  assert.deepEqual(
    [
      delta.routes.set.length,
      delta.clusters.set.length,
      delta.listeners.set.length,
      delta.virtualHosts.set.length,
      delta.settings,
    ],
    [1, 0, 0, 0, undefined],
  )
  assert.equal(second.revision, first.revision + 1)
})

test('an endpoint that comes or goes changes its Cluster and no Route', () => {
  const compiler = createCompiler()
  const base = [listener, host, service, mapping('m', { service: 'web:8000' })]
  const endpointsOf = ({ clusters }: Snapshot): unknown => {
    const source = clusters[0]!.source
    return source.kind === 'endpoints' ? source.endpoints.map(({ id }) => id) : source
  }
  const first = compiler.compile({ objects: [...base, slice('s1', 41_001)] }).snapshot
  const second = compiler.compile({ objects: [...base, slice('s1', 41_001), slice('s2', 41_002)] }).snapshot
  const third = compiler.compile({ objects: [...base, slice('s1', 41_001, false), slice('s2', 41_002)] }).snapshot
  assert.deepEqual([first, second, third].map(endpointsOf), [
    ['127.0.0.1:41001'],
    ['127.0.0.1:41001', '127.0.0.1:41002'],
    ['127.0.0.1:41002'],
  ])
  assert.equal(third.routes, first.routes)
})

test('the default resolver finds a Service too, a name that is none is resolved by the workers', () => {
  const { snapshot } = createCompiler().compile({
    objects: [
      listener,
      host,
      service,
      slice('s', 41_001),
      mapping('a', { service: 'web:8000' }),
      mapping('b', { prefix: '/b/', service: 'example.com:81' }),
    ],
  })
  assert.deepEqual(
    snapshot.clusters.map(({ source }) => source.kind),
    ['dns', 'endpoints'],
  )
})

test('of two Mappings of one name the first counts, and the second is reported', () => {
  const result = createCompiler().compile({
    objects: [listener, host, mapping('m', {}), mapping('m', { prefix: '/b/' })],
  })
  assert.deepEqual(codesOf(result), ['duplicate'])
  assert.equal(result.snapshot.routes.length, 1)
})

test('a Module that changes reads all Mappings anew', () => {
  const compiler = createCompiler()
  const timeoutOf = (config: object): unknown => {
    const { snapshot } = compiler.compile({
      objects: [listener, host, mapping('m', {}), resource('Module', 'ambassador', { config })],
    })
    const action = snapshot.routes[0]!.split.destinations[0]!.action
    return action.kind === 'forward' && action.timeoutMs
  }
  assert.deepEqual([timeoutOf({}), timeoutOf({ cluster_request_timeout_ms: 7 })], [3000, 7])
})

test('a broken AuthService keeps its last good version, and lets nobody in where there was none', () => {
  const auth = (spec: object): KubeObject =>
    resource('AuthService', 'auth', { auth_service: '127.0.0.1:3000', ...spec })
  const compiler = createCompiler()
  const clusterOf = (...objects: KubeObject[]): string | undefined =>
    compiler.compile({ objects: [listener, host, mapping('m', {}), ...objects] }).snapshot.settings.auth[0]?.cluster
  assert.equal(clusterOf(auth({ proto: 'grpc' })), 'cluster_no_auth_service')
  assert.equal(clusterOf(auth({})), 'cluster_127.0.0.1:3000_default')
  assert.equal(clusterOf(auth({ proto: 'grpc' })), 'cluster_127.0.0.1:3000_default')
  assert.equal(clusterOf(), undefined)
})

test('a redirect with a code that is none is a 301, and it is said once by each that looks', () => {
  const result = createCompiler().compile({
    objects: [listener, host, mapping('m', { host_redirect: true, redirect_response_code: 999 })],
  })
  const action = result.snapshot.routes[0]!.split.destinations[0]!.action
  assert.equal(action.kind === 'redirect' && action.status, 301)
  assert.deepEqual(codesOf(result), ['not-allowed', 'bad-redirect-code'])
})

test('a Service of both families counts each pod once', () => {
  const six = { ...slice('six', 41_001), addressType: 'IPv6', endpoints: [{ addresses: ['::1'] }] } as KubeObject
  const four = { ...slice('four', 41_001), addressType: 'IPv4' } as KubeObject
  const { snapshot } = createCompiler().compile({
    objects: [listener, host, service, six, four, mapping('m', { service: 'web:8000' })],
  })
  assert.match(JSON.stringify(snapshot.clusters[0]?.source), /"endpoints":\[\{"id":"127\.0\.0\.1:41001"[^{]*\}\]/)
})
