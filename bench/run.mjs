/**
 * `npm run bench -- [CASE…] [--full] [--rounds N] [--seconds S] [--peers a,b] [--warm S] [--ahead] [--write]`
 *
 * Puts the gateway beside other proxies that are set up for the same job. All run at the same time; the load goes to one after
 * the other, several rounds, so that what else the machine does falls on all alike. The proxies share core 0, the load and the
 * service behind it core 1. `--ahead` (root) puts all of it before other work of the machine; `--write` writes `bench/results.md`, as `--full` does.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CASES } from './cases.mjs'
import { measure, median } from './measure.mjs'
import * as caddy from './peers/caddy.mjs'
import * as envoy from './peers/envoy.mjs'
import * as haproxy from './peers/haproxy.mjs'
import * as nginx from './peers/nginx.mjs'
import * as relays from './peers/relay.mjs'
import * as serin from './peers/serin.mjs'
import { freePort, goAhead, listening, stop } from './processes.mjs'
import { table } from './report.mjs'
import { startService } from './service.mjs'
import { currentLoad, writeResults } from './results.mjs'

const PEERS = [serin, nginx, haproxy, envoy, caddy, relays.net, relays.handle]
const QUICK = { rounds: 3, seconds: 2 }
const FULL = { rounds: 5, seconds: 3 }
/** V8 compiles what is hot while it runs: what is measured before that is the compiler. */
const WARM_SECONDS = 3
/** Quick runs leave out what takes longest. */
const QUICK_CASES = ['keepalive', 'log', 'routes', 'connections']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    full: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    peers: { type: 'string' },
    warm: { type: 'string' },
    ahead: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})
const plan = values.full ? FULL : QUICK
const rounds = Number(values.rounds ?? plan.rounds)
const seconds = Number(values.seconds ?? plan.seconds)
const warm = Number(values.warm ?? WARM_SECONDS)
if (values.ahead) goAhead()
const twoCores = availableParallelism() >= 2
const loadCores = twoCores ? '1' : undefined

const directory = mkdtempSync(join(tmpdir(), 'serin-bench-'))
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

const cases = chosenCases()
const results = []
for (const one of cases) {
  results.push(await runCase(one))
  // After each: a run that is broken off has not been for nothing.
  if (values.full || values.write) writeResults(results, { rounds, seconds, ahead: values.ahead })
}

function chosenCases() {
  const wanted = positionals.length > 0 ? positionals : values.full ? CASES.map(({ id }) => id) : QUICK_CASES
  const unknown = wanted.filter((id) => !CASES.some((one) => one.id === id))
  if (unknown.length > 0) {
    console.error(`no case ${unknown.join(', ')}; there are: ${CASES.map(({ id }) => id).join(', ')}`)
    process.exit(2)
  }
  return CASES.filter(({ id }) => wanted.includes(id))
}

async function runCase(one) {
  console.log(`\n## ${one.title}\ngoal: ${one.goal}\n`)
  const load = currentLoad()
  const upstreamPort = await freePort()
  const upstream = startService({ directory, port: upstreamPort, bodies: one.setting.bodies, cores: loadCores })
  await listening(upstreamPort, upstream)
  const running = one.alone ? [] : await launchAll(one, upstreamPort)
  const tables = []
  for (const load of one.loads) tables.push(await runLoad(load, running))
  const text = one.special && (await one.special(running, { upstreamPort }))
  if (text) console.log(text)
  for (const { child } of running) await stop(child)
  await stop(upstream)
  return { ...one, tables, text, load }
}

async function launchAll({ id, setting, reference }, upstreamPort) {
  const wanted = values.peers?.split(',')
  const running = []
  for (const peer of PEERS) {
    if ((wanted && !wanted.includes(peer.name)) || !peer.available(setting)) continue
    await launch({ peer, name: peer.name, setting, id, upstreamPort }, running)
    if (peer !== serin || !reference) continue
    const own = { ...setting, ...reference.setting }
    await launch({ peer, name: `serin, ${reference.name}`, setting: own, id, upstreamPort }, running)
  }
  return running
}

async function launch({ peer, name, setting, id, upstreamPort }, running) {
  const port = await freePort()
  const own = join(directory, `${id}-${name.replaceAll(/\W/g, '-')}`)
  mkdirSync(own)
  const cores = twoCores ? (setting.workers > 1 ? '0,1' : '0') : undefined
  const child = peer.launch({ ...setting, directory: own, port, upstreamPort, cores })
  try {
    await listening(port, child)
    running.push({ name, child, port })
  } catch (error) {
    console.log(`${name} is left out: ${error.message}`)
    await stop(child)
  }
}

async function runLoad(load, running) {
  const byPeer = new Map(running.map(({ name }) => [name, []]))
  const rates = load.half ? await halfRates(load, running) : new Map()
  for (const target of running) await measure({ ...target, load, seconds: warm, cores: loadCores })
  for (let round = 0; round < rounds; round++) {
    for (const target of running) {
      const rate = rates.get(target.name)
      byPeer.get(target.name).push(await measure({ ...target, load, seconds, cores: loadCores, rate }))
    }
  }
  const text = table(load.name, byPeer)
  console.log(`${text}\n`)
  return { load, byPeer, text }
}

/** Half of what each can do, found by a full load before. */
async function halfRates(load, running) {
  const rates = new Map()
  for (const target of running) {
    const found = []
    for (let round = 0; round < 3; round++) {
      found.push(
        (await measure({ ...target, load: { ...load, half: undefined }, seconds, cores: loadCores })).perSecond,
      )
    }
    rates.set(target.name, median(found) / 2)
  }
  return rates
}
