import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readManifest } from './manifest.ts'
import { printGithub, printJson, printSarif, printText } from './print.ts'

const MAPPING = `apiVersion: getambassador.io/v3alpha1
kind: Mapping
metadata:
  name: quote-v2
spec:
  prefix: /quote/
  service: quote-v2:8080
  wieght: "10"
`

const codes = (text: string): string[] => readManifest(text).diagnostics.map(({ code }) => code)

test('a resource knows where each of its fields stands', () => {
  const [resource] = readManifest(MAPPING, { file: 'm.yaml' }).resources
  const { file, line, column, length } = resource!.place(['spec', 'service'])
  assert.deepEqual({ file, line, column, length }, { file: 'm.yaml', line: 7, column: 12, length: 13 })
  assert.equal(resource!.place(['spec', 'service'], 'key').column, 3)
  assert.equal(resource!.place(['spec', 'nothing', 'here']).line, 5)
})

test('a misspelt field is printed with its line, a caret and what was meant', () => {
  const { diagnostics } = readManifest(MAPPING, { file: 'm.yaml' })
  assert.equal(
    printText(diagnostics, { sources: new Map([['m.yaml', MAPPING]]) }),
    `m.yaml:8:3: unknown field "wieght" in Mapping "quote-v2" (spec)
   7 |   service: quote-v2:8080
   8 |   wieght: "10"
     |   ^^^^^^ did you mean "weight"?
`,
  )
})

test('GitHub, SARIF and JSON carry file, line, column and the suggestion', () => {
  const { diagnostics } = readManifest(MAPPING, { file: 'dir,1/m.yaml' })
  assert.equal(
    printGithub(diagnostics),
    '::error file=dir%2C1/m.yaml,line=8,col=3,endColumn=9,title=unknown-field::unknown field "wieght" in Mapping "quote-v2" (spec); did you mean "weight"?\n',
  )
  const sarif = JSON.parse(printSarif(diagnostics, '1.0.0'))
  assert.deepEqual(sarif.runs[0].results[0].locations[0].physicalLocation.region, {
    startLine: 8,
    startColumn: 3,
    endColumn: 9,
  })
  assert.equal(JSON.parse(printJson(diagnostics)).items[0].suggestion, 'weight')
})

test('several documents and the items of a List are read, comments and empty documents are passed over', () => {
  const { resources, diagnostics } = readManifest(`# nothing
---
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
- apiVersion: v1
  kind: Service
  metadata: {name: b, namespace: other}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
`)
  assert.deepEqual(diagnostics, [])
  assert.deepEqual(
    resources.map(({ object, origin }) => [object.metadata.name, object.metadata.namespace, origin.line]),
    [
      ['a', 'default', 7],
      ['b', 'other', 8],
      ['c', 'default', 12],
    ],
  )
})

test('octal numbers and yes and no mean what they mean to Kubernetes', () => {
  const [resource] = readManifest('{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, immutable: yes}').resources
  assert.equal((resource!.object as { immutable?: boolean }).immutable, true)
  assert.deepEqual(codes('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {time: 12:30, x: "no"}'), [])
})

test('a kind that nobody here knows is passed over, a misspelt one is a mistake', () => {
  const foreign = readManifest('apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}').diagnostics
  assert.deepEqual(
    foreign.map(({ code, severity }) => [code, severity]),
    [['unknown-kind', 'warning']],
  )
  const [misspelt] = readManifest('apiVersion: apps/v1\nkind: Deploymnt\nmetadata: {name: a}').diagnostics
  assert.deepEqual([misspelt?.severity, misspelt?.suggestion], ['error', 'Deployment'])
  const [old] = readManifest('apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: a}').diagnostics
  assert.deepEqual([old?.code, old?.suggestion], ['unknown-version', 'apps/v1'])
})

test('bad YAML is placed on the line that is wrong, and the other documents are read', () => {
  const { diagnostics, resources } = readManifest(`apiVersion: v1
kind: Service
metadata:
  name: x
   labels: {}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: good}
`)
  assert.deepEqual(
    diagnostics.map(({ origin }) => [origin.line, origin.column]),
    [[5, 4]],
  )
  assert.deepEqual(
    resources.map(({ object }) => object.metadata.name),
    ['good'],
  )
})

test('a document without apiVersion, kind or name says what is missing', () => {
  assert.deepEqual(codes('a: b'), ['missing-field', 'missing-field'])
  assert.deepEqual(codes('- 1'), ['wrong-type'])
  assert.deepEqual(codes('apiVersion: v1\nkind: ConfigMap\n'), ['missing-field'])
  assert.deepEqual(codes('apiVersion: v1\nkind: ConfigMap\nmetadata: x\n'), ['wrong-type', 'missing-field'])
})

test('a bomb of aliases is refused', () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
    .split('')
    .map((name, index) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefgh'[index]}`).join()}]`)
    .join('\n')}\n`
  assert.deepEqual(codes(bomb), ['yaml'])
})

test('no text makes the reader throw', () => {
  const piece = fc.constantFrom(
    'a',
    ':',
    ' ',
    '\n',
    '- ',
    '{',
    '}',
    '[',
    ']',
    '&a ',
    '*a',
    '"',
    "'",
    '|',
    '#',
    '---\n',
    '\t',
    'kind: Mapping\n',
    'apiVersion: v1\n',
    'metadata:\n',
    '  name: x\n',
    '<<: ',
    '!!int ',
    '\u0000',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      readManifest(pieces.join(''))
    }),
    { numRuns: 500 },
  )
})
