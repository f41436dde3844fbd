/**
 * conformance/http.jsonl: raw octets through a real worker to a real upstream that notes everything, judged by a reader of its own
 * (support/http-reader.ts). Each case runs whole, cut at sampled offsets, and octet by octet where it is short: the outcome must be the same.
 * Every cut of every head and body is tried on the parsers themselves in src/wire/cuts.test.ts.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { startGateway, type Gateway } from '../src/gateway/supervisor.ts'
import { EvilUpstream } from './support/evil-upstream.ts'
import { cluster, forward, listener, route, settings, snapshot, virtualHost } from './support/gateway-fixture.ts'
import { readRequests, readResponses, valuesOf, type ReadRequest, type ReadResponse } from './support/http-reader.ts'
import { RawClient } from './support/raw-client.ts'

interface Case {
  readonly id: string
  readonly side: 'request' | 'response'
  readonly raw: string
  readonly expect: string
  readonly assert?: Assertions
  readonly expand?: Readonly<Record<string, readonly [string, number]>>
  readonly parts_at?: readonly number[] | 'each'
  readonly delay_ms?: number
  readonly end?: string
  readonly request?: string
  readonly upstream_end?: 'keep' | 'close' | 'rst' | 'before-request'
  readonly upstream_when?: 'headers'
  readonly idle_raw?: string
  readonly upstream_must: string
  readonly why: string
}

interface Assertions {
  readonly max_up?: number
  readonly body?: string
  readonly body_len?: number
  readonly method?: string
  readonly target?: string
  readonly version?: string
  readonly absent?: readonly string[]
  readonly present?: Readonly<Record<string, string>>
  readonly not_present?: Readonly<Record<string, string>>
  readonly absent_together?: readonly string[]
  readonly survive?: readonly string[]
  readonly trailer_absent?: readonly string[]
  readonly bytes_absent?: readonly string[]
  readonly bytes_present?: readonly string[]
  readonly no_bare_lf?: boolean
  readonly close?: boolean
  readonly incomplete?: boolean
}

interface Outcome {
  readonly responses: readonly ReadResponse[]
  readonly received: string
  readonly closed: boolean
  readonly requests: readonly ReadRequest[]
  readonly upstreamOctets: string
}

/** Cases that run at the same time, each with a Listener and an upstream of its own. */
const LANES = 12
/** Nothing has come for so long: nothing more will, but where a limit of the gateway is awaited. */
const QUIET_MS = 250
const HEAD_MS = 3000
/** A gateway that answers nothing at all by then hangs. */
const HANG_MS = 10_000
/** Longer inputs are not sent octet by octet through a worker. */
const OCTET_BY_OCTET_MAX = 400

const file = new URL('../../../../conformance/http.jsonl', import.meta.url)
const cases = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Case)

const upstreams: EvilUpstream[] = []
const free: number[] = []
let ports: number[] = []
let gateway: Gateway

before(async () => {
  for (let lane = 0; lane < LANES; lane++) upstreams.push(new EvilUpstream())
  const upstreamPorts = await Promise.all(upstreams.map((upstream) => upstream.listen()))
  gateway = await startGateway({
    workers: 1,
    limits: {
      headMs: HEAD_MS,
      idleMs: HEAD_MS,
      requestBodyBytesMax: 10 * 1024 * 1024,
      writeStallMs: 1000,
    },
  })
  const applied = await gateway.apply(
    snapshot(1, {
      settings: settings({ http10: true }),
      listeners: upstreamPorts.map((_, lane) => listener(`lane-${lane}`, { virtualHosts: [`lane-${lane}`] })),
      virtualHosts: upstreamPorts.map((_, lane) => virtualHost(`lane-${lane}`, { hostname: '*' })),
      routes: upstreamPorts.map((_, lane) =>
        route(
          `lane-${lane}`,
          { kind: 'prefix', value: '/' },
          forward(`lane-${lane}`, { upgrades: ['websocket'], timeoutMs: HANG_MS }),
          {
            virtualHosts: [`lane-${lane}`],
          },
        ),
      ),
      clusters: upstreamPorts.map((port, lane) => cluster(`lane-${lane}`, [port])),
    }),
  )
  ports = applied.listening.map((listening) => listening.port)
  free.push(...ports.keys())
})

after(async () => {
  await gateway.drain({ withinMs: 100 })
  await Promise.all(upstreams.map((upstream) => upstream.close()))
})

describe('requests', { concurrency: LANES }, () => {
  for (const one of cases.filter((item) => item.side === 'request')) {
    test(`${one.id} ${one.expect}`, () => inLane((lane) => judgeRequest(one, lane)))
  }
})

