/** Two documents compared. One line for each code; the same change in the other direction is harmless where it should be. */

import { deepEqual, equal, throws } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import {
  breakingChanges,
  compareDocuments,
  printChanges,
  specChangeCodes,
  type OpenApiDocument,
  type SpecChangeCode,
} from '../src/openapi/index.ts'

interface Parts {
  readonly parameters?: readonly object[]
  readonly body?: object | undefined
  readonly answer?: object
  readonly responses?: object
  readonly operation?: object
  readonly components?: object
}

const json = (schema: object): object => ({ content: { 'application/json': { schema } } })

/** A document with one operation, `GET /a/{id}`. */
function document(
  { parameters = [], body, answer = {}, responses, operation = {}, components = {} }: Parts,
  openapi = '3.0.3',
): OpenApiDocument {
  const get = {
    parameters,
    ...(body === undefined ? {} : { requestBody: body }),
    responses: responses ?? { 200: { description: 'ok', ...json(answer) } },
    ...operation,
  }
  return {
    openapi,
    info: { title: 't', version: '1' },
    paths: { '/a/{id}': { get } },
    components: { schemas: components },
  } as OpenApiDocument
}

const string = { type: 'string' }
const object = (properties: object, required: readonly string[] = [], more: object = {}): object => ({
  type: 'object',
  properties,
  required,
  ...more,
})
const parameter = (schema: object, more: object = {}): object => ({ in: 'query', name: 'q', schema, ...more })
const body = (schema: object, more: object = {}): object => ({ ...json(schema), ...more })

interface Row {
  readonly code: SpecChangeCode
  readonly level: 'breaking' | 'warning' | 'addition'
  readonly where: string
  readonly old: Parts
  readonly now: Parts
}

