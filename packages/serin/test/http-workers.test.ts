/** The supervisor and its workers: ports, Snapshots under load, deaths, drains. Real processes throughout. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { CELL } from '../src/metrics/cells.ts'
import type { Snapshot } from '../src/model/snapshot.ts'
import { startGateway, type Gateway } from '../src/gateway/supervisor.ts'
import { cluster, destination, forward, listener, route, snapshot } from './support/gateway-fixture.ts'
import { GoodUpstream } from './support/good-upstream.ts'
import { get, load } from './support/load.ts'

const v1 = new GoodUpstream('v1')
const v2 = new GoodUpstream('v2')

before(async () => {
  await Promise.all([v1.listen(), v2.listen()])
})

after(async () => {
  await Promise.all([v1.close(), v2.close()])
})

/** `/` split between v1 and v2. */
function canary(revision: number, share: number, parts: Partial<Snapshot> = {}): Snapshot {
  return snapshot(revision, {
    routes: [
      route(
        'canary',
        { kind: 'prefix', value: '/' },
        {
          by: { kind: 'random' },
          destinations: [destination('v2', share, forward('v2')), destination('v1', 10_000 - share, forward('v1'))],
        },
      ),
    ],
    clusters: [cluster('v1', [v1.port]), cluster('v2', [v2.port])],
    ...parts,
  })
}

async function alive(pid: number): Promise<boolean> {
  await pause(0)
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Waits for something that must come; a hang is the test's time limit. */
async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop
  while (!(await holds())) await pause(10)
}

describe('ports', () => {
  test('a port in use is an error of that Listener; the others serve', async () => {
    const taken = net.createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as net.AddressInfo
    const gateway = await startGateway({ workers: 1 })
    const applied = await gateway.apply(canary(1, 0, { listeners: [listener('taken', { port }), listener('free')] }))
    assert.deepEqual(applied.listening[0], { name: 'taken', address: '127.0.0.1', port, error: 'EADDRINUSE' })
    assert.equal(applied.listening[1]!.error, undefined)
    assert.equal((await get(applied.listening[1]!.port, '/')).status, 200)

    taken.close()
    await once(taken, 'close')
    const again = await gateway.apply(canary(2, 0, { listeners: [listener('taken', { port }), listener('free')] }))
    assert.equal(again.listening[0]!.error, undefined)
    assert.equal((await get(port, '/')).status, 200)
    await gateway.drain({ withinMs: 100 })
  })

  test('a Listener that goes closes its port; one that stays keeps it', async () => {
    const gateway = await startGateway({ workers: 2 })
    const both = await gateway.apply(canary(1, 0, { listeners: [listener('a'), listener('b')] }))
    const [a, b] = both.listening
    const one = await gateway.apply(canary(2, 0, { listeners: [listener('b')] }))
    assert.equal(one.listening[0]!.port, b!.port)
    assert.equal((await get(b!.port, '/')).status, 200)
    await assert.rejects(get(a!.port, '/'), { code: 'ECONNREFUSED' })
    await gateway.drain({ withinMs: 100 })
  })
})

