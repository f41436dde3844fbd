/**
 * What one proxied request costs in JavaScript alone: the whole path from octets read to octets written, both ways, with links
 * that go nowhere. No kernel, no libuv, so it tells small changes apart that a loaded machine hides: the least of many
 * rounds is printed. Arguments: another build to compare with (its `dist/src`).
 */
import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { mappings } from './mappings.mjs'

const dist = resolve(process.argv[2] ?? join(import.meta.dirname, '../packages/serin/dist/src'))
const load = (path) => import(join(dist, `${path}.js`))

const { createCompiler } = await load('compile/compile')
const { diff } = await load('model/diff')
const { EMPTY_SNAPSHOT } = await load('model/snapshot')
const { DataPlane } = await load('gateway/data-plane')
const { Exchange } = await load('gateway/exchange')
const { PlanEdit } = await load('gateway/plan')
const { ClientConnection } = await load('wire/client-connection')
const { DEFAULT_LIMITS } = await load('wire/limits')
const { AccessLog } = await load('metrics/access-log')
const { compileTextFormat } = await load('metrics/access-format')

/** Fewer lines than the access log may hold back: a round does not wait for its writes. */
const REQUESTS = 3_000
const ROUNDS = 200
const CONNECTIONS = 64

const SMALL = 'GET /helloworld/ HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n'
const BROWSER = [
  'GET /helloworld/api/v1/things?id=12345 HTTP/1.1',
  'Host: www.example.com',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Language: en-US,en;q=0.5',
  'Accept-Encoding: gzip, deflate, br',
  'Connection: keep-alive',
  'Cookie: session=abcdef0123456789abcdef0123456789; theme=dark',
  'Cache-Control: max-age=0',
  '\r\n',
].join('\r\n')
const RESPONSE = [
  'HTTP/1.1 200 OK',
  'Server: nginx/1.22.1',
  'Date: Wed, 25 Nov 2026 14:40:36 GMT',
  'Content-Type: application/json',
  'Content-Length: 25',
  'Connection: keep-alive',
  '',
  '{"message":"Hello World"}',
].join('\r\n')

class DeadLink {
  waitingBytes = 0
  reading = false
  peerAddress = '127.0.0.1'
  written = 0
  first = ''
  write(out) {
    this.first ||= out.buffer.toString('latin1', 0, 12)
    this.written += out.position
    out.position = 0
  }
  writeOctets(octets) {
    this.written += octets.length
  }
  pause() {
    this.reading = false
  }
  resume() {
    this.reading = true
  }
  end() {}
  destroy() {}
  reset() {}
}

function plane(routes, log) {
  const { snapshot } = createCompiler().compile({ objects: mappings({ port: 8080, upstreamPort: 9000, routes }) })
  const made = new DataPlane({
    place: { index: 0, count: 1 },
    limits: DEFAULT_LIMITS,
    newExchange: (of) => new Exchange(of),
  })
  const delta = diff(EMPTY_SNAPSHOT, snapshot)
  const edit = new PlanEdit(made.plan, made)
  edit.setClusters(delta.clusters.set, [])
  edit.setRoutes(delta.routes.set)
  made.plan = edit.commit(delta)
  if (log) made.accessLog = new AccessLog({ to: '/dev/null', format: compileTextFormat(), meter: made.meter })
  return made
}

function connections(made) {
  const listener = { plan: made.plan.listeners.values().next().value, port: 8080 }
  return Array.from({ length: CONNECTIONS }, () => made.serve(new DeadLink(), listener, null))
}

function upstreams(made) {
  const endpoint = made.plan.clusters.values().next().value.endpoints[0]
  const all = []
  for (let index = 0; index < CONNECTIONS; index++) {
    const connection = new ClientConnection(made, endpoint)
    connection.link = new DeadLink()
    connection.state = 'idle'
    endpoint.onReusable(connection)
    all.push(connection)
  }
  return all
}

async function run(name, { request, routes = 1, log = false }) {
  const made = plane(routes, log)
  const clients = connections(made)
  const pool = upstreams(made)
  const octets = Buffer.from(request)
  const answer = Buffer.from(RESPONSE)
  let best = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint()
    for (let count = 0; count < REQUESTS; count++) {
      const client = clients[count % CONNECTIONS]
      // Last in, first out: the same one is taken each time.
      client.onOctets(octets, octets.length)
      pool[CONNECTIONS - 1].onOctets(answer, answer.length)
    }
    best = Math.min(best, Number(process.hrtime.bigint() - start) / REQUESTS)
    // The log's writes end here.
    await new Promise((done) => setTimeout(done, 1))
  }
  const answered = clients[0].link.first
  if (answered !== 'HTTP/1.1 200') throw new Error(`answered ${answered}`)
  console.log(`${name.padEnd(40)} ${best.toFixed(0).padStart(6)} ns`)
}

const RUNS = {
  small: { request: SMALL },
  log: { request: SMALL, log: true },
  routes: { request: SMALL, routes: 10_000 },
  browser: { request: BROWSER },
}

// Each in a process of its own: code that was optimised for one is not the code of the next.
if (process.argv[3]) await run(process.argv[3], RUNS[process.argv[3]])
else {
  for (const name of Object.keys(RUNS)) {
    spawnSync(process.execPath, [import.meta.filename, dist, name], { stdio: 'inherit' })
  }
}
process.exit(0)
