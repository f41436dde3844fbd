/** Upstreams and clients that mean ill or are broken: what the client gets, which flag is counted, what it costs the others. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { CELL, FIRST_FLAG } from '../src/metrics/cells.ts'
import { FLAG_NAMES, type FlagName } from '../src/metrics/flags.ts'
import { startGateway, type Gateway, type GatewayOptions } from '../src/gateway/supervisor.ts'
import { EvilUpstream, type Script } from './support/evil-upstream.ts'
import { cluster, forward, listener, route, settings, snapshot } from './support/gateway-fixture.ts'
import { GoodUpstream } from './support/good-upstream.ts'
import { readResponses } from './support/http-reader.ts'
import { get, load } from './support/load.ts'
import { RawClient } from './support/raw-client.ts'

/** Envoy's 1,024 would be in the way of 2,000 requests at once. */
const ROOMY = { connectionsMax: 4096, pendingRequestsMax: 4096, requestsMax: 4096, retriesMax: 3 }
const HANG_MS = 10_000
const evil = new EvilUpstream()
const good = new GoodUpstream('v1')
let closedPort = 0

before(async () => {
  await Promise.all([evil.listen(), good.listen()])
  const closed = net.createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  closedPort = (closed.address() as net.AddressInfo).port
  closed.close()
})

after(() => Promise.all([evil.close(), good.close()]))

interface Started {
  readonly gateway: Gateway
  readonly port: number
}

async function start(limits: NonNullable<GatewayOptions['limits']>): Promise<Started> {
  const gateway = await startGateway({ workers: 1, limits })
  const applied = await gateway.apply(
    snapshot(1, {
      settings: settings({ http10: true }),
      listeners: [listener('http')],
      routes: [
        route('evil', { kind: 'prefix', value: '/evil' }, forward('evil', { timeoutMs: HANG_MS })),
        route('late', { kind: 'prefix', value: '/late' }, forward('evil', { timeoutMs: 400 })),
        route('closed', { kind: 'prefix', value: '/closed' }, forward('closed')),
        route('good', { kind: 'prefix', value: '/' }, forward('good', { timeoutMs: 0 })),
      ],
      clusters: [
        cluster('evil', [evil.port]),
        cluster('good', [good.port], { limits: { default: ROOMY, high: ROOMY } }),
        cluster('closed', [closedPort]),
      ],
    }),
  )
  return { gateway, port: applied.listening[0]!.port }
}

/** How often a flag was counted at the Listener. */
async function flagged(gateway: Gateway, flag: FlagName): Promise<number> {
  const series = await gateway.collect()
  const row = series.find(({ labels }) => labels.kind === 'listener')
  return row?.cells[FIRST_FLAG + FLAG_NAMES.indexOf(flag)] ?? 0
}

async function residentBytes(gateway: Gateway): Promise<number> {
  const series = await gateway.collect()
  return series.find(({ labels }) => labels.kind === 'worker')?.cells[CELL.residentBytes] ?? 0
}