describe('Snapshots under load', () => {
  let gateway: Gateway
  let port: number

  before(async () => {
    gateway = await startGateway({ workers: 3 })
    const applied = await gateway.apply(canary(1, 1000))
    port = applied.listening[0]!.port
  })

  after(() => gateway.drain({ withinMs: 100 }))

  test('10 % of 1,000 requests over three workers is 100 within 3', async () => {
    const { versions, failures } = await load(port, '/', { clients: 12, count: 1000 })
    assert.deepEqual(failures, [])
    assert.ok(Math.abs((versions.get('v2') ?? 0) - 100) <= 3, `${versions.get('v2')}`)
  })

  test('weights move without a failed request; after the answer to `apply` the old weight is gone', async () => {
    let done = false
    const traffic = load(port, '/', { clients: 8, until: () => done })
    for (let revision = 2; revision < 60; revision++) {
      // oxlint-disable-next-line no-await-in-loop
      await gateway.apply(canary(revision, (revision * 500) % 10_000))
    }
    await gateway.apply(canary(60, 0))
    const after0 = await load(port, '/', { clients: 4, count: 200 })
    done = true
    const { failures, requests } = await traffic
    assert.deepEqual(failures, [])
    assert.ok(requests > 100)
    assert.equal(after0.versions.get('v2'), undefined)
  })

  test('an endpoint that leaves gets no new request once `apply` has answered, its idle connections are closed, a request on it finishes', async () => {
    const leaving = new GoodUpstream('leaving')
    await leaving.listen()
    await gateway.apply(canary(70, 0, { clusters: [cluster('v1', [v1.port, leaving.port]), cluster('v2', [v2.port])] }))
    await load(port, '/', { clients: 8, count: 100 })
    assert.ok(leaving.seen.length > 10)

    let release: (() => void) | undefined
    leaving.answer = (_request, response) => {
      release = () => response.end('late')
    }
    // One of the next requests lands there and waits.
    const pending: ReturnType<typeof get>[] = []
    await eventually(() => {
      if (release === undefined) pending.push(get(port, '/'))
      return release !== undefined
    })
    await gateway.apply(canary(71, 0, { clusters: [cluster('v1', [v1.port]), cluster('v2', [v2.port])] }))
    const before = leaving.seen.length
    await load(port, '/', { clients: 8, count: 200 })
    assert.equal(leaving.seen.length, before)
    await eventually(() => leaving.sockets.size === 1)
    release!()
    const bodies = (await Promise.all(pending)).map(({ status, body }) => `${status} ${body}`)
    assert.ok(bodies.includes('200 late'), bodies.join())
    await eventually(() => leaving.sockets.size === 0)
    await leaving.close()
  })

  test('a route that goes is a 404, a cluster without endpoints a 503 that says why', async () => {
    await gateway.apply(canary(80, 0, { clusters: [cluster('v1', []), cluster('v2', [v2.port])] }))
    const none = await get(port, '/')
    assert.equal(none.status, 503)
    assert.equal(none.body, 'no healthy upstream')
    await gateway.apply(canary(81, 0, { routes: [] }))
    assert.equal((await get(port, '/')).status, 404)
    await gateway.apply(canary(82, 0))
    assert.equal((await get(port, '/')).status, 200)
  })

  test('5,000 Routes: one of them changes, and the last one is found', async () => {
    const routes = Array.from({ length: 5000 }, (_, index) =>
      route(`r${index}`, { kind: 'prefix', value: `/r${index}/` }, forward('v1')),
    )
    const base = canary(90, 0)
    await gateway.apply({ ...base, routes })
    assert.equal((await get(port, '/r4999/x')).headers['x-version'], 'v1')
    const changed = routes.with(4999, route('r4999', { kind: 'prefix', value: '/r4999/' }, forward('v2')))
    await gateway.apply({ ...base, revision: 91, routes: changed })
    assert.equal((await get(port, '/r4999/x')).headers['x-version'], 'v2')
    assert.equal((await get(port, '/r0/x')).headers['x-version'], 'v1')
  })
})

