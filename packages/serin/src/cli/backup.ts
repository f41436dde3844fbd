/** `serin backup` and `serin restore`: all that is stored, as one file. */
import { existsSync, rmSync, statSync } from 'node:fs'
import { resolve } from 'node:path'

import { dataDirectory, makeDataDirectory } from '../data-directory.ts'
import { backupStore, restoreStore } from '../store/backup.ts'
import { DEFAULT_DATA } from './client.ts'
import { type Invocation, usageError } from './command.ts'
import { CliError, EXIT } from './exit.ts'
import { grouped, print } from './output.ts'
import { shellPath } from './shell-path.ts'

/** Of a running serin too: the copy is of one moment. */
export async function backup(invocation: Invocation): Promise<number> {
  const file = fileOf(invocation)
  const data = dataDirectory(invocation.string('data') ?? DEFAULT_DATA)
  if (!existsSync(data.store)) {
    throw new CliError(`nothing is stored in ${shellPath(data.path)}`, { exitCode: EXIT.notFound, hint: 'serin up' })
  }
  await backupStore({ directory: data.store, file })
  print(`${shellPath(file)} has all that is stored (${grouped(statSync(file).size)} bytes)`)
  return EXIT.done
}

export async function restore(invocation: Invocation): Promise<number> {
  const file = fileOf(invocation)
  if (!existsSync(file)) throw new CliError(`${shellPath(file)} does not exist`, { exitCode: EXIT.usage })
  const data = makeDataDirectory(invocation.string('data') ?? DEFAULT_DATA)
  if (existsSync(data.store)) {
    throw new CliError(`${shellPath(data.path)} is not empty; a backup fills an empty data directory only`, {
      exitCode: EXIT.usage,
      hint: `serin restore ${shellPath(file)} --data NEW`,
    })
  }
  try {
    await restoreStore({ directory: data.store, file })
  } catch (error) {
    rmSync(data.store, { recursive: true, force: true })
    throw new CliError(`${shellPath(file)} is no backup of serin: ${(error as Error).message}`, { cause: error })
  }
  print(`${shellPath(data.path)} has what ${shellPath(file)} had; serin up --data ${shellPath(data.path)} starts it`)
  return EXIT.done
}

function fileOf(invocation: Invocation): string {
  const [file] = invocation.positionals
  if (file === undefined) throw usageError(invocation.command, 'say which file')
  return resolve(file)
}
