/**
 * How long a weight takes from a patch to the API until every worker does as it says, under load: `serin up` as a user starts
 * it, two workers, a weight that goes from 0 to 100 and back.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { mappings } from './mappings.mjs'
import { generate, median } from './measure.mjs'
import { freePort, listening } from './processes.mjs'
import { startService } from './service.mjs'

const CHANGES = 1_000
/** Over two workers: that all of them are at one is next to impossible. */
const PROBES = 16
const RATE = 1_000
const LOAD_SECONDS = 40
const EFFECT_MS_MAX = 5_000
const PAUSE_MS = 10

export async function patches() {
  const directory = mkdtempSync(join(tmpdir(), 'serin-bench-patch-'))
  const [port, api, web, upstreamPort] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const service = startService({ directory, port: upstreamPort, bodies: true })
  await listening(upstreamPort, service)
  const file = join(directory, 'canary.json')
  const list = { apiVersion: 'v1', kind: 'List', items: mappings({ port, upstreamPort, routes: 1 }) }
  writeFileSync(file, JSON.stringify(list))
  const data = join(directory, 'data')
  const args = [
    'up',
    '-f',
    file,
    '--data',
    data,
    '--api',
    `127.0.0.1:${api}`,
    '--console',
    `127.0.0.1:${web}`,
    '--workers',
    '2',
  ]
  const serin = spawn(process.execPath, [join(import.meta.dirname, '../packages/serin/bin/serin.js'), ...args], {
    stdio: 'ignore',
  })
  try {
    await listening(port, serin)
    return await measure({ port, api, data })
  } finally {
    await ended(serin)
    service.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
}

async function measure({ port, api, data }) {
  const patch = patcher(api, readFileSync(join(data, 'kubeconfig'), 'utf8'))
  const probes = Array.from({ length: PROBES }, () => new Probe(port))
  await sleep(1_000)
  const load = generate({ port, path: '/helloworld/', connections: 16, seconds: LOAD_SECONDS, rate: RATE })
  await sleep(1_000)
  const answers = []
  const effects = []
  const until = Date.now() + (LOAD_SECONDS - 3) * 1_000
  for (let change = 0; change < CHANGES && Date.now() < until; change++) {
    const version = change % 2 === 0 ? 2 : 1
    const start = performance.now()
    await patch({ spec: { weight: version === 2 ? 100 : 0 } })
    const answered = performance.now()
    await Promise.all(probes.map((probe) => probe.until(version)))
    answers.push(answered - start)
    effects.push(performance.now() - answered)
    await sleep(PAUSE_MS)
  }
  const traffic = await load
  for (const probe of probes) probe.socket.destroy()
  const failed = traffic.errors + Object.values(traffic.statuses).reduce((sum, count) => sum + count, 0)
  return [
    '| ms | median | p99 | longest |',
    '|---|---|---|---|',
    row('patch sent to its answer', answers),
    row(`answer to the last of ${PROBES} connections`, effects),
    '',
    `${effects.length.toLocaleString('en')} changes; ${failed} failed of ${traffic.requests.toLocaleString('en')} requests meanwhile. The second row includes the round trips that ask.`,
  ].join('\n')
}

function row(name, values) {
  const sorted = values.toSorted((left, right) => left - right)
  const cells = [median(values), sorted[Math.floor(sorted.length * 0.99)], sorted.at(-1)]
  return `| ${name} | ${cells.map((ms) => ms.toFixed(1)).join(' | ')} |`
}

/** Sends merge patches to the second Mapping, on one connection. */
function patcher(port, kubeconfig) {
  const token = /token: *"?([^"\s]+)/.exec(kubeconfig)[1]
  const ca = Buffer.from(/certificate-authority-data: *"?([^"\s]+)/.exec(kubeconfig)[1], 'base64')
  const agent = new Agent({ keepAlive: true, ca })
  const path = '/apis/getambassador.io/v3alpha1/namespaces/default/mappings/route-0-v2'
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/merge-patch+json' }
  return (body) =>
    new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path, method: 'PATCH', agent, headers }, (response) => {
        let text = ''
        response.on('data', (octets) => (text += octets))
        response.on('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(text))))
      })
      sent.on('error', reject)
      sent.end(JSON.stringify(body))
    })
}

/** A kept connection that asks until a version answers. */
class Probe {
  constructor(port) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.socket.on('error', () => undefined)
  }

  async until(version) {
    for (const end = performance.now() + EFFECT_MS_MAX; performance.now() < end;) {
      if ((await this.ask()) === version) return
    }
    throw new Error('a worker does not do as the weight says')
  }

  ask() {
    return new Promise((resolve, reject) => {
      const closed = () => reject(new Error('a probe was disconnected'))
      this.socket.once('close', closed)
      this.socket.once('data', (octets) => {
        this.socket.off('close', closed)
        resolve(octets.includes('Greetings') ? 2 : 1)
      })
      this.socket.write('GET /helloworld/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    })
  }
}

async function ended(child) {
  if (child.exitCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGINT')
  await Promise.race([gone, sleep(15_000, undefined, { ref: false })])
  child.kill('SIGKILL')
}
