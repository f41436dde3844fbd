/** How a command ends: its exit code, and what is said when it ends badly. */

/** Documented in `docs/reference/cli.md` and in `serin --help`. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  timedOut: 4,
  interrupted: 130,
} as const

export const EXIT_MEANING: readonly (readonly [number, string])[] = [
  [EXIT.done, 'done'],
  [EXIT.failed, 'the command failed, or a rollout did'],
  [EXIT.usage, 'wrong usage, or a mistake in a file'],
  [EXIT.notFound, 'no such resource, or no serin is running'],
  [EXIT.timedOut, 'timed out'],
  [EXIT.interrupted, 'interrupted (Ctrl-C)'],
]

/** A plain sentence for a person, and what to do next. Shown without a stack. */
export class CliError extends Error {
  readonly exitCode: number
  /** The next command to type, or another piece of advice. */
  readonly hint: string | undefined

  constructor(message: string, options: { exitCode?: number; hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'CliError'
    this.exitCode = options.exitCode ?? EXIT.failed
    this.hint = options.hint
  }
}
