import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
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

export function podDirectory(directory: string, uid: string): string {
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

/** Whole or not at all. */
export function saveRecord(directory: string, record: PodRecord): void {
  const file = join(podDirectory(directory, record.uid), 'pod.json')
  writeFileSync(`${file}.next`, JSON.stringify(record), { mode: 0o600 })
  renameSync(`${file}.next`, file)
}

export function loadRecord(directory: string, uid: string): PodRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(podDirectory(directory, uid), 'pod.json'), 'utf8')) as PodRecord
  } catch {
    // The pod was never started here.
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

export function forgetPod(directory: string, uid: string): void {
  rmSync(podDirectory(directory, uid), { recursive: true, force: true })
}

/** Logs of all but the last two lives of a container go. */
export function dropOldLogs(directory: string, uid: string, container: string, attempt: number): void {
  if (attempt < 2) return
  const old = logPath(directory, uid, container, attempt - 2)
  for (const file of [old, `${old}.index`]) rmSync(file, { force: true })
}
