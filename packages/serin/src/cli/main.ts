/** argv → one command → exit code. Every command's code is loaded only when it is called. */
import { CliError, EXIT, EXIT_MEANING } from './exit.ts'
import { type Command, helpOf, parseCommandLine } from './command.ts'
import { commandNames, COMMANDS, findCommand } from './commands.ts'
import { forgiveClosedPipes, note, paint, print } from './output.ts'
import { suggest } from '../resources/suggest.ts'

/** Whose output is not what they are for. */
const LONG_LIVED: ReadonlySet<string> = new Set(['up', 'gateway'])

/** Runs one command line; resolves to the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  forgiveClosedPipes({ survive: LONG_LIVED.has(findCommand(args[0] ?? '')?.name ?? '') })
  try {
    return await dispatch(args)
  } catch (error) {
    return explainFailure(error)
  }
}

async function dispatch(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') return help(rest[0])
  if (name === '--version' || name === '-v') return dispatch(['version'])
  const command = findCommand(name)
  if (command === undefined) throw unknownCommand(name)
  if (command.name === '__complete') return (await command.load())(parseCommandLine(command, ['--', ...rest]))
  const invocation = parseCommandLine(command, rest)
  if (invocation.boolean('no-color')) process.env['NO_COLOR'] = '1'
  if (invocation.boolean('help')) return help(command.name)
  const run = await command.load()
  return run(invocation)
}

function help(name: string | undefined): number {
  const command: Command | undefined = name === undefined ? undefined : findCommand(name)
  if (name !== undefined && command === undefined) throw unknownCommand(name)
  print(command === undefined ? overview() : helpOf(command))
  return EXIT.done
}

function unknownCommand(name: string): CliError {
  const near = suggest(name, commandNames())
  return new CliError(`serin has no command "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`, {
    exitCode: EXIT.usage,
    hint: 'serin --help',
  })
}

/** What `serin` alone prints. */
function overview(): string {
  const shown = COMMANDS.filter((command) => command.hidden !== true)
  const width = Math.max(...shown.map((command) => command.name.length))
  return [
    'serin releases a new version of an HTTP API to a few requests first, watches it, and widens it or takes it back.',
    '',
    '  serin up -f k8s/        start what these files describe',
    '  serin demo              see it work',
    '',
    'Commands:',
    ...shown.map((command) => `  ${command.name.padEnd(width + 2)}${command.summary}`),
    '',
    `Exit codes: ${EXIT_MEANING.map(([code, meaning]) => `${code} ${meaning}`).join('; ')}.`,
    'serin COMMAND --help says more.',
    '',
  ].join('\n')
}

/** A sentence for what was expected to go wrong sometimes, the stack for what was not. */
function explainFailure(error: unknown): number {
  if (error instanceof CliError) {
    note(`${paint('red', 'error:', process.stderr)} ${error.message}`)
    if (error.hint !== undefined) note(`  try: ${error.hint}`)
    return error.exitCode
  }
  if (process.env['SERIN_DEBUG'] !== undefined) note(String((error as Error).stack))
  note(`${paint('red', 'error:', process.stderr)} ${error instanceof Error ? error.message : String(error)}`)
  return EXIT.failed
}
