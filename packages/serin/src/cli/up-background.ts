/** `serin up -d`: starts the same in the background and returns when everything is ready, or has failed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'

import { makeDataDirectory } from '../data-directory.ts'
import type { Invocation } from './command.ts'
import { CliError, EXIT } from './exit.ts'
import { note, print } from './output.ts'
import { shellPath } from './shell-path.ts'

/** After this long it is left running, and the person is told that it is not ready. */
const READY_MS_MAX = 60_000

/** What the process in the background tells the one that waits. */
export type BackgroundMessage =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly message: string; readonly hint?: string; readonly exitCode: number }

/** Of a process that a `serin up -d` has started; does nothing when that one has gone. */
export function tellParent(message: BackgroundMessage): void {
  if (process.connected) process.send?.(message)
}

export async function upInBackground(invocation: Invocation, directory: string): Promise<number> {
  const data = makeDataDirectory(directory)
  const log = openSync(data.log, 'a', 0o600)
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../../../bin/serin.js'), ...foregroundArguments(invocation)],
    {
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
    },
  )
  closeSync(log)
  const outcome = await outcomeOf(child)
  child.removeAllListeners()
  if (child.connected) child.disconnect()
  child.unref()
  switch (outcome.kind) {
    case 'ready':
      print(`It goes on in the background (pid ${child.pid}, log ${shellPath(data.log)}). serin down ends it.`)
      return EXIT.done
    case 'failed':
      throw new CliError(outcome.message, {
        exitCode: outcome.exitCode,
        ...(outcome.hint !== undefined && { hint: outcome.hint }),
      })
    case 'ended':
      throw new CliError(`serin ended with exit code ${outcome.code ?? 'none'}`, {
        hint: `less ${shellPath(data.log)}`,
      })
    case 'late':
    case 'line':
      note(`not everything is ready after ${READY_MS_MAX / 1000} s; it goes on in the background (pid ${child.pid})`)
      note('  try: serin get pods; serin get events')
      return EXIT.timedOut
  }
}

type Outcome = BackgroundMessage | { readonly kind: 'ended'; readonly code: number | null } | { readonly kind: 'late' }

/** Shows what it says until it is ready, has failed, or has taken too long. */
function outcomeOf(child: ChildProcess): Promise<Outcome> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => done({ kind: 'late' }), READY_MS_MAX)
    child.on('message', (message: BackgroundMessage) => {
      if (message.kind === 'line') print(message.text)
      else done(message)
    })
    child.on('exit', (code) => done({ kind: 'ended', code }))
    function done(outcome: Outcome): void {
      clearTimeout(timer)
      resolve(outcome)
    }
  })
}

/** The same command line without -d. */
function foregroundArguments(invocation: Invocation): readonly string[] {
  const { command } = invocation
  return [
    command.name,
    ...Object.entries(command.flags).flatMap(([name, flag]) => {
      if (name === 'detach' || name === 'help') return []
      if (flag.type === 'boolean') return invocation.boolean(name) ? [`--${name}`] : []
      return invocation.strings(name).flatMap((value) => [`--${name}`, value])
    }),
  ]
}
