/** Cases that are no load on running proxies: each makes its own table. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { memoryOf, tree } from './processes.mjs'

const IDLE_CONNECTIONS = 10_000
const SETTLE_MS = 2_000
const OPEN_MS_MAX = 60_000

/** Resident memory that each of 10,000 idle keep-alive connections costs. */
export async function idleConnections(running) {
  const lines = [
    `| ${IDLE_CONNECTIONS.toLocaleString('en')} idle connections | kB each | MB before | MB with them | open |`,
    '|---|---|---|---|---|',
  ]
  for (const { peer, child, port } of running) {
    const pids = tree(child.pid)
    const before = memoryOf(pids)
    const client = spawn(
      process.execPath,
      [join(import.meta.dirname, 'idle.mjs'), String(port), '/helloworld/', String(IDLE_CONNECTIONS)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const { open } = await firstLine(client)
    await sleep(SETTLE_MS)
    const after = memoryOf(pids)
    client.kill('SIGKILL')
    await sleep(SETTLE_MS)
    const each = ((after - before) / 1_024 / Math.max(1, open)).toFixed(1)
    lines.push(`| ${peer.name} | ${each} | ${mega(before)} | ${mega(after)} | ${open.toLocaleString('en')} |`)
  }
  return lines.join('\n')
}

function mega(octets) {
  return (octets / 1e6).toFixed(0)
}

function firstLine(child) {
  return new Promise((resolve) => {
    const nothing = setTimeout(() => resolve({ open: 0 }), OPEN_MS_MAX)
    child.stdout.once('data', (octets) => {
      clearTimeout(nothing)
      resolve(JSON.parse(octets))
    })
  })
}