describe('responses', { concurrency: LANES }, () => {
  for (const one of cases.filter((item) => item.side === 'response')) {
    test(`${one.id} ${one.expect}`, () => inLane((lane) => judgeResponse(one, lane)))
  }
})

test('the worker that served all this is the one that was started', () => {
  assert.deepEqual(
    gateway.status().map(({ restarts, state }) => ({ restarts, state })),
    [{ restarts: 0, state: 'serving' }],
  )
})

async function inLane(work: (lane: number) => Promise<void>): Promise<void> {
  const lane = free.pop()!
  try {
    await work(lane)
  } finally {
    free.push(lane)
  }
}

// Requests.

async function judgeRequest(one: Case, lane: number): Promise<void> {
  const raw = expanded(one)
  if (one.why.includes('h2 where supported')) {
    await judgePreface(raw, lane)
    return
  }
  checkRequest(one, await runRequest(one, raw, one.parts_at === 'each' ? everyOffset(raw) : (one.parts_at ?? []), lane))
  if (one.parts_at !== undefined || one.end !== undefined || raw === '') return
  for (const offsets of waysToCut(raw)) checkRequest(one, await runRequest(one, raw, offsets, lane))
}

/** HTTP/2's preface: refused, or answered with a SETTINGS frame where HTTP/2 is spoken on the port; nothing is forwarded. */
async function judgePreface(raw: string, lane: number): Promise<void> {
  const upstream = upstreams[lane]!
  upstream.reset()
  const client = await RawClient.connect(ports[lane]!)
  await client.send(raw)
  await client.settle((received) => received.length >= 9, HANG_MS)
  client.destroy()
  const refused = /^HTTP\/1\.1 (?:400|505) /.test(client.received)
  assert.ok(refused || client.received[3] === '\u0004', JSON.stringify(client.received))
  assert.equal(upstream.received, '')
  await followUp(lane)
}

/** Through a whole worker: octet by octet, and one cut in a place that differs from case to case. */
function waysToCut(raw: string): (readonly number[])[] {
  const somewhere = [1 + ((raw.length * 7) % Math.max(raw.length - 1, 1))]
  return raw.length <= OCTET_BY_OCTET_MAX ? [everyOffset(raw), somewhere] : [somewhere]
}

async function runRequest(one: Case, raw: string, offsets: readonly number[], lane: number): Promise<Outcome> {
  const upstream = upstreams[lane]!
  upstream.reset()
  const client = await RawClient.connect(ports[lane]!, { reading: one.end !== 'no-read' })
  await client.sendCut(raw, offsets, one.delay_ms ?? (offsets.length > 10 ? -1 : 2))
  if (one.end === 'half-close') client.socket.end()
  const methods = methodsOf(raw)
  const waits = /wait|no-read|abort/.test(one.expect + one.end)
  const wanted = one.expect === 'forward-2' ? 2 : one.expect === 'forward-n' ? (one.assert?.max_up ?? 1) : 1
  const done = (received: string): boolean =>
    !waits && finals(received, methods, false).length >= wanted && !mayStillClose(one, received)
  if (one.expect === 'forward-then-wait')
    await client.settle((received) => finals(received, methods, false).length > 0, HANG_MS)
  await client.settle(done, waits ? QUIET_MS : HANG_MS)
  if (waits && /^HTTP\/1\.1 [45]/.test(client.received)) await client.settle(() => false, HANG_MS)
  const outcome: Outcome = {
    received: client.received,
    responses: readResponses(client.received, methods, client.closed),
    closed: client.closed,
    requests: readRequestsOf(upstream),
    upstreamOctets: upstream.received,
  }
  client.destroy()
  await followUp(lane)
  return outcome
}

/** An error answer is followed by the end of the connection: waited for, so that it can be judged. */
function mayStillClose(one: Case, received: string): boolean {
  return (
    one.assert?.close === true || /^HTTP\/1\.1 [45]/.test(received) || /forward-then-reject|timeout/.test(one.expect)
  )
}

/** Whoever comes next gets its own answer. */
async function followUp(lane: number): Promise<void> {
  const path = `/follow-up-${lane}-${Math.floor(performance.now())}`
  const client = await RawClient.connect(ports[lane]!)
  await client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
  await client.settle(() => false, HANG_MS)
  client.destroy()
  const [response] = readResponses(client.received, ['GET'], true)
  assert.equal(response?.body, `ok GET ${path}`, 'the next request gets its own answer')
}

function readRequestsOf(upstream: EvilUpstream): ReadRequest[] {
  // Throws where what we sent is not strict HTTP.
  return upstream.connections.flatMap((connection) => readRequests(connection.received))
}

