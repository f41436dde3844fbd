/** The command line as a person meets it: mistakes in files, wrong words, pipes. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'

import { readFileSync } from 'node:fs'

import { example, runProgram, serin } from './support/serin.ts'

const directory = mkdtempSync(join(tmpdir(), 'serin-cli-'))
after(() => rmSync(directory, { recursive: true, force: true }))

function write(name: string, text: string): string {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}

const HEAD = 'apiVersion: getambassador.io/v3alpha1\nkind: Mapping\nmetadata:\n  name: quote\nspec:\n'

describe('a mistake in a file', () => {
  test('is shown with its place, a caret and a suggestion, all mistakes at once, and ends lint and up with 2', async () => {
    const file = write(
      'mistakes.yaml',
      `${HEAD}  hostname: "*"\n  prefix: /quote/\n  service: quote:8080\n  wieght: 10\n  timeout_ms: soon\n---\n${HEAD.replace('quote', 'other')}  prefix: 3\n  service: quote:8080\n`,
    )
    for (const args of [
      ['lint', file],
      ['up', '-f', file, '--data', join(directory, 'data')],
      ['up', '-d', '-f', file, '--data', join(directory, 'data')],
    ]) {
      const { code, stdout, stderr } = await serin(args)
      const said = stdout + stderr
      assert.equal(code, 2, said)
      assert.match(said, /mistakes\.yaml:9:3: .*"wieght"/)
      assert.match(said, /\n {3,}9 \| {3}wieght: 10\n.*\^\^\^\^\^\^ did you mean "weight"\?/)
      assert.match(said, /mistakes\.yaml:10:15: /)
      assert.match(said, /mistakes\.yaml:17:11: /)
      assert.doesNotMatch(said, /\n {4}at /)
    }
  })

  test('in the YAML itself has a place too', async () => {
    const { code, stdout, stderr } = await serin([
      'lint',
      write('broken.yaml', `${HEAD}  hostname: "*"\n prefix: /quote/\n`),
    ])
    assert.equal(code, 2)
    assert.match(stdout + stderr, /broken\.yaml:7:\d+: /)
  })

  test('is found across resources: weights over 100, a service that is not there', async () => {
    const file = write(
      'references.yaml',
      [70, 60]
        .map((weight, index) =>
          [
            HEAD.replace('quote', `quote-${index}`),
            '  hostname: "*"\n  prefix: /quote/\n',
            `  service: nowhere:80\n  weight: ${weight}\n`,
          ].join(''),
        )
        .join('---\n'),
    )
    const { code, stdout, stderr } = await serin(['lint', file])
    assert.equal(code, 2)
    assert.match(stdout + stderr, /weight/)
    assert.match(stdout + stderr, /nowhere/)
  })

  test('is an annotation for GitHub and JSON for programs', async () => {
    const file = write('one.yaml', `${HEAD}  hostname: "*"\n  prefix: /quote/\n  service: quote:8080\n  wieght: 10\n`)
    assert.match((await serin(['lint', file, '--format', 'github'])).stdout, /^::error file=.*,line=9,col=3/m)
    const { stdout } = await serin(['lint', file, '--format', 'json'])
    assert.match(stdout, /"line": 9/)
    JSON.parse(stdout)
  })

  test('that is none: the example has none', async () => {
    const { code, stdout, stderr } = await serin(['lint', join(example, 'k8s'), join(example, 'canary.yaml')])
    assert.equal(code, 0, stdout + stderr)
  })
})

describe('wrong words', () => {
  for (const [args, expected] of [
    [['aply', '-f', 'x'], /did you mean "apply"/],
    [['up', '--wokers', '2'], /did you mean --workers/],
    [['up', '--workers', 'many'], /from 1 to/],
    [['up', '--api', 'nonsense'], /HOST:PORT/],
    [['up', '--console', '0.0.0.0:6441'], /loopback only/],
    [['up', '-f', 'nowhere.yaml'], /nowhere\.yaml does not exist/],
    [['up', '--image', 'web'], /NAME=DIR/],
    [['lint', '--format', 'xml', '-f', example], /text, json, github/],
    [['rollout', 'restat', 'deploy', 'x'], /did you mean "restart"/],
    [['completion', 'tcsh'], /bash/],
  ] as const) {
    test(`serin ${args.join(' ')} ends with 2 and says what was meant`, async () => {
      const { code, stdout, stderr } = await serin([...args], { cwd: directory })
      assert.equal(code, 2, stdout + stderr)
      assert.equal(stdout, '')
      assert.match(stderr, expected)
      assert.match(stderr, /try: serin|does not exist|NAME=DIR/)
    })
  }

  test('without a running serin, a verb says so and ends with 3', async () => {
    const { code, stderr } = await serin(['get', 'pods'], { cwd: directory, env: { ...process.env, KUBECONFIG: '' } })
    assert.equal(code, 3)
    assert.match(stderr, /no serin is running here/)
    assert.match(stderr, /serin up/)
  })
})

describe('help and completion', () => {
  test('go to stdout, with the exit codes and examples', async () => {
    const { code, stdout } = await serin(['--help'])
    assert.equal(code, 0)
    assert.match(stdout, /serin up -f k8s\//)
    assert.match(stdout, /Exit codes/)
    assert.match((await serin(['up', '--help'])).stdout, /Examples:[\s\S]*--workers N/)
  })

  test('know commands, flags and kinds', async () => {
    const complete = async (...words: string[]): Promise<string> => (await serin(['__complete', ...words])).stdout
    assert.match(await complete('ro'), /^rollout$/m)
    assert.match(await complete('up', '--wo'), /^--workers$/m)
    assert.match(await complete('rollout', 're'), /^restart\nresume$/m)
    assert.match(await complete('get', 'mapp'), /^mappings$/m)
    for (const shell of ['bash', 'zsh', 'fish']) assert.match((await serin(['completion', shell])).stdout, /__complete/)
    const bash = await runProgram('bash', [
      '-n',
      write('completion.bash', (await serin(['completion', 'bash'])).stdout),
    ])
    assert.equal(bash.code, 0, bash.stderr)
  })

  test('version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(example, '../../packages/serin/package.json'), 'utf8')) as {
      version: string
    }
    assert.equal((JSON.parse((await serin(['version', '-o', 'json'])).stdout) as { serin: string }).serin, version)
  })
})

test('a reader that goes away is no error', async () => {
  const bin = join(example, '../../packages/serin/bin/serin.js')
  const { code, stderr } = await runProgram('bash', [
    '-c',
    `set -o pipefail; ${process.execPath} ${bin} --help | head -1`,
  ])
  assert.equal(code, 0, stderr)
})
