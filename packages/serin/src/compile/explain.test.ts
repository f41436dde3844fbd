import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readManifest } from '../resources/manifest.ts'
import { createCompiler } from './compile.ts'
import { explain, type Explanation, type ExplainRequest } from './explain.ts'
import { explanationText } from './explain-text.ts'

const RESOURCES = `apiVersion: getambassador.io/v3alpha1
kind: Listener
metadata: {name: l}
spec: {port: 8080, protocol: HTTP, securityModel: XFP, hostBinding: {namespace: {from: ALL}}}
---
apiVersion: getambassador.io/v3alpha1
kind: Host
metadata: {name: all}
spec: {hostname: "*", requestPolicy: {insecure: {action: Route}}}
---
apiVersion: getambassador.io/v3alpha1
kind: Host
metadata: {name: strict}
spec: {hostname: strict.example.com}
---
apiVersion: getambassador.io/v3alpha1
kind: Mapping
metadata: {name: stable}
spec: {hostname: "*", prefix: /hello/, service: "127.0.0.1:9001", rewrite: /v1/}
---
apiVersion: getambassador.io/v3alpha1
kind: Mapping
metadata: {name: canary, labels: {version: v2}, annotations: {serin.dev/override-header: x-version}}
spec: {hostname: "*", prefix: /hello/, service: "127.0.0.1:9002", rewrite: /v2/, weight: 10, add_request_headers: {x-a: {value: "%PROTOCOL%"}}}
---
apiVersion: getambassador.io/v3alpha1
kind: Mapping
metadata: {name: beta}
spec: {hostname: "*", prefix: /hello/, service: "127.0.0.1:9003", headers: {x-beta: "1"}}
---
apiVersion: getambassador.io/v3alpha1
kind: Mapping
metadata: {name: moved}
spec: {hostname: "*", prefix: /old/, service: example.com, host_redirect: true, prefix_redirect: /new/}
`
const { snapshot } = createCompiler().compile({
  objects: readManifest(RESOURCES).resources.map(({ object }) => object),
})
const ask = (url: string, rest: Omit<ExplainRequest, 'url'> = {}): Explanation => explain(snapshot, { url, ...rest })

test('Mappings are looked at in order, and each says why it does or does not match', () => {
  const { considered } = ask('http://localhost:8080/hello/x')
  assert.deepEqual(
    considered.map(({ mappings, matches, checks }) => [mappings.join(), matches, checks.at(-1)?.what]),
    [
      ['default/beta', false, 'header x-beta is "1", absent'],
      ['default/canary,default/stable', true, 'path begins with /hello/'],
    ],
  )
})

test('a split says its shares, and what each version would get', () => {
  const { shares, choice, upstream } = ask('http://localhost:8080/hello/x?y=1')
  assert.deepEqual(
    shares.map(({ version, percent }) => [version, percent]),
    [
      ['v2', 10],
      ['stable', 90],
    ],
  )
  assert.equal(choice?.mapping, undefined)
  assert.deepEqual(
    upstream.map(({ request, endpoints }) => [request?.path, endpoints?.join()]),
    [
      ['/v2/x?y=1', '127.0.0.1:9002'],
      ['/v1/x?y=1', '127.0.0.1:9001'],
    ],
  )
  assert.deepEqual(upstream[0]?.request?.headers, ['+ x-a: %PROTOCOL%'])
})

test('a header that names a version settles it', () => {
  const { choice, outcome } = ask('/hello/', { headers: [['X-Version', 'v2']] })
  assert.equal(choice?.mapping, 'default/canary')
  assert.match(outcome, /127\.0\.0\.1:9002/)
})

test('redirects, missing routes, missing Listeners and insecure requests say so', () => {
  assert.match(ask('/old/x?y=1').outcome, /301 to http:\/\/example\.com\/new\/x\?y=1/)
  assert.match(ask('/nothing').outcome, /^404/)
  assert.match(ask('http://localhost:9999/hello/').outcome, /nothing listens on port 9999/)
  assert.equal(ask('http://localhost/hello/').listener?.port, 8080, 'a URL without a port means the gateway')
  assert.match(
    ask('http://strict.example.com:8080/hello/', { headers: [['Host', 'strict.example.com']] }).outcome,
    /^301 to https/,
  )
})

test('the path is the one that the gateway looks at', () => {
  assert.equal(ask('/a/../hello/%7Ex').request.path, '/hello/~x')
})

test('for people it is a page', () => {
  const text = explanationText(ask('http://localhost:8080/hello/x'))
  assert.match(text, /✗ default\/beta: header x-beta is "1", absent/)
  assert.match(text, /10 %  default\/canary  version v2/)
  assert.match(text, /default\/stable sends GET \/v1\/x/)
})