function checkRequest(one: Case, outcome: Outcome): void {
  const { requests, responses, closed } = outcome
  const complete = requests.filter((request) => request.complete)
  const final = responses.filter((response) => response.status >= 200)
  const status = final[0]?.status ?? 0
  const rejected = status >= 400 && status < 600
  const context = `${one.id}: ${one.upstream_must}\n${JSON.stringify(outcome.received.slice(0, 300))}\nupstream: ${JSON.stringify(outcome.upstreamOctets.slice(0, 500))}`
  const ok = (holds: boolean, what: string): void => assert.ok(holds, `${what}\n${context}`)

  switch (one.expect) {
    case 'forward':
      if (one.end === 'no-read') ok(complete.length === 1, 'is forwarded')
      else ok(status === 200 && complete.length === 1, 'is forwarded once and answered')
      break
    case 'forward-2':
    case 'forward-n': {
      const wanted = one.expect === 'forward-2' ? 2 : (one.assert?.max_up ?? 1)
      ok(final.length === wanted && final.every((response) => response.status === 200), 'all are answered')
      ok(complete.length === wanted, 'all are forwarded')
      break
    }
    case 'forward-then-reject':
      ok(
        status === 200 && (final[1]?.status ?? 0) >= 400 && closed,
        'the first is answered, the second refused, then closed',
      )
      break
    case 'forward-then-wait':
      ok(status === 200 && complete.length === 1, 'the first is answered')
      break
    case 'reject-400':
      ok(status === 400 && closed, 'refused with 400 and closed')
      break
    case 'reject-4xx':
      ok((rejected || status === 0) && closed, 'refused and closed')
      break
    case 'reject-413':
    case 'reject-431':
      ok(status === Number(one.expect.slice(7)) && closed, 'refused with its own status')
      break
    case 'reject-501':
      ok((status === 501 || status === 400) && closed, 'refused')
      break
    case 'reject-505':
      ok((status === 505 || status === 400) && closed, 'refused')
      break
    case 'reject-or-normalise':
    case 'reject-or-forward':
      ok(rejected || (status === 200 && complete.length >= 1), 'refused or forwarded')
      break
    case 'reject-or-wait':
      ok(complete.length === 0, 'never complete')
      break
    case 'abort':
      ok(complete.length === 0, 'no complete request')
      break
    case 'timeout-408':
      ok(closed && complete.length === 0, 'closed at the limit')
      break
    case 'local':
      ok(status > 0, 'answered')
      break
    default:
      assert.fail(`unknown expectation ${one.expect}`)
  }
  // A refused request never reaches an upstream whole; nothing after it is taken.
  if (rejected && one.expect.startsWith('reject')) ok(complete.length === 0 && closed, 'nothing forwarded, and closed')
  checkAssertions(one.assert ?? {}, outcome, ok)
}

function checkAssertions(wanted: Assertions, outcome: Outcome, ok: (holds: boolean, what: string) => void): void {
  const complete = outcome.requests.filter((request) => request.complete)
  const [first] = complete
  if (wanted.max_up !== undefined) ok(outcome.requests.length <= wanted.max_up, `at most ${wanted.max_up} upstream`)
  if (wanted.incomplete) ok(complete.length === 0, 'no complete request')
  if (wanted.close) ok(outcome.closed, 'closed')
  for (const octets of wanted.bytes_absent ?? [])
    ok(!outcome.upstreamOctets.includes(octets), `without ${JSON.stringify(octets)}`)
  if (!first) return
  if (wanted.body !== undefined) ok(first.body === wanted.body, `body ${JSON.stringify(wanted.body)}`)
  if (wanted.body_len !== undefined) ok(first.body.length === wanted.body_len, `${wanted.body_len} octets of body`)
  if (wanted.method !== undefined) ok(first.method === wanted.method, `method ${wanted.method}`)
  if (wanted.target !== undefined) ok(first.target === wanted.target, `target ${wanted.target}`)
  if (wanted.version !== undefined) ok(first.version === wanted.version, `version ${wanted.version}`)
  for (const name of wanted.absent ?? []) ok(valuesOf(first, name).length === 0, `${name} is absent`)
  for (const [name, value] of Object.entries(wanted.present ?? {}))
    ok(valuesOf(first, name).join() === value, `${name}: ${value}`)
  for (const [name, value] of Object.entries(wanted.not_present ?? {}))
    ok(!valuesOf(first, name).includes(value), `not ${name}: ${value}`)
  for (const name of wanted.survive ?? []) ok(valuesOf(first, name).length > 0, `${name} survives`)
  for (const name of wanted.trailer_absent ?? []) {
    ok(!first.trailers.some(([field]) => field.toLowerCase() === name), `no trailer ${name}`)
  }
  const together = (wanted.absent_together ?? []).every((name) => valuesOf(first, name).length > 0)
  ok(wanted.absent_together === undefined || !together, 'not both framing fields')
}

