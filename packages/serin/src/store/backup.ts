/** Copies of a store's file: made of a live one by any process, and put where a store is to begin. */
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { copyDatabase, openDatabase, STORE_FILE } from './database.ts'

/** A consistent copy of the store in a directory as one file, also while a server writes it. Throws when there is no store. */
export async function backupStore({
  directory,
  file,
}: {
  readonly directory: string
  readonly file: string
}): Promise<void> {
  if (!existsSync(join(directory, STORE_FILE))) throw new Error(`there is no store in ${directory}`)
  mkdirSync(dirname(file), { recursive: true })
  const unfinished = `${file}.unfinished`
  rmSync(unfinished, { force: true })
  await copyDatabase(directory, unfinished)
  renameSync(unfinished, file)
}

/** A store made from such a copy. Throws when there is one already, or the file is none that this version reads. */
export async function restoreStore({
  file,
  directory,
}: {
  readonly file: string
  readonly directory: string
}): Promise<void> {
  if (existsSync(join(directory, STORE_FILE))) {
    throw new Error(`${directory} has a store already; choose another directory, or move it away`)
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  copyFileSync(file, join(directory, STORE_FILE))
  try {
    await openDatabase(directory, true).close()
  } catch (error) {
    rmSync(join(directory, STORE_FILE))
    throw error
  }
}
