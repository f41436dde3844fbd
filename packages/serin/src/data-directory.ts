/** DATA, the directory that holds all state of one serin: what stands where, and who is running it. */
import { createHash } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { isAlive, myself, type ProcessIdentity } from './store/process-identity.ts'

/** sun_path of a Unix socket holds 108 octets with its end mark. */
const SOCKET_PATH_BYTES_MAX = 100

export interface DataDirectory {
  readonly path: string
  /** API address, CA and token, for kubectl and for the gateway. 0600. */
  readonly kubeconfig: string
  /** The same with the gateway's token, which may not do much. 0600. */
  readonly gatewayKubeconfig: string
  /** Our CA and the API's certificate. */
  readonly certificates: string
  /** Who may talk to the API. 0600. */
  readonly tokens: string
  /** The database. */
  readonly store: string
  /** What pods write and keep. */
  readonly pods: string
  /** Image names and the directories they are started from. */
  readonly images: string
  /** Which control process holds this directory. */
  readonly controlFile: string
  /** Which gateway process belongs to it. */
  readonly gatewayFile: string
  readonly gatewaySocket: string
  readonly gatewayLog: string
  /** A line for each request; bounded. */
  readonly accessLog: string
  /** Output of a `serin up -d`. */
  readonly log: string
}

/** Where everything of a data directory stands. Pure. */
export function dataDirectory(directory: string): DataDirectory {
  const path = resolve(directory)
  return {
    path,
    kubeconfig: join(path, 'kubeconfig'),
    gatewayKubeconfig: join(path, 'gateway.kubeconfig'),
    certificates: join(path, 'certificates'),
    tokens: join(path, 'tokens.json'),
    store: join(path, 'store'),
    pods: join(path, 'pods'),
    images: join(path, 'images.json'),
    controlFile: join(path, 'control.json'),
    gatewayFile: join(path, 'gateway.json'),
    gatewaySocket: socketPath(path),
    gatewayLog: join(path, 'gateway.log'),
    accessLog: join(path, 'access.log'),
    log: join(path, 'serin.log'),
  }
}

function socketPath(path: string): string {
  const preferred = join(path, 'gateway.sock')
  if (Buffer.byteLength(preferred) <= SOCKET_PATH_BYTES_MAX) return preferred
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 16)
  return join(tmpdir(), `serin-${hash}.sock`)
}

/** Creates the directory, readable for its owner only. */
export function makeDataDirectory(directory: string): DataDirectory {
  const data = dataDirectory(directory)
  mkdirSync(data.path, { recursive: true, mode: 0o700 })
  return data
}

/** A process that left its name in a file, with what others need to know of it. */
export interface ProcessRecord extends ProcessIdentity {
  readonly version: string
  readonly [detail: string]: unknown
}

/** The record of a process that is alive, or undefined. */
export function readAlive<T extends ProcessRecord>(file: string): T | undefined {
  const record = readRecord<T>(file)
  return record !== undefined && isAlive(record) ? record : undefined
}

function readRecord<T extends ProcessRecord>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T
  } catch {
    // Not there, or torn by a machine that went down: nobody holds it.
    return undefined
  }
}

/**
 * Writes this process into `file`, unless a living one stands there: then returns that one's record.
 * Of two that try at once, one wins (link(2) is atomic).
 */
export function claim<T extends ProcessRecord>(file: string, details: Omit<T, keyof ProcessIdentity>): T | undefined {
  const mine = `${file}.${process.pid}`
  writeFileSync(mine, JSON.stringify({ ...myself(), ...details }), { mode: 0o600 })
  try {
    for (;;) {
      try {
        linkSync(mine, file)
        return undefined
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const holder = readAlive<T>(file)
      if (holder !== undefined) return holder
      rmSync(file, { force: true })
    }
  } finally {
    rmSync(mine, { force: true })
  }
}

/** Replaces the details of this process's record, whole. */
export function rewriteClaim(file: string, details: Readonly<Record<string, unknown>>): void {
  const next = `${file}.${process.pid}`
  writeFileSync(next, JSON.stringify({ ...myself(), ...details }), { mode: 0o600 })
  renameSync(next, file)
}

/** Removes the record if it is this process's. */
export function release(file: string): void {
  if (readRecord(file)?.pid === process.pid) rmSync(file, { force: true })
}
