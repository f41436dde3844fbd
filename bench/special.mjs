/** Cases that are no load on running proxies: each makes its own table. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { generate, median } from './measure.mjs'
import { freePort, memoryOf, tree } from './processes.mjs'

const IDLE_CONNECTIONS = 10_000
const SETTLE_MS = 2_000
const OPEN_MS_MAX = 60_000

/** Resident memory that each of 10,000 idle keep-alive connections costs. */
export async function idleConnections(running) {
  const lines = [
    `| ${IDLE_CONNECTIONS.toLocaleString('en')} idle connections | kB each | MB before | MB with them | open |`,
    '|---|---|---|---|---|',
  ]
  for (const { name, child, port } of running) {
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
    lines.push(`| ${name} | ${each} | ${mega(before)} | ${mega(after)} | ${open.toLocaleString('en')} |`)
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

const SWAP_MAPPINGS = 5_000
const SWAP_CHANGES = 200
const SWAP_RATE = 5_000
const SWAP_SECONDS = 12

/** 5,000 Mappings compiled and taken by every worker; then one of them changed; and what traffic feels meanwhile. */
export async function swaps(_running, { upstreamPort }) {
  const port = await freePort()
  // Two Mappings to a route.
  const options = { port, upstreamPort, workers: 1, routes: SWAP_MAPPINGS / 2, changes: SWAP_CHANGES }
  const gateway = spawn(process.execPath, [join(import.meta.dirname, 'gateway-swap.mjs'), JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await firstText(gateway)
  const load = generate(
    { port, path: '/helloworld/', connections: 32, seconds: SWAP_SECONDS, rate: SWAP_RATE },
    undefined,
  )
  await sleep(SETTLE_MS)
  gateway.stdin.write('go\n')
  const { whole, one } = JSON.parse(await firstText(gateway))
  const traffic = await load
  gateway.kill('SIGKILL')
  const all = one.map(({ compileMs, applyMs }) => compileMs + applyMs)
  const p99 = all.toSorted((left, right) => left - right)[Math.floor(all.length * 0.99)]
  return [
    '| ms | compile | taken by every worker | together |',
    '|---|---|---|---|',
    `| ${SWAP_MAPPINGS} Mappings from nothing | ${ms(whole.compileMs)} | ${ms(whole.applyMs)} | ${ms(whole.compileMs + whole.applyMs)} |`,
    `| one changed of ${SWAP_MAPPINGS} (median of ${one.length}) | ${ms(median(one.map(({ compileMs }) => compileMs)))} | ${ms(median(one.map(({ applyMs }) => applyMs)))} | ${ms(median(all))} (p99 ${ms(p99)}) |`,
    '',
    `Traffic meanwhile, ${SWAP_RATE.toLocaleString('en')} requests/s: ${traffic.errors} failed of ${traffic.requests.toLocaleString('en')}; p99 ${ms(traffic.p99Us / 1e3)} ms, longest ${ms(traffic.maxUs / 1e3)} ms.`,
  ].join('\n')
}

function ms(value) {
  return value.toFixed(1)
}

function firstText(child) {
  return new Promise((resolve, reject) => {
    let text = ''
    const take = (octets) => {
      text += octets
      if (!text.endsWith('\n')) return
      child.stdout.off('data', take)
      resolve(text)
    }
    child.stdout.on('data', take)
    child.once('exit', (code) => reject(new Error(`ended with ${code}`)))
  })
}
