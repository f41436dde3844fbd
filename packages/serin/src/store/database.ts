/**
 * What is on disk: one LMDB environment in a directory. Every write is a record under its revision; the objects are what
 * the records say in order, so one table is both the objects and the history of the watches.
 *
 * Durability: `commit` resolves after LMDB has written its pages, fsynced the file and written the meta page that makes them
 * count (LMDB's default, no NOSYNC, no overlapping sync). A process or a machine that dies before that leaves the state before it.
 */
import { mkdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { createRequire } from 'node:module'
import { isAlive, myself, type ProcessIdentity } from './process-identity.ts'
import { StoreError } from './store.ts'

// The CommonJS half of the package: the types of its ESM half are not valid ESM (`export =`).
type Lmdb = typeof import('lmdb', { with: { 'resolution-mode': 'require' } })
const { open } = createRequire(import.meta.url)('lmdb') as Lmdb
type RootDatabase = ReturnType<typeof open<unknown, string>>

/** The layout of the records. A newer one is refused; older ones are migrated when opened. */
const FORMAT: number = 1

/** One write. `previous` is the revision of the record about the same object that it replaces. */
export interface DiskRecord {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  /** `group/plural`. */
  readonly kind: string
  /** JSON of the object; when deleted: as it last was. */
  readonly object: string
  readonly previous?: number
}

export interface Commit {
  readonly records: readonly { readonly revision: number; readonly record: DiskRecord }[]
  /** Records that neither an object nor the history needs any more. */
  readonly remove: readonly number[]
  /** The history reaches back to events after this revision. */
  readonly compacted: number
}

export interface Database {
  readonly compacted: number
  /** All records in order of their revisions. */
  records(): Iterable<{ revision: number; record: DiskRecord; bytes: number }>
  /** Resolves when it is on disk. Throws StoreError `InsufficientStorage` when the disk is full. */
  commit(commit: Commit): Promise<void>
  close(): Promise<void>
}

export const STORE_FILE = 'store.mdb'
/** With less than this left, a write that failed failed for want of space. */
const FREE_BYTES_MIN = 1024 * 1024

/** Throws a plain Error that says who holds the directory, or that the file is of a newer serin. */
export function openDatabase(directory: string, restored: boolean): Database {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const root = open<unknown, string>({
    path: join(directory, STORE_FILE),
    noSubdir: true,
    overlappingSync: false,
    // Our batches are explicit; the implicit ones leave promises behind that nobody can catch when a commit fails.
    eventTurnBatching: false,
    encoding: 'json',
    maxDbs: 2,
  })
  try {
    takeOwnership(root, directory, restored)
    return openTables(root, directory)
  } catch (error) {
    void root.close() // The error is what counts; nothing was written.
    throw error
  }
}

/** By a process that does not own it: LMDB lets others read while the owner writes. */
export async function copyDatabase(directory: string, file: string): Promise<void> {
  const root = open<unknown, string>({ path: join(directory, STORE_FILE), noSubdir: true, readOnly: true, maxDbs: 2 })
  try {
    await root.backup(file, true)
  } finally {
    await root.close()
  }
}

function openTables(root: RootDatabase, directory: string): Database {
  const table = root.openDB<string, number>({ name: 'records', encoding: 'string' })
  checkFormat(root)
  return {
    compacted: Number(root.get('compacted') ?? 0),
    *records() {
      for (const { key, value } of table.getRange()) {
        yield { revision: key, record: decode(value), bytes: value.length }
      }
    },
    async commit({ records, remove, compacted }) {
      try {
        await root.batch(() => {
          for (const { revision, record } of records) rejected(table.put(revision, encode(record)))
          for (const revision of remove) rejected(table.remove(revision))
          if (remove.length > 0 || records.length === 0) rejected(root.put('compacted', compacted))
        })
      } catch (error) {
        throw await diskError(error, directory)
      }
    },
    async close() {
      await root.put('owner', null)
      await root.close()
    },
  }
}

/**
 * LMDB itself lets several processes write one file. The owner's identity stands in it, read and written in one exclusive
 * transaction, so two servers that start together cannot both win; a dead owner's place is free at once.
 */
function takeOwnership(root: RootDatabase, directory: string, restored: boolean): void {
  const me = myself()
  const holder = root.transactionSync(() => {
    const owner = root.get('owner') as ProcessIdentity | null | undefined
    if (owner != null && !restored && isAlive(owner)) return owner
    root.putSync('owner', me)
    return undefined
  })
  if (holder !== undefined) {
    throw new Error(
      `another server (process ${holder.pid}) is using ${directory}; stop it first, or choose another directory`,
    )
  }
}

function checkFormat(root: RootDatabase): void {
  const format = root.get('format')
  if (format === undefined) root.putSync('format', FORMAT)
  else if (typeof format !== 'number' || format > FORMAT) {
    throw new Error(
      `the store was written by a newer version (format ${JSON.stringify(format)}; this version reads up to ${FORMAT})`,
    )
  }
}

/** `TYPE kind previous\nJSON`: the object's JSON is neither parsed nor escaped again. */
function encode({ type, kind, object, previous }: DiskRecord): string {
  return `${type} ${kind} ${previous ?? ''}\n${object}`
}

function decode(text: string): DiskRecord {
  const line = text.indexOf('\n')
  const [type, kind = '', previous = ''] = text.slice(0, line).split(' ')
  return {
    type: type as DiskRecord['type'],
    kind,
    object: text.slice(line + 1),
    ...(previous === '' ? {} : { previous: Number(previous) }),
  }
}

/** The batch says whether it failed; its parts say the same again. */
function rejected(part: Promise<unknown>): void {
  part.catch(() => {})
}

/** LMDB reports a write that came out short as an I/O error: whether the disk is full is for the file system to say. */
async function diskError(error: unknown, directory: string): Promise<StoreError> {
  const { commitError } = error as { readonly commitError?: Promise<unknown> }
  const cause: unknown = await Promise.resolve(commitError).then(
    () => error,
    (inner: unknown) => inner,
  )
  const message = cause instanceof Error ? cause.message : String(cause)
  const { bavail, bsize } = statfsSync(directory)
  if (bavail * bsize < FREE_BYTES_MIN || /no space left|ENOSPC|MDB_MAP_FULL|quota/i.test(message)) {
    return new StoreError('InsufficientStorage', `the disk of the store (${directory}) is full: nothing was written`, {
      cause,
    })
  }
  return new StoreError('InternalError', `the store could not write: ${message}`, { cause })
}