interface EvilAnswer {
  readonly name: string
  readonly script: Partial<Script>
  readonly request?: string
  /** 0: no answer that is complete. */
  readonly status: number
  readonly flag?: FlagName
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const LATE = 'GET /late HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'
const EVIL: readonly EvilAnswer[] = [
  { name: 'hangs', script: { raw: '' }, request: LATE, status: 504, flag: 'UT' },
  { name: 'closes without an answer', script: { raw: '', end: 'close' }, status: 503, flag: 'UC' },
  { name: 'resets', script: { raw: '', end: 'rst' }, status: 503, flag: 'UC' },
  { name: 'closes within its head', script: { raw: 'HTTP/1.1 200 OK\r\nX: ', end: 'close' }, status: 502, flag: 'UPE' },
  { name: 'sends garbage', script: { raw: '\0\u0001\u0002garbage\r\n\r\n' }, status: 502, flag: 'UPE' },
  { name: 'speaks HTTP/0.9', script: { raw: '<html>\r\n', end: 'close' }, status: 502, flag: 'UPE' },
  {
    name: 'sends an endless head',
    script: { raw: `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(20_000)}` },
    status: 502,
    flag: 'UPE',
  },
  {
    name: 'sends a head of one endless line',
    script: { raw: `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(200_000)}` },
    status: 502,
    flag: 'UPE',
  },
  {
    name: 'sends interim answers without end',
    script: { raw: 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(50) },
    status: 502,
    flag: 'UPE',
  },
  {
    name: 'switches unasked',
    script: { raw: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n' },
    status: 502,
    flag: 'UPE',
  },
  {
    name: 'has two lengths',
    script: { raw: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok' },
    status: 502,
    flag: 'UPE',
  },
  {
    name: 'sends too little',
    script: { raw: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok', end: 'close' },
    status: 0,
    flag: 'UC',
  },
  {
    name: 'sends too little in chunks',
    script: { raw: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok', end: 'close' },
    status: 0,
    flag: 'UC',
  },
  {
    name: 'resets within its body',
    script: { raw: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok', end: 'rst' },
    status: 0,
    flag: 'UC',
  },
  {
    name: 'breaks its chunks',
    script: { raw: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokXX' },
    status: 0,
    flag: 'UPE',
  },
  {
    name: 'stops within its body',
    script: { raw: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok' },
    request: LATE,
    status: 0,
    flag: 'UT',
  },
  { name: 'answers twice', script: { raw: ok + ok.replace('ok', 'EVIL') }, status: 200 },
  { name: 'sends too much', script: { raw: `${ok}and more` }, status: 200 },
  { name: 'talks on when idle', script: { raw: ok, idleRaw: ok }, status: 200 },
  {
    name: 'sends 100 and 103 first',
    script: { raw: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n${ok}` },
    status: 200,
  },
  {
    name: 'answers before the request has ended',
    script: { raw: ok, when: 'head' },
    request: 'POST /evil HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\nbbb',
    status: 200,
  },
]

describe('an upstream that', () => {
  let started: Started

  before(async () => {
    started = await start({})
  })

  after(() => started.gateway.drain({ withinMs: 100 }))

  for (const one of EVIL) {
    test(`${one.name}: ${one.status === 0 ? 'the client sees that the answer is cut off' : one.status}${one.flag ? `, ${one.flag}` : ''}`, async () => {
      const { gateway, port } = started
      const before = one.flag ? await flagged(gateway, one.flag) : 0
      evil.reset()
      for (const { socket } of evil.connections) socket.destroy()
      await pause(10)
      evil.reset()
      evil.script = { raw: '', when: 'request', end: 'keep', ...one.script }
      const client = await RawClient.connect(port)
      await client.send(one.request ?? 'GET /evil HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
      await client.settle(() => false, HANG_MS)
      client.destroy()
      const responses = readResponses(client.received, ['GET'], client.error === null).filter(
        ({ status }) => status >= 200,
      )
      if (one.status === 0) assert.ok(responses[0]?.complete !== true, 'the answer must not look complete')
      else assert.equal(responses[0]?.status, one.status)
      assert.ok(!client.received.includes('EVIL'))
      if (one.flag) assert.equal(await flagged(gateway, one.flag), before + 1)
      // Whoever comes next is answered.
      const next = await get(port, '/evil/next')
      assert.equal(next.body, 'ok GET /evil/next')
    })
  }

  test('is not there: 503, UF', async () => {
    const { gateway, port } = started
    assert.equal((await get(port, '/closed')).status, 503)
    assert.equal(await flagged(gateway, 'UF'), 1)
    assert.equal((await get(port, '/nowhere')).status, 200)
  })
})

describe('a client that', () => {
  let started: Started

  before(async () => {
    started = await start({ headMs: 1200, bodyGraceMs: 600, writeStallMs: 1200, idleMs: 0 })
  })

  after(() => started.gateway.drain({ withinMs: 100 }))

  async function cutOff(text: string, flag: FlagName, trickle = ''): Promise<string> {
    const { gateway, port } = started
    const before = await flagged(gateway, flag)
    const client = await RawClient.connect(port)
    await client.send(text)
    const timer = setInterval(() => void client.send(trickle), 40)
    await client.settle(() => false, HANG_MS)
    clearInterval(timer)
    client.destroy()
    assert.ok(client.closed)
    assert.equal(await flagged(gateway, flag), before + 1)
    return client.received
  }

  test('sends its head octet by octet gets 408 at the deadline, however busy it looks', async () => {
    assert.match(await cutOff('GET / HTTP/1.1\r\nHost: a.test\r\nX-Slow: ', 'DPE', 'x'), /^HTTP\/1\.1 408 /)
  })

  test('sends its body octet by octet gets 408 when it falls below the least rate', async () => {
    assert.match(
      await cutOff('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n', 'SI', 'x'),
      /^HTTP\/1\.1 408 /,
    )
  })

  test('does not read its answer is cut off', async () => {
    const { gateway, port } = started
    good.answer = (_request, response) => response.end(Buffer.alloc(20 * 1024 * 1024))
    const before = await flagged(gateway, 'SI')
    const client = await RawClient.connect(port, { reading: false })
    await client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    while ((await flagged(gateway, 'SI')) === before) await pause(20)
    client.destroy()
    good.answer = null
  })

  test('reads slowly but steadily gets all of it', async () => {
    const octets = 3 * 1024 * 1024
    good.answer = (_request, response) => response.end(Buffer.alloc(octets))
    const client = await RawClient.connect(started.port, { reading: false })
    await client.send('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
    let received = 0
    // Longer than `writeStallMs` in all.
    for await (const chunk of client.socket) {
      received += (chunk as Buffer).length
      if (received < octets / 2) await pause(30)
    }
    good.answer = null
    assert.ok(received > octets)
  })

  test('goes away before its answer is counted, and its upstream connection is not used again', async () => {
    const { gateway, port } = started
    let asked: (() => void) | undefined
    good.answer = () => asked?.()
    const reached = new Promise<void>((resolve) => {
      asked = resolve
    })
    const before = await flagged(gateway, 'DC')
    const client = await RawClient.connect(port)
    await client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    await reached
    client.socket.resetAndDestroy()
    while ((await flagged(gateway, 'DC')) === before) await pause(10)
    good.answer = null
    assert.equal((await get(port, '/after')).body, 'v1 /after')
  })
})

describe('too many', () => {
  test('connections of one address: 503 with Retry-After for those beyond, the others serve on', async () => {
    const { gateway, port } = await start({ connectionsPerClientMax: 3 })
    const clients = await Promise.all([1, 2, 3].map(() => RawClient.connect(port)))
    for (const client of clients) await client.send('GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n')
    for (const client of clients) await client.settle((received) => received.endsWith('v1 /a'), HANG_MS)
    const refused = await RawClient.connect(port)
    await refused.settle(() => false, HANG_MS)
    assert.match(refused.received, /^HTTP\/1\.1 503 [\s\S]*\r\nretry-after: 1\r\n/)
    clients[0]!.socket.end()
    await clients[0]!.settle(() => false, HANG_MS)
    assert.equal((await get(port, '/b')).status, 200)
    for (const client of [...clients, refused]) client.destroy()
    await gateway.drain({ withinMs: 100 })
  })

  test('requests at once: 503 with Retry-After for those beyond, before anything is done for them', async () => {
    const { gateway, port } = await start({ requestsPerWorkerMax: 5 })
    const waiting: (() => void)[] = []
    good.answer = (_request, response) => waiting.push(() => response.end('late'))
    const first = Array.from({ length: 5 }, () => get(port, '/slow'))
    while (waiting.length < 5) await pause(5)
    const beyond = await get(port, '/one-more')
    assert.equal(beyond.status, 503)
    assert.equal(beyond.headers['retry-after'], '1')
    good.answer = null
    for (const release of waiting) release()
    assert.ok((await Promise.all(first)).every(({ status }) => status === 200))
    assert.equal((await get(port, '/then')).status, 200)
    assert.equal(await flagged(gateway, 'OM'), 1)
    await gateway.drain({ withinMs: 100 })
  })

  test('slow clients cost little, and nobody else', async () => {
    const { gateway, port } = await start({ writeStallMs: 60_000 })
    const before = await residentBytes(gateway)
    good.answer = (request, response) => response.end(request.url === '/big' ? Buffer.alloc(2 * 1024 * 1024) : 'small')
    const slow: RawClient[] = []
    for (let each = 0; each < 150; each++) {
      const head = await RawClient.connect(port)
      await head.send('GET / HTTP/1.1\r\nHost: a.test\r\nX: ')
      const body = await RawClient.connect(port)
      await body.send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\nx')
      const reader = await RawClient.connect(port, { reading: false })
      await reader.send('GET /big HTTP/1.1\r\nHost: a.test\r\n\r\n')
      slow.push(head, body, reader)
    }
    const others = await load(port, '/', { clients: 4, count: 500 })
    const grown = (await residentBytes(gateway)) - before
    for (const client of slow) client.destroy()
    good.answer = null
    assert.deepEqual(others.failures, [])
    // 150 readers × (bufferedBytesMax + one read), and room for the allocator.
    assert.ok(grown < 150 * 450 * 1024, `${Math.round(grown / 1024 / 1024)} MiB`)
    await gateway.drain({ withinMs: 100 })
  })

  test('10,000 idle connections cost less than 10 kB each, and 2,000 busy ones are all answered', async () => {
    const { gateway, port } = await start({})
    const ask = 'GET /idle HTTP/1.1\r\nHost: a.test\r\n\r\n'
    const before = await residentBytes(gateway)
    const clients: net.Socket[] = []
    for (let batch = 0; batch < 20; batch++) {
      const some = Array.from({ length: 500 }, () => net.connect(port, '127.0.0.1'))
      await Promise.all(some.map((socket) => once(socket, 'connect')))
      // One in ten has been used before it is idle.
      for (const socket of some.slice(0, 50)) socket.write(ask)
      await Promise.all(some.slice(0, 50).map((socket) => once(socket, 'data')))
      clients.push(...some)
    }
    const each = ((await residentBytes(gateway)) - before) / clients.length
    assert.ok(each < 10_000, `${Math.round(each)} octets each`)

    const busy = clients.slice(0, 2000)
    for (const socket of busy) socket.write(ask)
    const answers = await Promise.all(busy.map((socket) => once(socket, 'data') as Promise<[Buffer]>))
    for (const socket of clients) socket.destroy()
    await gateway.drain({ withinMs: 100 })
    const statuses = new Map<string, number>()
    for (const [octets] of answers) {
      const status = octets.toString('latin1', 9, 12)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
    assert.deepEqual([...statuses], [['200', 2000]])
  })
})
