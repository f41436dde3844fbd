/**
 * The API under load, beside a real kube-apiserver with etcd where there is one:
 * `node bench/api/run.mjs [--directory DIR] [--rounds N] [--objects N] [--watchers N] [--rate N]`.
 * Creates, gets and patches a second with 16 clients; one client alone; and events to many watchers at a fixed rate.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, quantiles, throughput } from './client.mjs'
import { startReal, startSerin } from './servers.mjs'

const CLIENTS = 16
const ALONE = 200
const RATE_SECONDS = 5

const { values } = parseArgs({
  options: {
    directory: { type: 'string', default: tmpdir() },
    rounds: { type: 'string', default: '3' },
    objects: { type: 'string', default: '1000' },
    watchers: { type: 'string', default: '100' },
    rate: { type: 'string', default: '1000' },
  },
})
const COLLECTION = '/api/v1/namespaces/default/configmaps'
const MERGE = 'application/merge-patch+json'

function configMap(name, n) {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels: { app: 'bench' } },
    data: { n: String(n), text: 'x'.repeat(500) },
  }
}

async function measure(server, round) {
  const objects = Number(values.objects)
  const client = new Client(server, CLIENTS)
  const name = (index) => `${COLLECTION}/r${round}-${index}`
  const result = {
    'create/s': await costed(server, objects, CLIENTS, (index) =>
      client.ask('POST', COLLECTION, configMap(`r${round}-${index}`, 0)),
    ),
    'get/s': await costed(server, objects * 2, CLIENTS, (index) => client.ask('GET', name(index % objects))),
    'patch/s': await costed(server, objects, CLIENTS, (index) =>
      client.ask('PATCH', name(index), { data: { n: '1' } }, MERGE),
    ),
    'patch alone': await costed(server, ALONE, 1, (index) =>
      client.ask('PATCH', name(index % objects), { data: { n: `a${index}` } }, MERGE),
    ),
    'patch to watch': await patchToWatch(client, server, name(0)),
    watchers: await fanOut(client, server, name(0)),
  }
  await client.ask('DELETE', COLLECTION)
  client.close()
  return result
}

/** With the server's CPU for one of them: what other programs on the machine do does not change it much. */
async function costed(server, count, width, task) {
  const before = cpuSeconds(server.pids)
  const result = await throughput(count, width, task)
  return { ...result, cpuMs: ((cpuSeconds(server.pids) - before) * 1000) / count }
}

/** From the sending of a patch to its event at one watcher. */
async function patchToWatch(client, server, path) {
  const times = []
  let seen = () => {}
  const end = await client.watch(`${COLLECTION}?watch=1&resourceVersion=${await version(client)}`, () =>
    seen(performance.now()),
  )
  for (let index = 0; index < ALONE; index += 1) {
    const begun = performance.now()
    const came = new Promise((resolve) => (seen = resolve))
    await client.ask('PATCH', path, { data: { n: `w${index}` } }, MERGE)
    times.push((await came) - begun)
  }
  end()
  return quantiles(times)
}

async function version(client) {
  return JSON.parse(await client.ask('GET', `${COLLECTION}?limit=1`)).metadata.resourceVersion
}

/** Many watchers, writes at a fixed rate: how late the events come, and whether all do. */
async function fanOut(client, server, path) {
  const watchers = Number(values.watchers)
  const rate = Number(values.rate)
  const sentAt = new Map()
  const late = []
  let events = 0
  const from = await version(client)
  const ends = []
  for (let index = 0; index < watchers; index += 1) {
    const isFirst = index === 0
    ends.push(
      await client.watch(`${COLLECTION}?watch=1&resourceVersion=${from}`, (line) => {
        events += 1
        // Reading every event of every watcher would measure this process.
        if (!isFirst) return
        const n = /"n":"f(\d+)"/.exec(line)?.[1]
        if (n !== undefined) late.push(performance.now() - (sentAt.get(n) ?? NaN))
      }),
    )
  }
  const total = rate * RATE_SECONDS
  const start = performance.now()
  const cpuBefore = cpuSeconds(server.pids)
  const pending = new Set()
  for (let index = 0; index < total; index += 1) {
    const due = start + (index / rate) * 1000
    if (due > performance.now()) await sleep(Math.max(0, due - performance.now()))
    sentAt.set(String(index), performance.now())
    const sent = client.ask('PATCH', path, { data: { n: `f${index}` } }, MERGE).finally(() => pending.delete(sent))
    pending.add(sent)
  }
  await Promise.all(pending)
  const seconds = (performance.now() - start) / 1000
  for (let waited = 0; events < total * watchers && waited < 100; waited += 1) await sleep(50)
  for (const end of ends) end()
  return {
    perSecond: total / seconds,
    ...quantiles(late),
    missing: total * watchers - events,
    cpu: (cpuSeconds(server.pids) - cpuBefore) / seconds,
  }
}

/** User and system time of processes (proc_pid_stat(5)). */
function cpuSeconds(pids) {
  let ticks = 0
  for (const pid of pids) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks / 100
}

function rssMiB(pids) {
  return pids.reduce(
    (sum, pid) => sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024,
    0,
  )
}

function median(list) {
  return [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]
}

const shown = (value, digits = 0) => (value === undefined || Number.isNaN(value) ? '' : value.toFixed(digits))

function report(runs) {
  const names = [...new Set(runs.map(({ name }) => name))]
  const lines = [
    '| | ' + names.flatMap((name) => [`${name} /s`, 'p50 ms', 'p99 ms', 'CPU ms each']).join(' | ') + ' |',
    '|---|' + names.map(() => '---:|---:|---:|---:|').join(''),
  ]
  for (const row of Object.keys(runs[0].result)) {
    const cells = names.flatMap((name) => {
      const of = (field) => median(runs.filter((run) => run.name === name).map((run) => run.result[row][field]))
      return [shown(of('perSecond')), shown(of('p50'), 2), shown(of('p99'), 2), shown(of('cpuMs'), 2)]
    })
    lines.push(`| ${row} | ${cells.join(' | ')} |`)
  }
  for (const name of names) {
    const mine = runs.filter((run) => run.name === name)
    lines.push(
      '',
      `${name}: ${shown(median(mine.map(({ rss }) => rss)))} MiB RSS; with the watchers ${shown(median(mine.map(({ result }) => result.watchers.cpu)), 2)} cores, ${Math.max(...mine.map(({ result }) => result.watchers.missing))} events missing.`,
    )
  }
  return lines.join('\n')
}

const servers = [await startSerin(values.directory), await startReal(values.directory)].filter(
  (server) => server !== undefined,
)
const runs = []
try {
  // In turns, so that what else the machine does falls on both.
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const server of servers) {
      process.stderr.write(`round ${round + 1}: ${server.name}\n`)
      runs.push({ name: server.name, result: await measure(server, round), rss: rssMiB(server.pids) })
    }
  }
} finally {
  for (const server of servers) await server.stop()
}
const load = readFileSync('/proc/loadavg', 'utf8').split(' ')[0]
const date = new Date().toISOString().slice(0, 10)
console.log(
  `${date}, Node ${process.version}, ${cpus().length} cores (${cpus()[0]?.model.trim()}), load ${load}, disk ${fileSystem(values.directory)}; ${CLIENTS} clients, ${values.watchers} watchers at ${values.rate} writes/s.\n`,
)
console.log(report(runs))

function fileSystem(directory) {
  return execFileSync('stat', ['-f', '-c', '%T', directory]).toString().trim()
}
