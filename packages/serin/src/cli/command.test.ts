import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { helpOf, parseCommandLine } from './command.ts'
import { COMMANDS, findCommand } from './commands.ts'
import { CliError, EXIT } from './exit.ts'
import { cliReference } from './reference.ts'
import { age, table } from './output.ts'

const root = join(import.meta.dirname, '../../../../..')

function parse(name: string, ...args: string[]): ReturnType<typeof parseCommandLine> {
  return parseCommandLine(findCommand(name)!, args)
}

function usageMessage(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof CliError)
    assert.equal(error.exitCode, EXIT.usage)
    return error.message
  }
  return assert.fail('nothing was thrown')
}

describe('a command line', () => {
  test('takes flags before and after the words, joined and apart', () => {
    const get = parse('get', '-o', 'yaml', 'pods', '-nshop', '--watch', 'web-1')
    assert.deepEqual(get.positionals, ['pods', 'web-1'])
    assert.equal(get.string('output'), 'yaml')
    assert.equal(get.string('namespace'), 'shop')
    assert.equal(get.boolean('watch'), true)
  })

  test('takes --flag=false, as kubectl does', () => {
    assert.equal(parse('rollout', 'status', 'deploy/web', '--watch=false').choice('watch'), false)
    assert.equal(parse('rollout', 'status', 'deploy/web').choice('watch'), undefined)
  })

  test('collects repeated flags, and keeps the last of the others', () => {
    const up = parse('up', '-f', 'a', '-f', 'b', '--data', 'x', '--data', 'y')
    assert.deepEqual(up.strings('filename'), ['a', 'b'])
    assert.equal(up.string('data'), 'y')
  })

  test('names the flag that was probably meant', () => {
    assert.match(
      usageMessage(() => parse('up', '--wrokers', '2')),
      /--workers/,
    )
    assert.match(
      usageMessage(() => parse('up', '--workers')),
      /needs a value/,
    )
    assert.match(
      usageMessage(() => parse('rollout', 'restat')),
      /did you mean "restart"/,
    )
    assert.match(
      usageMessage(() => parse('down', 'now')),
      /"now"/,
    )
    assert.match(
      usageMessage(() => parse('up', '--workers', '1.5').integer('workers', { min: 1, max: 9 })),
      /from 1 to 9/,
    )
  })
})

describe('every command', () => {
  for (const command of COMMANDS) {
    test(`${command.name} can be loaded and has a help with examples`, async () => {
      assert.equal(typeof (await command.load()), 'function')
      if (command.hidden === true) return
      assert.match(helpOf(command), /Examples:/)
      for (const [line] of command.examples) assert.match(line, /serin/)
    })
  }

  test('stands in docs/reference/cli.md as it is in the code', () => {
    const page = readFileSync(join(root, 'docs/reference/cli.md'), 'utf8')
    assert.ok(page === cliReference(), 'node scripts/reference.mjs writes the page anew')
  })
})

test('a table has three spaces between its columns and no trailing blanks', () => {
  assert.equal(
    table(
      ['NAME', 'AGE'],
      [
        ['helloworld', '4s'],
        ['b', ''],
      ],
    ),
    'NAME         AGE\nhelloworld   4s\nb\n',
  )
})

test('ages are short', () => {
  assert.deepEqual([5_000, 119_000, 125_000, 11 * 60_000, 26 * 3_600_000, 10 * 86_400_000].map(age), [
    '5s',
    '119s',
    '2m5s',
    '11m',
    '26h',
    '10d',
  ])
})