// Responses.

async function judgeResponse(one: Case, lane: number): Promise<void> {
  const upstream = upstreams[lane]!
  upstream.reset()
  // A fresh connection, so that the script is what it meets.
  for (const connection of upstream.connections) connection.socket.destroy()
  await pause(5)
  upstream.reset()
  const end = one.upstream_end === 'before-request' ? 'keep' : (one.upstream_end ?? 'keep')
  upstream.script = {
    raw: expanded(one),
    when: one.upstream_end === 'before-request' ? 'accept' : one.upstream_when === 'headers' ? 'head' : 'request',
    end,
    ...(one.idle_raw !== undefined && { idleRaw: one.idle_raw }),
  }
  const request = one.request ?? ''
  const methods = methodsOf(request)
  const client = await RawClient.connect(ports[lane]!)
  await client.send(request)
  const tunnel = one.expect === 'tunnel'
  await client.settle(
    (received) => !tunnel && finals(received, methods, false).length >= 1 && !/\r\nconnection: close/i.test(received),
    tunnel ? QUIET_MS : HANG_MS,
  )
  const { received, closed, error } = client
  const responses = readResponses(received, methods, closed && error === null)
  client.destroy()
  checkResponse(one, { received, closed, responses, requests: [], upstreamOctets: upstream.received })

  if (one.idle_raw !== undefined) await pause(100)
  await followUp(lane)
  if (/MUST be closed|MUST NOT be reused/.test(one.upstream_must)) {
    assert.ok((upstream.connections[0]?.answered ?? 0) <= 1, `${one.id}: the upstream connection is not used again`)
  }
}

function checkResponse(one: Case, { received, closed, responses }: Outcome): void {
  const final = responses.filter((response) => response.status >= 200)
  const [first] = final
  const status = first?.status ?? 0
  const bad = status === 502 || status === 503
  const ok = (holds: boolean, what: string): void =>
    assert.ok(holds, `${what}\n${one.id} ${one.upstream_must}\n${JSON.stringify(received.slice(0, 400))}`)
  const scripted = Number(/HTTP\/1\.\d (2\d\d|3\d\d|4\d\d)/.exec(one.raw)?.[1] ?? 0)

  switch (one.expect) {
    case 'forward':
      ok(first?.complete === true && status === scripted, 'relayed')
      break
    case '502':
      // 503 only where nothing was answered at all: docs/decisions/0023.
      ok(status === 502 || (status === 503 && one.raw === ''), 'answered with 502')
      break
    case '502-or-normalise':
      ok(bad || (first !== undefined && status >= 200), '502, or relayed in strict HTTP')
      break
    case 'truncate':
    case '502-or-truncate':
      ok(bad || (closed && first?.complete !== true), '502, or visibly cut off')
      break
    case 'tunnel':
      ok(responses[0]?.status === 101, 'switched')
      ok(received.endsWith(one.raw.slice(one.raw.indexOf('\r\n\r\n') + 4)), 'its first octets arrive')
      break
    default:
      assert.fail(`unknown expectation ${one.expect}`)
  }
  ok(!received.includes('EVIL') || one.upstream_end === 'before-request', 'nobody sees EVIL')
  const wanted = one.assert ?? {}
  for (const octets of wanted.bytes_absent ?? []) ok(!received.includes(octets), `without ${JSON.stringify(octets)}`)
  for (const octets of wanted.bytes_present ?? []) ok(received.includes(octets), `with ${JSON.stringify(octets)}`)
  if (first) for (const name of wanted.absent ?? []) ok(valuesOf(first, name).length === 0, `${name} is absent`)
}

// What both need.

function expanded(one: Case): string {
  let raw = one.raw
  for (const [token, [text, times]] of Object.entries(one.expand ?? {}))
    raw = raw.replaceAll(token, () => text.repeat(times))
  return raw
}

function everyOffset(raw: string): number[] {
  return Array.from({ length: Math.max(raw.length - 1, 0) }, (_, index) => index + 1)
}

/** The methods of the requests in `raw` as they begin lines: enough to know which answers have no body. */
function methodsOf(raw: string): string[] {
  return [...raw.matchAll(/(?:^|\n|hello)([A-Z]+) [^\r\n]* HTTP\/1\.\d/g)].map((match) => match[1]!)
}

function finals(received: string, methods: readonly string[], closed: boolean): ReadResponse[] {
  return readResponses(received, methods, closed).filter((response) => response.status >= 200 && response.complete)
}
