import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Deployment, Host, Ingress, KINDS, Mapping, Service } from './kinds.ts'
import { definition, publishedSchemas, schemaOf, validateObject } from './schema.ts'

const deployment = (spec: object): { apiVersion: string } =>
  ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { selector: { matchLabels: { app: 'web' } }, template: { spec: { containers: [{ name: 'web' }] } }, ...spec },
  }) as { apiVersion: string }

const mapping = (spec: object): { apiVersion: string } =>
  ({
    apiVersion: 'getambassador.io/v3alpha1',
    kind: 'Mapping',
    metadata: { name: 'm' },
    spec: { prefix: '/', service: 'web', ...spec },
  }) as { apiVersion: string }

test('every kind has a schema with its group, version and kind', () => {
  for (const kind of KINDS) {
    const [entry] = schemaOf(kind)['x-kubernetes-group-version-kind'] ?? []
    assert.deepEqual({ ...entry }, { group: kind.group, version: kind.version, kind: kind.kind })
  }
})

test('a misspelt field is found, with the name that was meant', () => {
  const [problem, ...more] = validateObject(Mapping, mapping({ wieght: 10 }))
  assert.deepEqual(more, [])
  assert.deepEqual(problem, {
    path: ['spec', 'wieght'],
    code: 'unknown-field',
    message: 'unknown field "wieght"',
    suggestion: 'weight',
  })
})

test('a misspelt field deep in a built-in kind is found', () => {
  const problems = validateObject(
    Deployment,
    deployment({
      template: { spec: { containers: [{ name: 'web', readinesProbe: {}, ports: [{ containerPort: '80' }] }] } },
    }),
  )
  assert.deepEqual(
    problems.map((problem) => [problem.path.join('.'), problem.code, problem.suggestion]),
    [
      ['spec.template.spec.containers.0.readinesProbe', 'unknown-field', 'readinessProbe'],
      ['spec.template.spec.containers.0.ports.0.containerPort', 'wrong-type', '80'],
    ],
  )
})

test('null counts as absent in built-in kinds and as a wrong type in custom ones', () => {
  assert.deepEqual(validateObject(Deployment, deployment({ replicas: null })), [])
  assert.equal(validateObject(Mapping, mapping({ weight: null }))[0]?.code, 'wrong-type')
})

test('an int-or-string takes both, a quantity takes numbers and strings', () => {
  const surge = (maxSurge: unknown): unknown =>
    validateObject(Deployment, deployment({ strategy: { rollingUpdate: { maxSurge } } }))
  assert.deepEqual(surge(1), [])
  assert.deepEqual(surge('25%'), [])
  assert.equal((surge(true) as unknown[]).length, 1)
})

test('what is missing is named with its type', () => {
  const problems = validateObject(Mapping, { apiVersion: 'getambassador.io/v3alpha1', spec: { prefix: '/' } } as {
    apiVersion: string
  })
  assert.deepEqual(problems, [
    { path: ['spec', 'service'], code: 'missing-field', message: 'missing field "service"', expected: 'string' },
  ])
})

test('an illegal word is listed with the legal ones and the nearest', () => {
  const [problem] = validateObject(Host, {
    apiVersion: 'getambassador.io/v3alpha1',
    spec: { requestPolicy: { insecure: { action: 'route' } } },
  } as { apiVersion: string })
  assert.equal(problem?.expected, 'one of Redirect, Reject, Route')
  assert.equal(problem?.suggestion, 'Route')
})

test('the older version of an Ambassador kind is not held to the newer schema', () => {
  assert.deepEqual(
    validateObject(Mapping, { ...mapping({ headers: { 'x-a': true } }), apiVersion: 'getambassador.io/v2' }),
    [],
  )
})

test('an Ingress path without pathType is incomplete', () => {
  const [problem] = validateObject(Ingress, {
    apiVersion: 'networking.k8s.io/v1',
    spec: {
      rules: [{ http: { paths: [{ path: '/', backend: { service: { name: 'web', port: { number: 80 } } } }] } }],
    },
  } as { apiVersion: string })
  assert.equal(problem?.path.join('.'), 'spec.rules.0.http.paths.0.pathType')
})

test('published schemas carry all that they refer to', () => {
  const published = publishedSchemas([Mapping, Service])
  for (const reference of JSON.stringify(published).matchAll(/#\/components\/schemas\/([\w.]+)/g)) {
    assert.ok(published[reference[1]!] !== undefined, reference[1])
    assert.notDeepEqual(definition(reference[1]!), {})
  }
})
