/**
 * A whole worker between hostile clients and a hostile upstream. Three things must hold for whatever they send: the worker lives and meets no bug; what the upstream
 * gets is strict HTTP and exactly the requests in the access log, each once; and whoever comes next gets its own answer.
 */
import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CELL, FIRST_FLAG } from '../../src/metrics/cells.ts'
import { FLAG_NAMES } from '../../src/metrics/flags.ts'
import { startGateway } from '../../src/gateway/supervisor.ts'
import { EvilUpstream } from '../support/evil-upstream.ts'
import { cluster, forward, route, settings, snapshot } from '../support/gateway-fixture.ts'
import { NotHttp, readRequests, readResponses, valuesOf } from '../support/http-reader.ts'
import { RawClient } from '../support/raw-client.ts'
import { REQUESTS, RESPONSES } from './corpus.ts'
import { cuts, mutate } from './mutate.ts'
import type { Random } from './random.ts'

/** Nothing more comes after so long. */
const QUIET_MS = 25
const FOLLOW_UP_MS = 5000
const GET = 'GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n'

export interface WorkerFuzz {
  /** One hostile client, or one hostile upstream, and whoever comes next. */
  once(random: Random): Promise<void>
  /** Compares everything the upstream saw with everything that was logged. */
  check(): Promise<{ readonly requests: number; readonly residentBytes: number }>
  end(): Promise<void>
}

interface LogLine {
  readonly id: string | null
  readonly method: string
  readonly bytes: number
  readonly code: number
}

export async function startWorkerFuzz(): Promise<WorkerFuzz> {
  const directory = mkdtempSync(join(tmpdir(), 'serin-fuzz-'))
  const log = join(directory, 'access.log')
  closeSync(openSync(log, 'w'))
  const upstream = new EvilUpstream()
  await upstream.listen()
  const gateway = await startGateway({
    workers: 1,
    accessLog: log,
    limits: { headMs: 300, idleMs: 300, lingerMs: 100 },
  })
  const applied = await gateway.apply(
    snapshot(1, {
      settings: settings({
        http10: true,
        accessLog: {
          format: 'json',
          template: {
            id: '%REQ(X-REQUEST-ID)%',
            method: '%REQ(:METHOD)%',
            bytes: '%BYTES_RECEIVED%',
            code: '%RESPONSE_CODE%',
          },
        },
      }),
      routes: [
        // Not in a hurry: the machine may be busy.
        route('next', { kind: 'prefix', value: '/follow-up' }, forward('up', { timeoutMs: 0 })),
        route('all', { kind: 'prefix', value: '/' }, forward('up', { timeoutMs: 150, upgrades: ['websocket'] })),
      ],
      clusters: [cluster('up', [upstream.port])],
    }),
  )
  const { port } = applied.listening[0]!
  const seen = new Map<string, { readonly method: string; readonly bytes: number; readonly complete: boolean }>()
  let followUps = 0

  async function once(random: Random): Promise<void> {
    upstream.reset()
    if (random.chance(0.6)) await hostileClient(random)
    else await hostileUpstream(random)
    await followUp()
    collect()
  }

  async function hostileClient(random: Random): Promise<void> {
    const raw = mutate(random, random.pick(REQUESTS), REQUESTS)
    const client = await RawClient.connect(port)
    await client.sendCut(raw, cuts(random, raw.length), random.chance(0.5) ? 0 : -1)
    if (random.chance(0.1)) client.socket.end()
    await client.settle(() => false, QUIET_MS)
    client.destroy()
  }

  async function hostileUpstream(random: Random): Promise<void> {
    const raw = mutate(random, random.pick(RESPONSES), RESPONSES)
    upstream.script = {
      raw,
      when: random.pick(['request', 'request', 'head', 'accept'] as const),
      end: random.pick(['keep', 'close', 'rst'] as const),
      ...(random.chance(0.1) && { idleRaw: random.pick(RESPONSES) }),
    }
    const client = await RawClient.connect(port)
    await client.send(GET)
    await client.settle(() => false, QUIET_MS)
    client.destroy()
    // Throws where what the client got is not strict HTTP. Behind a 101 it is a tunnel.
    if (!client.received.startsWith('HTTP/1.1 101 ')) readResponses(client.received, ['GET'], client.closed)
  }

  async function followUp(): Promise<void> {
    upstream.script = null
    const path = `/follow-up-${++followUps}`
    const client = await RawClient.connect(port)
    await client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
    await client.settle(() => false, FOLLOW_UP_MS)
    client.destroy()
    const [response] = readResponses(client.received, ['GET'], true)
    assert.equal(response?.body, `ok GET ${path}`, 'whoever comes next gets its own answer')
  }

  /** Reads what the upstream got, with a reader of its own. */
  function collect(): void {
    for (const { received } of upstream.connections) {
      const tunnelAt = received.search(/\r\nupgrade: websocket\r\n/i)
      const octets = tunnelAt < 0 ? received : received.slice(0, received.indexOf('\r\n\r\n', tunnelAt) + 4)
      for (const request of strict(octets)) {
        const [id] = valuesOf(request, 'x-request-id')
        if (id === undefined) continue
        seen.set(id, { method: request.method, bytes: request.body.length, complete: request.complete })
      }
    }
  }

  function strict(octets: string): ReturnType<typeof readRequests> {
    try {
      return readRequests(octets)
    } catch (error) {
      if (error instanceof NotHttp)
        throw new Error(`the upstream got ${JSON.stringify(octets.slice(0, 500))}`, { cause: error })
      throw error
    }
  }

  async function check(): Promise<{ requests: number; residentBytes: number }> {
    assert.deepEqual(
      gateway.status().map(({ restarts }) => restarts),
      [0],
      'the worker lives',
    )
    // Batches of the log are 200 ms old at most.
    await new Promise((resolve) => {
      setTimeout(resolve, 500)
    })
    const series = await gateway.collect()
    const port0 = series.find(({ labels }) => labels.kind === 'listener')
    assert.equal(port0?.cells[FIRST_FLAG + FLAG_NAMES.indexOf('LR')], 0, 'no bug was met')
    const requests = compareWithLog()
    const worker = series.find(({ labels }) => labels.kind === 'worker')
    return { requests, residentBytes: worker?.cells[CELL.residentBytes] ?? 0 }
  }

  /** Every request the upstream saw whole is one line of the log, with the same method and as many octets. */
  function compareWithLog(): number {
    const lines = new Map<string, LogLine>()
    for (const text of readFileSync(log, 'latin1').trim().split('\n')) {
      if (text === '') continue
      const line = JSON.parse(text) as LogLine
      if (line.id === null) continue
      assert.ok(!lines.has(line.id), `request ${line.id} is logged once`)
      lines.set(line.id, line)
    }
    for (const [id, { method, bytes, complete }] of seen) {
      const line = lines.get(id)
      if (!complete && line === undefined) continue
      assert.ok(line, `request ${id} (${method}) is in the log`)
      assert.equal(method, line.method)
      if (complete) assert.equal(bytes, line.bytes, `octets of ${id}`)
    }
    const count = seen.size
    return count
  }

  async function end(): Promise<void> {
    await gateway.drain({ withinMs: 100 })
    await upstream.close()
    rmSync(directory, { recursive: true, force: true })
  }

  return { once, check, end }
}
