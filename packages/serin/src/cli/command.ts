/**
 * What a command is: a row of the table in `commands.ts`, from which the parser, `--help`, the completion and
 * `docs/reference/cli.md` come.
 */
import { parseArgs } from 'node:util'

import { CliError, EXIT } from './exit.ts'
import { suggest } from '../resources/suggest.ts'

export interface Flag {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  /** May be given more than once. */
  readonly multiple?: boolean
  /** Stands for the value in help: `PATH`. */
  readonly value?: string
  readonly help: string
  /** Not shown. */
  readonly hidden?: boolean
}

export type FlagTable = Readonly<Record<string, Flag>>

export interface Command {
  readonly name: string
  readonly aliases?: readonly string[]
  /** One line; starts with a verb. */
  readonly summary: string
  /** What follows `serin NAME` in the usage line, without the flags. */
  readonly usage: string
  /** What to type, and what it does. */
  readonly examples: readonly (readonly [string, string])[]
  readonly flags: FlagTable
  /** Positional arguments; more are refused. Default: 0. */
  readonly argumentsMax?: number
  /** First positional arguments that are known, for suggestions and completion. */
  readonly words?: readonly string[]
  /** What completes the positional arguments: kinds, then names of that kind. */
  readonly completes?: 'kinds'
  readonly hidden?: boolean
  /** Loaded only when the command is run. Resolves to the exit code. */
  readonly load: () => Promise<(invocation: Invocation) => Promise<number>>
}

/** A command line, understood. */
export class Invocation {
  readonly command: Command
  readonly positionals: readonly string[]
  readonly #values: ReadonlyMap<string, readonly (string | boolean)[]>

  constructor(
    command: Command,
    positionals: readonly string[],
    values: ReadonlyMap<string, readonly (string | boolean)[]>,
  ) {
    this.command = command
    this.positionals = positionals
    this.#values = values
  }

  string(name: string): string | undefined {
    const value = this.#declared(name, 'string').at(-1)
    return value === undefined ? undefined : String(value)
  }

  strings(name: string): readonly string[] {
    return this.#declared(name, 'string').map(String)
  }

  boolean(name: string): boolean {
    return this.#declared(name, 'boolean').at(-1) === true
  }

  /** undefined when it was not given, so that a default can be true. */
  choice(name: string): boolean | undefined {
    const value = this.#declared(name, 'boolean').at(-1)
    return value === undefined ? undefined : value === true
  }

  /** A whole number from `min` to `max`. */
  integer(name: string, { min, max }: { min: number; max: number }): number | undefined {
    const text = this.string(name)
    if (text === undefined) return undefined
    const value = Number(text)
    if (!/^-?\d+$/.test(text) || value < min || value > max) {
      throw usageError(this.command, `--${name} takes a whole number from ${min} to ${max}, not "${text}"`)
    }
    return value
  }

  #declared(name: string, type: Flag['type']): readonly (string | boolean)[] {
    const flag = this.command.flags[name]
    if (flag?.type !== type) throw new Error(`${this.command.name} has no ${type} flag --${name}`)
    return this.#values.get(name) ?? []
  }
}

export function usageError(command: Command, message: string): CliError {
  return new CliError(message, { exitCode: EXIT.usage, hint: `serin ${command.name} --help` })
}

/** Understands the arguments after the command's name. Throws CliError on anything unknown. Pure. */
export function parseCommandLine(command: Command, args: readonly string[]): Invocation {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(command.flags).map(([name, flag]) => [
        name,
        { type: flag.type, multiple: true, ...(flag.short !== undefined && { short: flag.short }) },
      ]),
    ),
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const values = new Map<string, (string | boolean)[]>()
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const value = flagValue(command, token)
    const flag = command.flags[token.name]
    const known = values.get(token.name)
    if (known === undefined || flag?.multiple !== true) values.set(token.name, [value])
    else known.push(value)
  }
  checkPositionals(command, positionals)
  return new Invocation(command, positionals, values)
}

function flagValue(
  command: Command,
  token: { name: string; rawName: string; value: string | undefined; inlineValue: boolean | undefined },
): string | boolean {
  const flag = command.flags[token.name]
  if (flag === undefined) {
    const near = suggest(token.name, Object.keys(command.flags))
    const advice = near === undefined ? '' : `; did you mean --${near}?`
    throw usageError(command, `serin ${command.name} has no flag ${token.rawName}${advice}`)
  }
  if (flag.type === 'string') {
    if (token.value === undefined) throw usageError(command, `${token.rawName} needs a value (${flag.value ?? 'TEXT'})`)
    return token.value
  }
  if (token.value === undefined || token.value === 'true') return true
  if (token.value === 'false') return false
  throw usageError(command, `${token.rawName} is true or false, not "${token.value}"`)
}

function checkPositionals(command: Command, positionals: readonly string[]): void {
  const most = command.argumentsMax ?? 0
  const tooMany = positionals[most]
  if (tooMany !== undefined) {
    throw usageError(command, `serin ${command.name} does not know what to do with "${tooMany}"`)
  }
  const first = positionals[0]
  if (command.words === undefined || first === undefined || command.words.includes(first)) return
  const near = suggest(first, command.words)
  throw usageError(
    command,
    `serin ${command.name} has no "${first}"${near === undefined ? '' : `; did you mean "${near}"?`}` +
      ` It takes: ${command.words.join(', ')}`,
  )
}

/** What `serin NAME --help` prints: examples before flags. Pure. */
export function helpOf(command: Command): string {
  const lines = [
    `${command.summary}.`,
    '',
    `  serin ${command.name}${command.usage === '' ? '' : ` ${command.usage}`}`,
    '',
  ]
  if (command.examples.length > 0) {
    const width = Math.max(...command.examples.map(([line]) => line.length))
    lines.push('Examples:', ...command.examples.map(([line, what]) => `  ${line.padEnd(width + 2)}# ${what}`), '')
  }
  const flags = Object.entries(command.flags).filter(([, flag]) => flag.hidden !== true)
  if (flags.length > 0) {
    const heads = flags.map(([name, flag]) => flagHead(name, flag))
    const width = Math.max(...heads.map((head) => head.length))
    lines.push('Flags:', ...flags.map(([, flag], index) => `  ${heads[index]!.padEnd(width + 2)}${flag.help}`), '')
  }
  return lines.join('\n')
}

/** `-f, --filename PATH`. Pure. */
export function flagHead(name: string, flag: Flag): string {
  const short = flag.short === undefined ? '    ' : `-${flag.short}, `
  return `${short}--${name}${flag.type === 'string' ? ` ${flag.value ?? 'TEXT'}` : ''}`
}
