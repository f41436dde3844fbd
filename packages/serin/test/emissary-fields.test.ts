/** docs/reference/mapping.md against the code, both ways: fields, types, defaults, and how serin answers to each. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { UNSUPPORTED_KINDS } from '../src/compile/context.ts'
import { ANSWERS } from '../src/resources/ambassador/answers.ts'
import { MODULE_FIELDS } from '../src/resources/ambassador/module.ts'
import { AMBASSADOR_SCHEMAS } from '../src/resources/ambassador/schemas.ts'
import type { Schema } from '../src/resources/schema.ts'
import { repository } from './emissary/case.ts'

const page = readFileSync(resolve(repository, 'docs/reference/mapping.md'), 'utf8')

/** The rows under a heading, cells without their backquotes. */
function rowsUnder(heading: string): string[][] {
  const start = page.indexOf(`\n${heading}\n`)
  assert.notEqual(start, -1, `no heading ${heading}`)
  const rest = page.slice(start + heading.length + 2)
  const end = rest.search(/\n#{2,3} /)
  return (end === -1 ? rest : rest.slice(0, end))
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

function typeText(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.join(String.raw` \| `)
  if (schema.type === 'object') return 'map'
  if (schema.type !== 'array') return schema.type ?? 'any'
  const { type } = schema.items ?? {}
  return type === undefined || type === 'object' ? 'list' : `list of ${type}s`
}

function defaultText(schema: Schema): string {
  const { default: value } = schema
  return value === undefined ? '' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}

function answerText(found: { readonly answer: string; readonly because?: string } | undefined): string {
  if (found === undefined) return 'same'
  const word = found.answer === 'no-effect' ? 'no effect' : found.answer
  return found.because === undefined ? word : `${word}: ${found.because}`
}

const unsupported = new Set(UNSUPPORTED_KINDS.map(({ kind }) => kind.kind))
const kinds = Object.entries(AMBASSADOR_SCHEMAS).filter(([kind]) => !unsupported.has(kind))

for (const [kind, { properties = {} }] of kinds) {
  test(`the page says of each field of ${kind} what the code says`, () => {
    const written = rowsUnder(`## ${kind}`).map(([field, type, value, here, , answer]) => [
      field,
      type,
      value,
      here,
      answer,
    ])
    const coded = Object.entries(properties).map(([field, schema]) => [
      `\`${field}\``,
      typeText(schema),
      defaultText(schema),
      schema.description,
      answerText(ANSWERS[kind]?.[field]),
    ])
    assert.deepEqual(written, coded)
  })
}

test("the page says of each field of the Module's config what the code says", () => {
  const written = rowsUnder('### `config`').map(([field, type, , , , answer]) => [field, type, answer])
  const coded = Object.entries(MODULE_FIELDS).map(([field, found]) => [
    `\`${field}\``,
    typeText(found.schema),
    answerText(found),
  ])
  assert.deepEqual(written, coded)
})

test('the page names the kinds that do nothing, and why', () => {
  const written = rowsUnder('## Kinds that do nothing here')
  const coded = UNSUPPORTED_KINDS.map(({ kind, severity, because }) => [
    `\`${kind.kind}\``,
    `${severity === 'error' ? 'refused' : 'no effect'}: ${because}`,
  ])
  assert.deepEqual(written, coded)
})

test('the page counts the answers', () => {
  const all = [
    ...kinds.flatMap(([kind, { properties = {} }]) =>
      Object.keys(properties).map((field) => ANSWERS[kind]?.[field]?.answer ?? 'same'),
    ),
    ...Object.values(MODULE_FIELDS).map(({ answer }) => answer),
  ]
  const count = (answer: string): number => all.filter((other) => other === answer).length
  assert.ok(
    page.includes(
      `Of ${all.length} fields ${count('same')} are the same, ${count('safer')} safer, ${count('no-effect')} without effect, ${count('refused')} refused.`,
    ),
  )
})

test('every annotation that the page explains is one that the code reads, and the other way round', () => {
  const written = rowsUnder("## serin's own annotations on a Mapping").map(([name]) => name!.replaceAll('`', ''))
  const source = readFileSync(resolve(repository, 'packages/serin/src/compile/mapping.ts'), 'utf8')
  const coded = [...new Set([...source.matchAll(/'(serin\.dev\/[\w-]+)'/g)].map(([, name]) => name!))]
  assert.deepEqual(written.toSorted(), coded.toSorted())
})
