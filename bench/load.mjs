/**
 * A load generator on raw sockets. One JSON object on the command line says what to do; one on standard output says what happened.
 *
 * { port, path, connections, seconds, rate?, close?, body?, chunked? }
 * rate: requests per second over all connections, sent on time whatever comes back (late answers count from when they were due);
 * absent: each connection asks again as soon as it is answered. body: octets of a POST body. close: one connection per request.
 */
import { connect } from 'node:net'

const options = { connections: 64, seconds: 3, path: '/', ...JSON.parse(process.argv[2] ?? '{}') }
const CHUNK = 16_384
const BUCKETS_PER_OCTAVE = 32
const SLEEP_MS = 0.05
/** At a fixed rate the generator itself has to get fast first; what is late because of that is not counted. */
const WARM_US = 500_000

const request = makeRequest(options)
const started = process.hrtime.bigint()
const nowUs = () => Number(process.hrtime.bigint() - started) / 1e3
const endUs = options.seconds * 1e6

const counts = { requests: 0, octets: 0, errors: 0, statuses: {} }
const latencies = new Float64Array(64 * BUCKETS_PER_OCTAVE)
let open = 0
let recorded = 0
let maxUs = 0

function makeRequest({ path, body, chunked: inChunks, close }) {
  const head = `${body ? 'POST' : 'GET'} ${path} HTTP/1.1\r\nHost: localhost\r\n${close ? 'Connection: close\r\n' : ''}`
  if (!body) return Buffer.from(`${head}\r\n`)
  const octets = Buffer.alloc(body, 'x')
  if (!inChunks) return Buffer.concat([Buffer.from(`${head}Content-Length: ${body}\r\n\r\n`), octets])
  const parts = [Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`)]
  for (let at = 0; at < body; at += CHUNK) {
    const chunk = octets.subarray(at, at + CHUNK)
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'))
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}

class Client {
  constructor() {
    this.busy = false
    this.dueUs = 0
    this.state = 'head'
    this.left = 0
    this.held = undefined
    this.tail = ''
    this.connect()
  }

  connect() {
    this.socket = connect({ port: options.port, host: '127.0.0.1', noDelay: true })
    this.socket.on('data', (octets) => this.take(octets))
    this.socket.on('error', () => this.failed())
    this.socket.on('close', () => this.closed())
    open++
  }

  send(dueUs) {
    this.busy = true
    this.dueUs = dueUs
    this.socket.write(request)
  }

  take(octets) {
    counts.octets += octets.length
    let data = this.held ? Buffer.concat([this.held, octets]) : octets
    this.held = undefined
    while (data !== undefined && data.length > 0) data = this[this.state](data)
  }

  head(data) {
    const end = data.indexOf('\r\n\r\n')
    if (end === -1) {
      this.held = Buffer.from(data)
      return undefined
    }
    const text = data.latin1Slice(0, end).toLowerCase()
    const status = text.slice(9, 12)
    if (status !== '200') counts.statuses[status] = (counts.statuses[status] ?? 0) + 1
    const at = text.indexOf('\r\ncontent-length:')
    const rest = data.subarray(end + 4)
    if (at === -1) {
      this.tail = ''
      this.state = 'chunks'
      return rest
    }
    this.left = parseInt(text.slice(at + 17), 10)
    this.state = 'counted'
    return this.counted(rest)
  }

  counted(data) {
    if (data.length < this.left) {
      this.left -= data.length
      return undefined
    }
    const rest = data.subarray(this.left)
    this.left = 0
    this.done()
    return rest
  }

  chunks(data) {
    this.tail = (this.tail + data.latin1Slice(Math.max(0, data.length - 7))).slice(-7)
    if (this.tail.endsWith('0\r\n\r\n')) this.done()
    return undefined
  }

  done() {
    const now = nowUs()
    this.state = 'head'
    this.busy = false
    counts.requests++
    if (!options.rate || this.dueUs > WARM_US) {
      record(now - this.dueUs)
      recorded++
    }
    if (now >= endUs) this.socket.end()
    else if (options.close) return
    else if (options.rate) idle.push(this)
    else this.send(now)
  }

  failed() {
    if (nowUs() < endUs) counts.errors++
  }

  closed() {
    open--
    const now = nowUs()
    if (now >= endUs) return open === 0 ? report() : undefined
    if (this.busy) counts.errors++
    this.busy = false
    this.state = 'head'
    this.held = undefined
    if (counts.errors > 10_000) return report()
    this.connect()
    this.send(now)
  }
}

function record(us) {
  if (us > maxUs) maxUs = us
  const bucket = Math.trunc(Math.log2(Math.max(1, us)) * BUCKETS_PER_OCTAVE)
  latencies[Math.min(bucket, latencies.length - 1)] += 1
}

function quantileUs(share) {
  let left = share * recorded
  for (let bucket = 0; bucket < latencies.length; bucket++) {
    left -= latencies[bucket]
    if (left <= 0) return 2 ** ((bucket + 1) / BUCKETS_PER_OCTAVE)
  }
  return NaN
}

function report() {
  const seconds = nowUs() / 1e6
  console.log(
    JSON.stringify({
      ...counts,
      seconds,
      p50Us: quantileUs(0.5),
      p90Us: quantileUs(0.9),
      p99Us: quantileUs(0.99),
      p999Us: quantileUs(0.999),
      maxUs,
    }),
  )
  process.exit(0)
}

const clients = Array.from({ length: options.connections }, () => new Client())
const idle = []
if (options.rate) {
  idle.push(...clients)
  pace()
} else for (const client of clients) client.send(nowUs())
setTimeout(report, options.seconds * 1_000 + 2_000)

/**
 * Sends what is due. A request that finds no idle connection waits, and its waiting is part of its latency. Between two looks the
 * process sleeps for a part of a millisecond: a timer would send in bursts, and spinning would take the core from the upstream.
 */
function pace() {
  const never = new Int32Array(new SharedArrayBuffer(4))
  const gapUs = 1e6 / options.rate
  let nextUs = nowUs()
  const tick = () => {
    const now = nowUs()
    if (now < WARM_US) nextUs = Math.max(nextUs, now - gapUs)
    while (nextUs <= now && idle.length > 0) {
      idle.shift().send(nextUs)
      nextUs += gapUs
    }
    if (now >= endUs) {
      for (const client of clients) if (!client.busy) client.socket.end()
      return
    }
    Atomics.wait(never, 0, 0, SLEEP_MS)
    setImmediate(tick)
  }
  tick()
}
