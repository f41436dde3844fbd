import { readdirSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { PROCESSES_MS_MAX } from '../limits.ts'

/** What Linux tells of processes and connections in /proc. Elsewhere everything is empty. Source: proc_pid_stat(5), proc_net_tcp(5). */

/** Kernel clock ticks per second: USER_HZ, 100 on every architecture Node runs on. */
const TICKS_PER_SECOND = 100
const PAGE_BYTES = 4096
const ESTABLISHED = '01'
/** Of an environment that is searched for a mark. */
const ENVIRONMENT_BYTES_MAX = 1024 * 1024

export interface ProcessFacts {
  readonly pid: number
  readonly state: string
  readonly parent: number
  readonly group: number
  readonly cpuMs: number
  readonly memoryBytes: number
}

export function processFacts(pid: number): ProcessFacts | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The name in parentheses may hold blanks and parentheses; the fields after it do not.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const field = (number: number): number => Number(fields[number - 3] ?? 0)
  return {
    pid,
    state: fields[0] ?? '',
    parent: field(4),
    group: field(5),
    cpuMs: ((field(14) + field(15)) * 1000) / TICKS_PER_SECOND,
    memoryBytes: field(24) * PAGE_BYTES,
  }
}

let lastLook: { readonly at: number; readonly processes: readonly ProcessFacts[] } = { at: 0, processes: [] }

/** As they were a moment ago. */
export function allProcesses(): readonly ProcessFacts[] {
  const now = Date.now()
  if (now - lastLook.at > PROCESSES_MS_MAX)
    lastLook = { at: now, processes: pids().flatMap((pid) => processFacts(pid) ?? []) }
  return lastLook.processes
}

function pids(): readonly number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}

/** Runs and can be signalled: a zombie does not count. */
export function isRunning(pid: number): boolean {
  const facts = processFacts(pid)
  if (facts !== undefined) return facts.state !== 'Z' && facts.state !== 'X'
  if (process.platform === 'linux') return false
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The processes that have a variable in their environment, with its value; those of other users are not seen. */
export async function processesWith(
  name: string,
): Promise<readonly { readonly pid: number; readonly value: string }[]> {
  const found: { pid: number; value: string }[] = []
  for (const pid of pids()) {
    const environment = await environmentOf(pid)
    if (!environment.includes(`${name}=`)) continue
    const variable = environment.split('\0').find((entry) => entry.startsWith(`${name}=`))
    if (variable !== undefined) found.push({ pid, value: variable.slice(name.length + 1) })
  }
  return found
}

/** `NAME=value` texts with NUL between them. */
async function environmentOf(pid: number): Promise<string> {
  try {
    const file = await open(`/proc/${String(pid)}/environ`, 'r')
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, 0)
      if (bytesRead < buffer.length) return buffer.toString('latin1', 0, bytesRead)
      const rest = await file.read(Buffer.alloc(ENVIRONMENT_BYTES_MAX), 0, ENVIRONMENT_BYTES_MAX, bytesRead)
      return buffer.toString('latin1') + rest.buffer.toString('latin1', 0, rest.bytesRead)
    } finally {
      await file.close()
    }
  } catch {
    return ''
  }
}

/** Established connections to these local TCP ports. */
export function establishedTo(ports: ReadonlySet<number>): number {
  let count = 0
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of tableLines(table)) {
      const [, local = '', , state] = line.trim().split(/\s+/, 4)
      if (state === ESTABLISHED && ports.has(Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16))) count += 1
    }
  }
  return count
}

function tableLines(table: string): readonly string[] {
  try {
    return readFileSync(table, 'latin1').split('\n').slice(1)
  } catch {
    return []
  }
}
