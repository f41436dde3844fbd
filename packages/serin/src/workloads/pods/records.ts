import {
  closeSync,
  constants,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { PortMap } from '../endpoints/addresses.ts'
import type { ContainerMemory } from './container.ts'

/**
 * What is kept of a pod on disk, in `DATA/pods/<uid>/`: `pod.json` (which processes are its containers, so that the next control process
 * finds them), logs, volumes.
 */
export interface PodRecord {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly ports: PortMap
  readonly startTime: number
  readonly containers: Readonly<Record<string, ContainerMemory>>
}

function podDirectory(directory: string, uid: string): string {
  return join(directory, uid)
}

export function logPath(directory: string, uid: string, container: string, attempt: number): string {
  return join(podDirectory(directory, uid), 'logs', container, `${String(attempt)}.log`)
}

export function volumesDirectory(directory: string, uid: string): string {
  return join(podDirectory(directory, uid), 'volumes')
}

export function makePodDirectory(directory: string, uid: string): void {
  mkdirSync(podDirectory(directory, uid), { recursive: true, mode: 0o700 })
}

/**
 * The record is one line at the beginning of its file, written by one call, so that a reader finds the old one or the new one; what is left of
 * a longer old one behind it is cut off. (A rename would do the same at ten times the price, and a pod that starts is written several times.)
 */
export function saveRecord(directory: string, record: PodRecord): void {
  const line = `${JSON.stringify(record)}\n`
  const file = openSync(
    join(podDirectory(directory, record.uid), 'pod.json'),
    constants.O_RDWR | constants.O_CREAT,
    0o600,
  )
  try {
    writeSync(file, line, 0)
    ftruncateSync(file, Buffer.byteLength(line))
  } finally {
    closeSync(file)
  }
}

export function loadRecord(directory: string, uid: string): PodRecord | undefined {
  try {
    const text = readFileSync(join(podDirectory(directory, uid), 'pod.json'), 'utf8')
    return JSON.parse(text.split('\n', 1)[0] ?? '') as PodRecord
  } catch {
    // The pod was never started here, or the machine went down while this was written: its programs are gone, too.
    return undefined
  }
}

export function recordedPods(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch {
    // Nothing was ever started.
    return []
  }
}

export async function forgetPod(directory: string, uid: string): Promise<void> {
  await rm(podDirectory(directory, uid), { recursive: true, force: true })
}

/** Logs of all but the last two lives of a container go. */
export function dropOldLogs(directory: string, uid: string, container: string, attempt: number): void {
  if (attempt < 2) return
  const old = logPath(directory, uid, container, attempt - 2)
  for (const file of [old, `${old}.index`]) rmSync(file, { force: true })
}