const rows: readonly Row[] = [
  { code: 'operation-deprecated', level: 'warning', where: '', old: {}, now: { operation: { deprecated: true } } },
  {
    code: 'parameter-removed',
    level: 'warning',
    where: 'query parameter q',
    old: { parameters: [parameter(string)] },
    now: {},
  },
  {
    code: 'parameter-required',
    level: 'breaking',
    where: 'query parameter q',
    old: {},
    now: { parameters: [parameter(string, { required: true })] },
  },
  {
    code: 'parameter-required',
    level: 'breaking',
    where: 'query parameter q',
    old: { parameters: [parameter(string)] },
    now: { parameters: [parameter(string, { required: true })] },
  },
  {
    code: 'parameter-added',
    level: 'addition',
    where: 'query parameter q',
    old: {},
    now: { parameters: [parameter(string)] },
  },
  {
    code: 'type-changed',
    level: 'breaking',
    where: 'query parameter q',
    old: { parameters: [parameter(string)] },
    now: { parameters: [parameter({ type: 'integer' })] },
  },
  {
    code: 'type-widened',
    level: 'addition',
    where: 'query parameter q',
    old: { parameters: [parameter({ type: 'integer' })] },
    now: { parameters: [parameter({ type: 'number' })] },
  },
  {
    code: 'enum-narrowed',
    level: 'breaking',
    where: 'query parameter q',
    old: { parameters: [parameter({ enum: ['a', 'b'] })] },
    now: { parameters: [parameter({ enum: ['a'] })] },
  },
  {
    code: 'enum-narrowed',
    level: 'breaking',
    where: 'body, kind',
    old: { body: body(object({ kind: string })) },
    now: { body: body(object({ kind: { type: 'string', enum: ['a'] } })) },
  },
  {
    code: 'enum-widened',
    level: 'addition',
    where: 'body, kind',
    old: { body: body(object({ kind: { enum: ['a'] } })) },
    now: { body: body(object({ kind: { enum: ['a', 'b'] } })) },
  },
  {
    code: 'enum-widened',
    level: 'warning',
    where: 'response 200, kind',
    old: { answer: object({ kind: { enum: ['a'] } }) },
    now: { answer: object({ kind: { enum: ['a', 'b'] } }) },
  },
  {
    code: 'constraint-tightened',
    level: 'breaking',
    where: 'query parameter q',
    old: { parameters: [parameter({ type: 'integer', maximum: 100 })] },
    now: { parameters: [parameter({ type: 'integer', maximum: 50 })] },
  },
  {
    code: 'constraint-tightened',
    level: 'breaking',
    where: 'query parameter q',
    old: { parameters: [parameter(string)] },
    now: { parameters: [parameter({ type: 'string', pattern: '^a' })] },
  },
  {
    code: 'format-changed',
    level: 'breaking',
    where: 'query parameter q',
    old: { parameters: [parameter(string)] },
    now: { parameters: [parameter({ type: 'string', format: 'uuid' })] },
  },
  {
    code: 'format-changed',
    level: 'breaking',
    where: 'response 200',
    old: { answer: { type: 'string', format: 'date' } },
    now: { answer: string },
  },
  { code: 'body-required', level: 'breaking', where: 'body', old: {}, now: { body: body(string, { required: true }) } },
  {
    code: 'body-required',
    level: 'breaking',
    where: 'body',
    old: { body: body(string) },
    now: { body: body(string, { required: true }) },
  },
  { code: 'body-added', level: 'addition', where: 'body', old: {}, now: { body: body(string) } },
  { code: 'body-removed', level: 'warning', where: 'body', old: { body: body(string) }, now: {} },
  {
    code: 'property-required',
    level: 'breaking',
    where: 'body, name',
    old: { body: body(object({ name: string })) },
    now: { body: body(object({ name: string }, ['name'])) },
  },
  {
    code: 'property-removed',
    level: 'warning',
    where: 'body, name',
    old: { body: body(object({ name: string })) },
    now: { body: body(object({})) },
  },
  {
    code: 'properties-closed',
    level: 'breaking',
    where: 'body',
    old: { body: body(object({ name: string })) },
    now: { body: body(object({ name: string }, [], { additionalProperties: false })) },
  },
  {
    code: 'property-removed',
    level: 'breaking',
    where: 'response 200, list[].price',
    old: { answer: object({ list: { type: 'array', items: object({ price: string, id: string }) } }) },
    now: { answer: object({ list: { type: 'array', items: object({ id: string }) } }) },
  },
  {
    code: 'property-optional',
    level: 'breaking',
    where: 'response 200, name',
    old: { answer: object({ name: string }, ['name']) },
    now: { answer: object({ name: string }) },
  },
  {
    code: 'property-added',
    level: 'addition',
    where: 'response 200, name',
    old: { answer: object({ id: string }) },
    now: { answer: object({ id: string, name: string }) },
  },
  {
    code: 'type-changed',
    level: 'breaking',
    where: 'response 200',
    old: { answer: string },
    now: { answer: { type: 'string', nullable: true } },
  },
  {
    code: 'status-removed',
    level: 'breaking',
    where: 'response 404',
    old: { responses: { 200: { description: '' }, 404: { description: '' } } },
    now: { responses: { 200: { description: '' } } },
  },
  {
    code: 'status-added',
    level: 'addition',
    where: 'response 404',
    old: { responses: { 200: { description: '' } } },
    now: { responses: { 200: { description: '' }, 404: { description: '' } } },
  },
  {
    code: 'media-type-removed',
    level: 'breaking',
    where: 'response 200',
    old: { responses: { 200: { content: { 'application/json': {}, 'text/csv': {} } } } },
    now: { responses: { 200: { content: { 'application/json': {} } } } },
  },
  {
    code: 'media-type-added',
    level: 'addition',
    where: 'response 200',
    old: { responses: { 200: { content: { 'application/json': {} } } } },
    now: { responses: { 200: { content: { 'application/json': {}, 'text/csv': {} } } } },
  },
  {
    code: 'header-removed',
    level: 'breaking',
    where: 'response 200, header X-Total',
    old: { responses: { 200: { headers: { 'X-Total': {} } } } },
    now: { responses: { 200: {} } },
  },
  { code: 'security-added', level: 'breaking', where: '', old: {}, now: { operation: { security: [{ key: [] }] } } },
  {
    code: 'alternative-removed',
    level: 'breaking',
    where: 'body',
    old: { body: body({ oneOf: [string, { type: 'integer' }] }) },
    now: { body: body({ oneOf: [string] }) },
  },
  {
    code: 'alternative-added',
    level: 'breaking',
    where: 'response 200',
    old: { answer: { anyOf: [string] } },
    now: { answer: { anyOf: [string, { type: 'integer' }] } },
  },
]

