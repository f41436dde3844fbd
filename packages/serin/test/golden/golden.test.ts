import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { MODULE_FIELDS } from '../../src/resources/ambassador/module.ts'
import { AMBASSADOR_SCHEMAS } from '../../src/resources/ambassador/schemas.ts'
import { readGoldens, render } from './golden.ts'

const goldens = readGoldens()

for (const golden of goldens) {
  test(`${golden.name}.yaml compiles to ${golden.name}.expected.yaml`, () => {
    assert.ok(existsSync(golden.expectedFile), 'run: node scripts/golden.mjs')
    assert.equal(render(golden), readFileSync(golden.expectedFile, 'utf8'), 'if it is meant: node scripts/golden.mjs')
  })
}

/** Certificates would have to be in the files; test/emissary.test.ts and src/compile/tls.test.ts have them. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  TLSContext: Object.keys(AMBASSADOR_SCHEMAS['TLSContext']!.properties!),
  Host: ['tls', 'tlsSecret', 'tlsContext', 'acmeProvider', 'previewUrl'],
}

test('every field of every kind stands in a golden file', () => {
  const used = new Map<string, Set<string>>()
  for (const { objects } of goldens) {
    for (const { kind, spec } of objects) {
      const fields = used.get(kind) ?? new Set()
      for (const field of Object.keys(spec ?? {})) fields.add(field)
      used.set(kind, fields)
    }
  }
  const missing = Object.entries(AMBASSADOR_SCHEMAS).flatMap(([kind, { properties = {} }]) =>
    Object.keys(properties)
      .filter((field) => !used.get(kind)?.has(field) && !ELSEWHERE[kind]?.includes(field) && field !== 'ambassador_id')
      .map((field) => `${kind}.${field}`),
  )
  const WITHOUT_EFFECT =
    /^(?:TracingService|DevPortal|LogService|TCPMapping\.v2|AuthService\.v2|RateLimitService\.(?:v2|tls))/
  assert.deepEqual(
    missing.filter((field) => !WITHOUT_EFFECT.test(field)),
    [],
  )
})

test('every field of the Module that does something stands in a golden file', () => {
  const modules = goldens.flatMap(({ objects }) => objects.filter(({ kind }) => kind === 'Module'))
  const used = new Set(modules.flatMap(({ spec }) => Object.keys((spec as { config: object }).config)))
  const missing = Object.entries(MODULE_FIELDS).filter(
    ([name, { answer }]) => answer !== 'no-effect' && !used.has(name),
  )
  assert.deepEqual(
    missing.map(([name]) => name),
    ['ip_deny'],
  )
})
