/** `serin api diff`, as a CI runs it. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { after, test } from 'node:test'

const directory = mkdtempSync(join(tmpdir(), 'serin-api-diff-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const program = join(import.meta.dirname, '../../../bin/serin.js')

function diff(...args: readonly string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'api', 'diff', ...args], {
    encoding: 'utf8',
  })
  return { code: status, stdout, stderr }
}

function document(name: string, text: string): string {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}

const old = document(
  'old.json',
  '{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/a":{"get":{"responses":{"200":{"description":""}}}}}}',
)
const added = document(
  'added.yaml',
  'openapi: 3.0.3\ninfo: {title: t, version: "1"}\npaths:\n  /a:\n    get: {responses: {"200": {description: ""}}}\n  /b:\n    get: {responses: {}}\n',
)

test('an addition is no break', () => {
  const { code, stdout, stderr } = diff(old, added)
  assert.deepEqual([code, stdout, stderr], [0, '', 'nothing breaks; 1 harmless addition (--all shows them)\n'])
  assert.equal(diff(old, added, '--all').stdout, 'addition  GET /b  the operation is new\n')
})

test('a break ends with 1, as text and as JSON', () => {
  const { code, stdout, stderr } = diff(added, old)
  assert.deepEqual([code, stdout, stderr], [1, 'breaking  GET /b  the operation was removed\n', '1 break\n'])
  const json = diff(added, old, '-o', 'json')
  assert.equal(json.code, 1)
  assert.deepEqual(JSON.parse(json.stdout), {
    breaking: 1,
    changes: [
      {
        level: 'breaking',
        code: 'operation-removed',
        operation: 'GET /b',
        where: '',
        message: 'the operation was removed',
      },
    ],
  })
})

test('what cannot be read is a sentence with its place, and ends with 2', () => {
  const broken = document('broken.json', '{"openapi": "3.0.3",\n "info": ]\n')
  const cases = [
    [[old], /say which documents/],
    [[old, join(directory, 'nowhere.json')], /nowhere\.json does not exist/],
    [[old, broken], /broken\.json:2:\d+: .*\n2 \| {2}"info": \]\n {2,}\^/],
    [[document('swagger.json', '{"swagger":"2.0"}'), old], /swagger\.json is no OpenAPI 3 document/],
    [[old, 'http://127.0.0.1:1/openapi.json'], /cannot read http:\/\/127\.0\.0\.1:1\/openapi\.json/],
    [[old, added, '-o', 'xml'], /-o takes text or json/],
  ] as const
  for (const [args, says] of cases) {
    const { code, stderr } = diff(...args)
    assert.equal(code, 2, stderr)
    assert.match(stderr, says)
    assert.doesNotMatch(stderr, /\n {4}at /)
  }
})
