import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { readManifest } from '../resources/manifest.ts'
import { lintManifests } from './lint.ts'

const BASE = `apiVersion: getambassador.io/v3alpha1
kind: Listener
metadata: {name: l}
spec: {port: 80, protocol: HTTP, securityModel: XFP, hostBinding: {namespace: {from: ALL}}}
---
apiVersion: getambassador.io/v3alpha1
kind: Host
metadata: {name: h}
spec: {hostname: "*", requestPolicy: {insecure: {action: Route}}}
`
const mapping = (name: string, spec: string): string => `---
apiVersion: getambassador.io/v3alpha1
kind: Mapping
metadata: {name: ${name}}
spec: {hostname: "*", prefix: /a/, service: "127.0.0.1:9001", ${spec}}
`
const found = (...texts: string[]): string[] =>
  lintManifests(texts.map((text, index) => readManifest(text, { file: `${index}.yaml` }))).map(
    ({ severity, code, origin }) => `${severity} ${code} ${origin.file}:${origin.line}`,
  )
const codes = (...parts: string[]): string[] =>
  found(BASE + parts.join('')).map((line) => line.split(' ').slice(0, 2).join(' '))

test('a set without a mistake has none', () => {
  assert.deepEqual(codes(mapping('v1', ''), mapping('v2', 'weight: 10')), [])
})

test('mistakes of all files come together, in the order of files and lines', () => {
  assert.deepEqual(
    found(`${BASE}${mapping('a', 'wieght: 10')}${mapping('b', 'weight: 101')}`, `kind: [\n`, mapping('a', '')),
    [
      'error unknown-field 0.yaml:14',
      'error weight-out-of-range 0.yaml:19',
      'error yaml 1.yaml:2',
      'error duplicate 2.yaml:4',
    ],
  )
})

test('weights that are not what they seem are pointed out', () => {
  assert.deepEqual(codes(mapping('v1', 'weight: 10')), ['warning lonely-weight'])
  assert.deepEqual(codes(mapping('v1', 'weight: 10'), mapping('v2', 'weight: 30')), ['warning shares-missing'])
  assert.deepEqual(codes(mapping('v1', ''), mapping('v2', '')), ['warning no-weights'])
  assert.deepEqual(codes(mapping('v1', 'weight: 60'), mapping('v2', 'weight: 60')), [
    'error weights-over-100',
    'error weights-over-100',
  ])
})

test('a Mapping that another one hides is found: by precedence, and by headers in another order', () => {
  assert.deepEqual(
    codes(mapping('all', 'precedence: 5'), mapping('hidden', 'prefix: /a/b/').replace('prefix: /a/, ', '')),
    ['warning unreachable'],
  )
  assert.deepEqual(
    codes(mapping('v1', 'headers: {X-A: "1", X-B: "2"}'), mapping('v2', 'headers: {X-B: "2", X-A: "1"}')),
    ['warning unreachable'],
  )
  assert.deepEqual(codes(mapping('one', 'headers: {X-A: "1"}'), mapping('rest', '')), [])
})

test('what Emissary would do differently is a note', () => {
  assert.deepEqual(codes(mapping('v1', ''), mapping('v2', 'weight: 5, cors: {origins: ["*"]}')), [
    'note emissary-merges',
  ])
  assert.deepEqual(
    codes(mapping('v1', 'error_response_overrides: [{on_status_code: 404, body: {text_format: none}}]')),
    ['note emissary-drops'],
  )
})

test('a Service that no file has is a mistake where files bring Services, with the nearest name', () => {
  const service =
    '---\napiVersion: v1\nkind: Service\nmetadata: {name: quote}\nspec: {ports: [{port: 80}], selector: {app: quote}}\n'
  const deployment =
    '---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: quote}\nspec: {selector: {matchLabels: {app: quote}}, template: {metadata: {labels: {app: quote}}, spec: {containers: [{name: q}]}}}\n'
  const named = mapping('m', '').replace('127.0.0.1:9001', 'quoet')
  const [diagnostic, ...more] = lintManifests([readManifest(BASE + service + deployment + named, { file: 'a.yaml' })])
  assert.deepEqual(more, [])
  assert.deepEqual(
    [diagnostic?.severity, diagnostic?.code, diagnostic?.suggestion],
    ['error', 'unknown-service', 'quote'],
  )
  assert.deepEqual(codes(named), ['warning unknown-service'])
  const known = [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'quoet', namespace: 'default' },
      spec: { ports: [{ port: 80 }] },
    },
  ]
  assert.deepEqual(
    lintManifests([readManifest(BASE + named)], { known }).map(({ code }) => code),
    ['no-selector'],
  )
})

test('a Service and a Deployment that do not fit together are found', () => {
  const set = (selector: string, label: string, targetPort: string): string => `---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: ${selector}}, ports: [{port: 80, targetPort: ${targetPort}}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: ${label}}}, spec: {containers: [{name: w, ports: [{name: http, containerPort: 8000}]}]}}}
`
  assert.deepEqual(codes(set('web', 'web', 'http')), [])
  assert.deepEqual(codes(set('wep', 'web', 'http')), ['warning service-without-pods'])
  assert.deepEqual(codes(set('web', 'web', 'htpp')), ['warning unknown-target-port'])
  assert.deepEqual(codes(set('other', 'other', 'http')), ['error selector-mismatch'])
})

test('nothing listens, or everything is redirected to a place without a certificate', () => {
  assert.deepEqual(
    found(mapping('m', '')).map((line) => line.split(' ')[1]),
    ['no-listener'],
  )
  assert.deepEqual(
    found(BASE.replace('Route', 'Redirect')).map((line) => line.split(' ')[1]),
    ['redirect-without-tls'],
  )
})

test("Emissary's quick start and canary, as the guide has them, are without an error", () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../../../../docs/guide/from-emissary.md'), 'utf8')
  const blocks = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text!)
  assert.equal(blocks.length, 2)
  assert.deepEqual(
    found(...blocks).map((line) => line.split(' ')[1]),
    ['unknown-service', 'unknown-service'],
  )
})