describe('compareDocuments', () => {
  for (const { code, level, where, old, now } of rows) {
    test(`${code} (${level}): ${where}`, () => {
      const changes = compareDocuments(document(old), document(now))
      deepEqual(
        changes.map((change) => ({
          code: change.code,
          level: change.level,
          where: change.where,
          operation: change.operation,
        })),
        [{ code, level, where, operation: 'GET /a/{id}' }],
      )
    })
  }

  test('operations come and go', () => {
    const old = { ...document({}), paths: { '/a': { get: { responses: {} } } } }
    const now = { ...document({}), paths: { '/b': { get: { responses: {} } } } }
    deepEqual(
      compareDocuments(old, now).map(({ level, code, operation }) => [level, code, operation]),
      [
        ['breaking', 'operation-removed', 'GET /a'],
        ['addition', 'operation-added', 'GET /b'],
      ],
    )
    equal(
      printChanges(compareDocuments(old, now)),
      'breaking  GET /a  the operation was removed\naddition  GET /b  the operation is new\n',
    )
  })

  test('renamed path parameters, references, allOf and recursive schemas are no difference', () => {
    const node = { type: 'object', properties: { next: { $ref: '#/components/schemas/Node' }, name: string } }
    const old = document({
      parameters: [{ in: 'path', name: 'id', required: true, schema: string }],
      answer: { $ref: '#/components/schemas/Node' },
      components: { Node: node },
    })
    const now = {
      ...document({}),
      paths: {
        '/a/{item}': {
          get: {
            parameters: [{ in: 'path', name: 'item', required: true, schema: string }],
            responses: { 200: json({ allOf: [{ $ref: '#/components/schemas/N2' }, {}] }) },
          },
        },
      },
      components: {
        schemas: { N2: { ...node, properties: { next: { $ref: '#/components/schemas/N2' }, name: string } } },
      },
    }
    deepEqual(compareDocuments(old, now as unknown as OpenApiDocument), [])
  })

  test('OpenAPI 3.1 types as lists and const', () => {
    const old = document({ answer: { type: ['string', 'null'] } }, '3.1.0')
    deepEqual(breakingChanges(old, document({ answer: { const: 'x' } }, '3.1.0')), [])
    equal(
      breakingChanges(
        document({ answer: { const: 'x' } }, '3.1.0'),
        document({ answer: { type: 'integer' } }, '3.1.0'),
      )[0]?.code,
      'type-changed',
    )
  })

  test('a new required property with a default breaks nobody', () => {
    deepEqual(
      breakingChanges(
        document({ body: body(object({})) }),
        document({ body: body(object({ n: { type: 'integer', default: 1 } }, ['n'])) }),
      ),
      [],
    )
  })

  test('something else than OpenAPI 3 is refused', () => {
    throws(
      () => breakingChanges({ swagger: '2.0' } as never, document({})),
      /the old document is no OpenAPI 3 document/,
    )
    throws(() => breakingChanges(document({}), null as never), /the new document is no OpenAPI 3 document/)
  })

  test('every code has a row here and a line in the reference', () => {
    const tried = new Set<string>([...rows.map((row) => row.code), 'operation-removed', 'operation-added'])
    deepEqual([...tried].sort(), [...specChangeCodes].sort())
    const page = readFileSync(join(import.meta.dirname, '../../../../docs/reference/versioning-diff.md'), 'utf8')
    const documented = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map((found) => found[1])
    deepEqual(documented, [...specChangeCodes])
  })
})
