/** One proxy under one load: what it cost. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { cpuOf, installed, memoryOf, tree } from './processes.mjs'

const MEMORY_LOOK_MS = 100

/** Runs the load generator beside a running proxy; gives CPU µs per request, requests per second, latencies and memory. */
export async function measure({ child, port, load, seconds, cores, rate }) {
  const pids = tree(child.pid)
  const memoryBefore = memoryOf(pids)
  let memoryPeak = memoryBefore
  const watch = setInterval(() => (memoryPeak = Math.max(memoryPeak, memoryOf(pids))), MEMORY_LOOK_MS)
  const before = cpuOf(pids)
  const result = await generate({ ...load, port, seconds, rate }, cores)
  const after = cpuOf(pids)
  clearInterval(watch)
  const user = after.user - before.user
  const system = after.system - before.system
  const failed = result.errors + Object.values(result.statuses).reduce((sum, count) => sum + count, 0)
  return {
    requests: result.requests,
    failed,
    statuses: result.statuses,
    cpuUs: (user + system) / result.requests,
    userUs: user / result.requests,
    systemUs: system / result.requests,
    perSecond: result.requests / result.seconds,
    busy: (user + system) / 1e6 / result.seconds,
    p50Us: result.p50Us,
    p99Us: result.p99Us,
    memoryBefore,
    memoryPeak,
  }
}

/** wrk where it can do the job and is installed: it costs less than our own, and leaves more of the core to the service. */
export function generate(options, cores) {
  const args = hasWrk && !options.rate && !options.body ? wrkCommand(options) : ownCommand(options)
  const [command, ...rest] = cores === undefined ? args : ['taskset', '-c', cores, ...args]
  return new Promise((resolve, reject) => {
    const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (octets) => (text += octets))
    child.on('error', reject)
    child.on('close', () => {
      try {
        resolve(JSON.parse(text.slice(text.indexOf('{"'))))
      } catch {
        reject(new Error(`the load generator said: ${text}`))
      }
    })
  })
}

const hasWrk = installed('wrk')

function ownCommand(options) {
  return [process.execPath, join(import.meta.dirname, 'load.mjs'), JSON.stringify(options)]
}

function wrkCommand({ port, path, connections, seconds, close }) {
  const script = join(import.meta.dirname, 'wrk.lua')
  const args = ['-t1', `-c${connections}`, `-d${Math.ceil(seconds)}s`, '-s', script]
  return ['wrk', ...args, ...(close ? ['-H', 'Connection: close'] : []), `http://127.0.0.1:${port}${path}`]
}

/** Middle value and half the distance between the quartiles' outer values, of a few rounds. */
export function median(values) {
  const sorted = values.toSorted((left, right) => left - right)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export function spread(values) {
  return (Math.max(...values) - Math.min(...values)) / 2
}
