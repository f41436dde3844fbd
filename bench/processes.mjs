/** Starting programs on a core, and what they used: from /proc, so Linux only. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { constants, setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

const START_MS_MAX = 15_000
const STOP_MS_MAX = 3_000
const TICKS_PER_SECOND = 100

export function installed(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined
}

/** Starts a program pinned to cores (`0`, `0,1`; undefined: any) in a process group of its own. */
export function start(command, args, { cores, env, log }) {
  const pinned = cores === undefined ? [command, ...args] : ['taskset', '-c', cores, command, ...args]
  const child = spawn(pinned[0], pinned.slice(1), {
    stdio: ['ignore', log ?? 'ignore', log ?? 'ignore'],
    detached: true,
    env: { ...process.env, ...env },
  })
  children.add(child)
  if (isAhead) putAhead(child.pid)
  child.on('exit', () => children.delete(child))
  child.on('error', () => children.delete(child))
  return child
}

let isAhead = false

/** From here on this process and those it starts come before other work of the machine. Root only. */
export function goAhead() {
  isAhead = true
  putAhead(process.pid)
}

/** Linux shares the processor among sessions first; a priority within one says nothing about the others. */
function putAhead(pid) {
  setPriority(pid, constants.priority.PRIORITY_HIGHEST)
  if (existsSync(`/proc/${pid}/autogroup`)) writeFileSync(`/proc/${pid}/autogroup`, '-20')
}

const children = new Set()
process.on('exit', () => {
  for (const child of children) kill(child, 'SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))

export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  kill(child, 'SIGTERM')
  await Promise.race([gone, sleep(STOP_MS_MAX, undefined, { ref: false })])
  kill(child, 'SIGKILL')
  await gone
}

function kill(child, signal) {
  try {
    process.kill(-child.pid, signal)
  } catch {
    // The group is gone already.
  }
}

export async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Waits until something listens on a port. */
export async function listening(port, child) {
  for (const end = Date.now() + START_MS_MAX; Date.now() < end; await sleep(20)) {
    if (child.exitCode !== null) throw new Error(`${child.spawnargs.join(' ')} ended with ${child.exitCode}`)
    if (await canConnect(port)) return
  }
  throw new Error(`nothing listens on port ${port} after ${START_MS_MAX} ms: ${child.spawnargs.join(' ')}`)
}

function canConnect(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true) || socket.destroy())
    socket.once('error', () => resolve(false))
  })
}

/** A process, its children and theirs. */
export function tree(pid) {
  const parents = new Map()
  for (const name of readdirSync('/proc')) {
    if (/^\d+$/.test(name)) parents.set(Number(name), parentOf(name))
  }
  const found = [pid]
  for (const one of found) {
    for (const [child, parent] of parents) if (parent === one) found.push(child)
  }
  return found
}

function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

function parentOf(pid) {
  return Number(stat(pid)[1])
}

/** Processor time of some processes so far, in µs. */
export function cpuOf(pids) {
  const sum = { user: 0, system: 0 }
  for (const pid of pids) {
    const fields = stat(pid)
    sum.user += (Number(fields[11] ?? 0) * 1e6) / TICKS_PER_SECOND
    sum.system += (Number(fields[12] ?? 0) * 1e6) / TICKS_PER_SECOND
  }
  return sum
}

/** Resident octets of some processes. */
export function memoryOf(pids) {
  return pids.reduce((sum, pid) => {
    try {
      return sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1_024
    } catch {
      return sum
    }
  }, 0)
}
