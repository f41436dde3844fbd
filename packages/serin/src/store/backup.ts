/** Copies of a store's file: made of a live one by any process, and put where a store is to begin. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs'
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
  checkCopy(file)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  copyFileSync(file, join(directory, STORE_FILE))
  try {
    await openDatabase(directory, true).close()
  } catch (error) {
    rmSync(join(directory, STORE_FILE))
    throw error
  }
}

/** Of LMDB's meta pages (`MDB_meta` behind a page header of 24 octets); there are two, and either may be the newer one. */
const META = { magic: 24, pageSize: 48, lastPage: 144, bytes: 160 } as const
const MAGIC = 0xbe_ef_c0_de

/** LMDB maps a file without looking at it: what is none, or is cut off, would end the process. Throws an Error. */
function checkCopy(file: string): void {
  const handle = openSync(file, 'r')
  try {
    const { size } = fstatSync(handle)
    const first = metaAt(handle, 0)
    if (first === undefined) throw new Error('it is no copy of a store')
    const second = metaAt(handle, first.pageSize)
    const pages = 1 + Math.max(first.lastPage, second?.lastPage ?? Infinity)
    if (size < pages * first.pageSize) throw new Error('it is cut off')
  } finally {
    closeSync(handle)
  }
}

function metaAt(handle: number, position: number): { pageSize: number; lastPage: number } | undefined {
  const page = Buffer.alloc(META.bytes)
  if (readSync(handle, page, 0, META.bytes, position) < META.bytes) return undefined
  if (page.readUInt32LE(META.magic) !== MAGIC) return undefined
  return { pageSize: page.readUInt32LE(META.pageSize), lastPage: Number(page.readBigUInt64LE(META.lastPage)) }
}
