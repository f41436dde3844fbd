import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readDockerfile } from './dockerfile.ts'

const CASES: readonly (readonly [title: string, text: string, expected: Partial<ReturnType<typeof readDockerfile>>])[] =
  [
    [
      'lists and shell lines',
      'FROM a\nENTRYPOINT ["node", "x y"]\nCMD run  me',
      { entrypoint: ['node', 'x y'], command: ['/bin/sh', '-c', 'run  me'] },
    ],
    [
      'an entry point takes an earlier command away',
      'FROM a\nCMD ["b"]\nENTRYPOINT ["c"]',
      { entrypoint: ['c'], command: [] },
    ],
    [
      'variables in both forms, quoted and expanded',
      'FROM a\nENV A=1 B="two words" C=$A-${B}\nENV D the rest',
      { environment: { A: '1', B: 'two words', C: '1-two words', D: 'the rest' } },
    ],
    [
      'lines that go on, with comments between',
      'FROM a\nENV A=1 \\\n# not this\n    B=2\n',
      { environment: { A: '1', B: '2' } },
    ],
    ['a working directory below another', 'FROM a\nWORKDIR /app\nWORKDIR sub', { workingDirectory: '/app/sub' }],
    [
      'the last stage counts, on top of the stage it is built on',
      'FROM a AS base\nENV A=1\nCMD ["x"]\nFROM b\nCMD ["y"]\nFROM base\nENV B=2',
      { environment: { A: '1', B: '2' }, command: ['x'] },
    ],
    [
      'instructions are not case-sensitive, options of FROM are skipped',
      'from --platform=x a as base\ncmd ["z"]',
      { command: ['z'] },
    ],
  ]

for (const [title, text, expected] of CASES) {
  test(`Dockerfile: ${title}`, () => {
    const found = readDockerfile(text)
    for (const [field, value] of Object.entries(expected))
      assert.deepEqual(found[field as keyof typeof found], value, field)
  })
}
