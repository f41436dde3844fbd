/**
 * Versioned apps beside bare Fastify, alternating in one run: requests per second, CPU per request, and time to start.
 * Windows are short, so that what else the machine does falls on both. `node bench/versioning/run.mjs [ROUNDS] [MS]` prints a table and writes it to `bench/versioning/results.md`.
 */

import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'

const here = import.meta.dirname
const [rounds = 24, lasting = 250] = process.argv.slice(2).map(Number)

const url = { bare: 'bare-url', ours: 'versioned-url', path: '/v5/items0/abc', least: 0.98 }
const inHeader = { bare: 'bare-plain', ours: 'versioned-header', path: '/api/items0/abc', least: 0.93 }
const pairs = [
  { name: 'version in the URL, 50 routes', routes: 50, ...url },
  { name: 'version in a header, 1 route', routes: 1, ...inHeader },
  { name: 'version in a header, 50 routes', routes: 50, ...inHeader },
]
const startMost = 1.5
/** The compiler decides anew in each process, and not always alike: so there are several. */
const generations = 4
const warmUpMs = 1500

async function startApp(kind, routes) {
  const child = fork(join(here, 'app.mjs'), [kind, routes])
  const [{ port }] = await once(child, 'message')
  return { kind, child, port }
}

async function cpuOf({ child }) {
  child.send('cpu')
  const [{ cpu }] = await once(child, 'message')
  return cpu.user + cpu.system
}

async function measure(load, app, { path, ms }) {
  const before = await cpuOf(app)
  load.send({ port: app.port, path, ms })
  const [{ answers, ms: lasted }] = await once(load, 'message')
  return { perSecond: (answers * 1000) / lasted, cpuUs: ((await cpuOf(app)) - before) / answers }
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

/** Half the distance between the quartiles, relative to the median. */
function spread(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const quartile = (part) => sorted[Math.floor((sorted.length - 1) * part)]
  return ((quartile(0.75) - quartile(0.25)) / 2 / median(values)) * 100
}

async function comparePair({ name, bare, ours, path, least, routes }) {
  const results = new Map([bare, ours].map((kind) => [kind, []]))
  for (let generation = 0; generation < generations; generation++) {
    const load = fork(join(here, 'load.mjs'))
    const apps = [await startApp(bare, routes), await startApp(ours, routes)]
    for (const app of apps) await measure(load, app, { path, ms: warmUpMs })
    for (let round = 0; round < rounds; round++) {
      for (const app of round % 2 === 0 ? apps : apps.toReversed())
        results.get(app.kind).push(await measure(load, app, { path, ms: lasting }))
    }
    for (const { child } of apps) child.disconnect()
    load.disconnect()
  }
  const [bareResults, ourResults] = [results.get(bare), results.get(ours)]
  const ratios = ourResults.map(({ perSecond }, index) => perSecond / bareResults[index].perSecond)
  const cpuRatios = ourResults.map(({ cpuUs }, index) => bareResults[index].cpuUs / cpuUs)
  const cell = (list, key, digits) =>
    `${median(list.map((item) => item[key])).toFixed(digits)} ± ${spread(list.map((item) => item[key])).toFixed(1)} %`
  return `| ${name} | ${cell(bareResults, 'perSecond', 0)} | ${cell(ourResults, 'perSecond', 0)} | **${median(ratios).toFixed(3)}** ± ${spread(ratios).toFixed(1)} % | ${cell(bareResults, 'cpuUs', 1)} | ${cell(ourResults, 'cpuUs', 1)} | ${median(cpuRatios).toFixed(3)} | ≥ ${least} |`
}

function compareStart() {
  const times = { hand: [], versioned: [] }
  const once = (kind) =>
    times[kind].push(Number(execFileSync(process.execPath, [join(here, 'start.mjs'), kind], { encoding: 'utf8' })))
  for (let round = 0; round < generations * 2; round++)
    for (const kind of round % 2 === 0 ? ['hand', 'versioned'] : ['versioned', 'hand']) once(kind)
  const cell = (list) => `${median(list).toFixed(0)} ms ± ${spread(list).toFixed(1)} %`
  const ratios = times.versioned.map((time, index) => time / times.hand[index])
  return `| ${cell(times.hand)} | ${cell(times.versioned)} | **${median(ratios).toFixed(2)}** | < ${startMost} |`
}

const rows = []
for (const pair of pairs) rows.push(await comparePair(pair))
const report = `# Versioned apps beside bare Fastify

${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}. Alternating in one run, ${generations} times ${rounds} rounds of ${lasting} ms, each time in fresh processes, 32 connections.
Each route in 10 versions, all with a handler of their own. Median ± half the distance between the quartiles; ratios are taken round by round.

| | bare, requests/s | ours, requests/s | ratio | bare, CPU µs/request | ours, CPU µs/request | CPU ratio (bare/ours) | asked for |
|---|---|---|---|---|---|---|---|
${rows.join('\n')}

CPU per request comes in steps of 3 µs for bare Fastify too, by the number of routes: V8 compiles the router's look-up not always alike. So there is one route, and there are fifty.

Time until an app with 200 routes (with schemas) in 10 versions is ready, ${generations * 2} fresh processes each:

| by hand | versioned | ratio | asked for |
|---|---|---|---|
${compareStart()}
`
process.stdout.write(report)
writeFileSync(join(here, 'results.md'), report)