describe('deaths', () => {
  test('a worker killed with -9 is replaced; the others serve on, and what was counted stays', async () => {
    const notices: string[] = []
    const gateway = await startGateway({ workers: 2, onNotice: (text) => notices.push(text) })
    const applied = await gateway.apply(canary(1, 0))
    const { port } = applied.listening[0]!
    await load(port, '/', { clients: 4, count: 100 })
    const counted = startedOf(await gateway.collect())
    assert.equal(counted, 100)

    const victim = gateway.status()[0]!.pid!
    process.kill(victim, 'SIGKILL')
    await eventually(() => gateway.status()[0]!.pid !== victim)
    // New connections are taken by the other worker meanwhile; those of the dead one are lost.
    const meanwhile = await load(port, '/', { clients: 4, count: 50, keepAlive: false })
    assert.deepEqual(meanwhile.failures, [])
    await eventually(() => gateway.status()[0]!.state === 'serving')
    assert.equal(gateway.status()[0]!.restarts, 1)
    assert.match(notices.join('\n'), /worker 0 .* ended \(SIGKILL\)/)
    assert.equal(startedOf(await gateway.collect()), 150)
    await gateway.drain({ withinMs: 100 })
  })

  test('a worker that dies again and again is started later and later', async () => {
    const notices: string[] = []
    const gateway = await startGateway({ workers: 1, onNotice: (text) => notices.push(text) })
    for (let death = 0; death < 3; death++) {
      const { pid } = gateway.status()[0]!
      process.kill(pid!, 'SIGKILL')
      // oxlint-disable-next-line no-await-in-loop
      await eventually(() => gateway.status()[0]!.state === 'serving' && gateway.status()[0]!.pid !== pid)
    }
    assert.deepEqual(
      notices.map((text) => text.slice(text.lastIndexOf(';') + 2)),
      ['a new one starts now', 'a new one starts in 100 ms', 'a new one starts in 200 ms'],
    )
    await gateway.drain({ withinMs: 100 })
  })

  test('a worker that hangs is killed and replaced', async () => {
    const notices: string[] = []
    const gateway = await startGateway({
      workers: 1,
      limits: { workerSilentMs: 3000 },
      onNotice: (text) => notices.push(text),
    })
    const { port } = (await gateway.apply(canary(1, 0))).listening[0]!
    const { pid } = gateway.status()[0]!
    process.kill(pid!, 'SIGSTOP')
    const applied = gateway.apply(canary(2, 10_000))
    await eventually(() => notices.length > 0)
    await applied
    assert.equal((await get(port, '/')).headers['x-version'], 'v2')
    await gateway.drain({ withinMs: 100 })
  })

  test('a worker out of memory is replaced as well', async () => {
    // Too little for any worker: it dies while it takes 20,000 Routes, and is not started in a hurry again.
    const gateway = await startGateway({ workers: 1, execArgv: ['--max-old-space-size=40'] })
    const routes = Array.from({ length: 20_000 }, (_, index) =>
      route(`r${index}`, { kind: 'prefix', value: `/${'long/'.repeat(40)}${index}/` }, forward('v1')),
    )
    await gateway.apply({ ...canary(1, 0), routes })
    await eventually(() => gateway.status()[0]!.restarts > 0)
    const applied = await gateway.apply(canary(2, 0))
    await eventually(() => gateway.status()[0]!.state === 'serving')
    assert.equal((await get(applied.listening[0]!.port, '/')).status, 200)
    await gateway.drain({ withinMs: 100 })
  })

  test('the replacement of the only worker serves the newest Snapshot', async () => {
    const gateway = await startGateway({ workers: 1 })
    const { port } = (await gateway.apply(canary(1, 0))).listening[0]!
    process.kill(gateway.status()[0]!.pid!, 'SIGKILL')
    const applied = await gateway.apply(canary(2, 10_000))
    assert.equal(applied.listening[0]!.port, port)
    // The connection waits in the kernel until the new worker accepts it.
    assert.equal((await get(port, '/')).headers['x-version'], 'v2')
    await gateway.drain({ withinMs: 100 })
  })

  test('workers whose supervisor was killed finish what is under way and end', async () => {
    const url = new URL('support/lonely-supervisor.js', import.meta.url)
    const child = spawn(process.execPath, [url.pathname, String(v1.port)], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const { port, pids } = JSON.parse(line.toString()) as { port: number; pids: number[] }
    let release: (() => void) | undefined
    v1.answer = (_request, response) => {
      release = () => response.end('late')
    }
    const slow = get(port, '/slow')
    await eventually(() => release !== undefined)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await pause(50)
    release!()
    v1.answer = null
    assert.equal((await slow).body, 'late')
    await eventually(async () => (await Promise.all(pids.map(alive))).every((living) => !living))
  })
})

describe('drain', () => {
  test('new connections are refused, what is under way is answered with Connection: close, then it ends', async () => {
    const gateway = await startGateway({ workers: 2 })
    const { port } = (await gateway.apply(canary(1, 0))).listening[0]!
    let release: (() => void) | undefined
    v1.answer = (_request, response) => {
      release = () => response.end('late')
    }
    const agent = new http.Agent({ keepAlive: true })
    const slow = get(port, '/slow', { agent })
    await eventually(() => release !== undefined)
    const drained = gateway.drain({ withinMs: 10_000 })
    await eventually(() =>
      get(port, '/').then(
        () => false,
        (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
      ),
    )
    release!()
    v1.answer = null
    const { headers, body } = await slow
    assert.equal(body, 'late')
    assert.equal(headers.connection, 'close')
    await drained
    agent.destroy()
  })

  test('what is not done within the limit is cut off', async () => {
    const gateway = await startGateway({ workers: 1 })
    const { port } = (await gateway.apply(canary(1, 0))).listening[0]!
    let begun = false
    v1.answer = () => {
      begun = true
    }
    const never = get(port, '/never')
    const failed = assert.rejects(never, { code: 'ECONNRESET' })
    await eventually(() => begun)
    await gateway.drain({ withinMs: 50 })
    v1.answer = null
    await failed
  })
})

function startedOf(series: Awaited<ReturnType<Gateway['collect']>>): number {
  const rows = series.filter(({ labels }) => labels.kind === 'destination')
  return rows.reduce((sum, { cells }) => sum + cells[CELL.started]!, 0)
}
