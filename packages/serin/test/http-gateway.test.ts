/** What a request meets on its way through the gateway, and what its answer meets on the way back. One real worker, real sockets. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import http from 'node:http'
import net from 'node:net'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import type { Snapshot } from '../src/model/snapshot.ts'
import { startGateway, type Gateway } from '../src/gateway/supervisor.ts'
import { EvilUpstream } from './support/evil-upstream.ts'
import {
  cluster,
  destination,
  forward,
  listener,
  route,
  settings,
  snapshot,
  virtualHost,
} from './support/gateway-fixture.ts'
import { GoodUpstream } from './support/good-upstream.ts'
import { readResponses, valuesOf } from './support/http-reader.ts'
import { get } from './support/load.ts'
import { RawClient } from './support/raw-client.ts'

const HANG_MS = 10_000
const good = new GoodUpstream('v1')
const other = new GoodUpstream('v2')
const evil = new EvilUpstream()
let gateway: Gateway
let port: number
let trustingPort: number
let revision = 0

before(async () => {
  await Promise.all([good.listen(), other.listen(), evil.listen()])
  gateway = await startGateway({ workers: 1, limits: { bufferedBytesMax: 128 * 1024 } })
  await apply({})
})

after(async () => {
  await gateway.drain({ withinMs: 100 })
  await Promise.all([good.close(), other.close(), evil.close()])
})

async function apply(parts: Partial<Snapshot>): Promise<void> {
  const { routes = [], clusters = [] } = parts
  const applied = await gateway.apply(
    snapshot(++revision, {
      settings: settings({ http10: true }),
      listeners: [listener('plain'), listener('trusting', { trustedHops: 1 })],
      ...parts,
      routes: [
        ...routes,
        route(
          'rewritten',
          { kind: 'prefix', value: '/app/' },
          forward('good', { rewrite: { kind: 'prefix', value: '/v1/' } }),
        ),
        route(
          'evil',
          { kind: 'prefix', value: '/evil' },
          forward('evil', { upgrades: ['websocket'], timeoutMs: HANG_MS }),
        ),
        route('late', { kind: 'prefix', value: '/late' }, forward('evil', { timeoutMs: 400 })),
        route('idle', { kind: 'prefix', value: '/idle' }, forward('evil', { timeoutMs: 0, idleTimeoutMs: 200 })),
        route('rest', { kind: 'prefix', value: '/' }, forward('good')),
      ],
      clusters: [...clusters, cluster('good', [good.port]), cluster('evil', [evil.port])],
    }),
  )
  port = applied.listening.find(({ name }) => name === 'plain')!.port
  trustingPort = applied.listening.find(({ name }) => name === 'trusting')!.port
}

async function raw(text: string, toPort = port): Promise<RawClient> {
  const client = await RawClient.connect(toPort)
  await client.send(text)
  return client
}

/** The last request the good upstream saw. */
function last(): GoodUpstream['seen'][number] {
  return good.seen.at(-1)!
}

describe('the request', () => {
  test('the path is rewritten, the query kept, and the upstream told how it was', async () => {
    const { body } = await get(port, '/app/x?y=1')
    assert.equal(body, 'v1 /v1/x?y=1')
    assert.equal(last().headers['x-envoy-original-path'], '/app/x?y=1')
    assert.equal(last().headers['x-envoy-expected-rq-timeout-ms'], '15000')
    assert.match(
      String(last().headers['x-request-id']),
      /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/,
    )
    assert.equal(last().headers.via, '1.1 serin')
  })

  test('an untrusted client is what it is; a trusted proxy is believed', async () => {
    const headers = {
      'x-forwarded-for': '6.6.6.6',
      'x-forwarded-proto': 'https',
      forwarded: 'for=6.6.6.6',
      'x-real-ip': '6.6.6.6',
      'x-request-id': 'mine',
    }
    await get(port, '/', { headers })
    assert.equal(last().headers['x-forwarded-for'], '6.6.6.6,127.0.0.1')
    assert.equal(last().headers['x-forwarded-proto'], 'http')
    assert.equal(last().headers['x-envoy-external-address'], '127.0.0.1')
    assert.equal(last().headers.forwarded, undefined)
    assert.equal(last().headers['x-real-ip'], undefined)
    assert.notEqual(last().headers['x-request-id'], 'mine')
    await get(trustingPort, '/', { headers })
    assert.equal(last().headers['x-envoy-external-address'], '6.6.6.6')
    assert.equal(last().headers['x-forwarded-proto'], 'https')
  })

  test('fields of the client keep their names, values and order; those of the hop end', async () => {
    const client = await raw(
      'GET / HTTP/1.1\r\nHost: a.test\r\nX-B: 1\r\nX-A: caf\u00e9\r\nx-b: 2\r\nConnection: x-gone, keep-alive\r\nX-Gone: 1\r\nKeep-Alive: 5\r\nTE: gzip\r\nX_Forwarded_For: 6\r\nProxy: p\r\n\r\n',
    )
    await client.settle((received) => received.endsWith('v1 /'), HANG_MS)
    client.destroy()
    const names = last().rawHeaders.filter((_, index) => index % 2 === 0)
    assert.deepEqual(names.slice(0, 4), ['host', 'X-B', 'X-A', 'x-b'])
    assert.ok(
      names.every((name) => !/gone|^connection|keep-alive|^te$|x_forwarded_for|^proxy$/i.test(name)),
      names.join(),
    )
    assert.equal(last().headers['x-a'], 'caf\u00e9')
  })

  test('bodies of any size arrive, by length and in chunks, both ways', async () => {
    good.answer = (request, response, body) => {
      if (request.headers['transfer-encoding'] === undefined) response.setHeader('content-length', body.length)
      response.end(body)
    }
    for (const size of [0, 1, 16 * 1024, 3 * 1024 * 1024]) {
      for (const chunked of [false, true]) {
        const sent = randomBytes(size)
        // oxlint-disable-next-line no-await-in-loop
        const received = await echo(sent, chunked)
        assert.equal(digest(received), digest(sent), `${size} octets${chunked ? ' in chunks' : ''}`)
      }
    }
    good.answer = null
  })

  test('OPTIONS * is answered here, CONNECT is refused, TRACE ends where Max-Forwards says', async () => {
    const before = good.seen.length
    assert.match(
      await answer('OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n'),
      /^HTTP\/1\.1 200 OK\r\ncontent-length: 0\r\n/,
    )
    assert.match(await answer('CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n'), /^HTTP\/1\.1 405 /)
    assert.match(await answer('TRACE / HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\n\r\n'), /^HTTP\/1\.1 405 /)
    assert.equal(good.seen.length, before)
  })

  test('a route that leads back to the gateway ends after some hops', async () => {
    const clusters = [cluster('self', [port])]
    await apply({ routes: [route('self', { kind: 'prefix', value: '/self' }, forward('self'))], clusters })
    const { status, body } = await get(port, '/self')
    assert.equal(`${status} ${body}`, '508 Loop Detected')
  })

  test('100-continue is answered here and not sent on; another expectation is 417', async () => {
    const client = await raw('POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n')
    await client.settle((received) => received.includes('\r\n\r\n'), HANG_MS)
    assert.equal(client.received, 'HTTP/1.1 100 Continue\r\n\r\n')
    await client.send('hello')
    await client.settle((received) => received.endsWith('v1 /'), HANG_MS)
    client.destroy()
    assert.equal(last().headers.expect, undefined)
    assert.equal(last().body.toString(), 'hello')
    assert.match(
      await answer('POST / HTTP/1.1\r\nHost: a.test\r\nExpect: tea\r\nContent-Length: 5\r\n\r\n'),
      /^HTTP\/1\.1 417 /,
    )
  })

  test('a client that closes its half after the request gets its answer, pipelined ones too', async () => {
    const client = await raw('GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: a.test\r\n\r\n')
    client.socket.end()
    await client.settle(() => false, HANG_MS)
    const bodies = readResponses(client.received, ['GET', 'GET'], true).map(({ body }) => body)
    assert.deepEqual(bodies, ['v1 /1', 'v1 /2'])
  })

  test('a local answer to a request with a body leaves the connection usable', async () => {
    await apply({
      routes: [route('none', { kind: 'prefix', value: '/none' }, forward('nobody'))],
      clusters: [cluster('nobody', [])],
    })
    const client = await raw('POST /none HTTP/1.1\r\nHost: a.test\r\nContent-Length: 36\r\n\r\n')
    await client.settle((received) => received.includes('no healthy upstream'), HANG_MS)
    await client.send('GET /evil HTTP/1.1\r\nHost: a.test\r\n\r\nGET /after HTTP/1.1\r\nHost: a.test\r\n\r\n')
    await client.settle((received) => received.includes('v1 /'), HANG_MS)
    client.destroy()
    const [first, second] = readResponses(client.received, ['POST', 'GET'], false)
    assert.equal(first!.status, 503)
    assert.equal(second!.body, 'v1 /after')
  })
})

describe('what a person wrote', () => {
  test('cannot end a line, or become one when it is cut to octets', async () => {
    const text = { kind: 'text', text: 'a\r\nX-Evil: 1\u010d\u010aX-Evil: 2' } as const
    const change = { name: 'x-written', value: [text], append: false }
    await apply({
      routes: [
        route(
          'written',
          { kind: 'prefix', value: '/written/' },
          forward('good', {
            rewrite: { kind: 'prefix', value: '/a b\r\nX-Evil: 3\u010d\u010a/' },
            host: { kind: 'literal', value: 'a.test\r\nX-Evil: 4' },
            requestHeaders: { add: [change], remove: [] },
            responseHeaders: { add: [change], remove: [] },
          }),
        ),
      ],
    })
    const { headers } = await get(port, '/written/x')
    assert.equal(headers['x-evil'], undefined)
    assert.equal(last().headers['x-evil'], undefined)
    assert.ok(last().url.startsWith('/a%20b%0D%0AX-Evil'), last().url)
  })
})

describe('the split', () => {
  function split(share: number): Partial<Snapshot> {
    return {
      routes: [
        route(
          'sticky',
          { kind: 'prefix', value: '/sticky' },
          {
            by: { kind: 'sticky', key: { kind: 'header', name: 'x-user' }, salt: 'salt' },
            overrideHeader: 'x-version-wanted',
            destinations: [
              destination('v2', share, forward('other')),
              destination('v1', 10_000 - share, forward('good')),
            ],
          },
        ),
      ],
      clusters: [cluster('other', [other.port])],
    }
  }

  async function canaries(): Promise<Set<number>> {
    const on = new Set<number>()
    for (let user = 0; user < 150; user++) {
      // oxlint-disable-next-line no-await-in-loop
      const { headers } = await get(port, '/sticky', { headers: { 'x-user': `user-${user}` } })
      if (headers['x-version'] === 'v2') on.add(user)
    }
    return on
  }

  test('a sticky split is the same for a client each time, and only grows with the weight', async () => {
    await apply(split(1000))
    const small = await canaries()
    assert.ok(small.size > 3 && small.size < 40, `${small.size}`)
    assert.deepEqual(await canaries(), small)
    await apply(split(5000))
    const large = await canaries()
    assert.ok([...small].every((user) => large.has(user)) && large.size > small.size)
    await apply(split(0))
    assert.equal((await canaries()).size, 0)
  })

  test('a header names a version, also one without a share', async () => {
    const { headers } = await get(port, '/sticky', { headers: { 'x-user': 'user-1', 'x-version-wanted': 'v2' } })
    assert.equal(headers['x-version'], 'v2')
  })

  test('answers say which version they come from, and stay out of shared caches, where that is asked for', async () => {
    await apply({
      routes: [
        route(
          'told',
          { kind: 'prefix', value: '/told' },
          {
            by: { kind: 'random' },
            tellVersion: true,
            privateCache: true,
            destinations: [destination('v2', 10_000, forward('other'))],
          },
        ),
      ],
      clusters: [cluster('other', [other.port])],
    })
    other.answer = (_request, response) => response.setHeader('cache-control', 'public').end('x')
    const { headers } = await get(port, '/told')
    other.answer = null
    assert.equal(headers['serin-version'], 'v2')
    assert.equal(headers['serin-mapping'], 'default/v2')
    assert.equal(headers['cache-control'], 'private')
  })

  test('what is not assigned falls through to the next Route, with the same number', async () => {
    await apply({
      routes: [
        route(
          'part',
          { kind: 'prefix', value: '/part/' },
          { by: { kind: 'random' }, destinations: [destination('v2', 2500, forward('other'))] },
        ),
      ],
      clusters: [cluster('other', [other.port])],
    })
    const seen = { v1: 0, v2: 0 }
    for (let request = 0; request < 100; request++) {
      // oxlint-disable-next-line no-await-in-loop
      const { headers } = await get(port, '/part/')
      seen[headers['x-version'] as 'v1' | 'v2']++
    }
    assert.deepEqual(seen, { v1: 75, v2: 25 })
  })
})

describe('the answer', () => {
  test('server is ours, the date is added where there is none, fields of the hop end', async () => {
    evil.script = {
      raw: 'HTTP/1.1 200 Fine\r\nServer: secret\r\nConnection: x-hop\r\nX-Hop: 1\r\nX-End: 2\r\nContent-Length: 2\r\n\r\nok',
      when: 'request',
      end: 'keep',
    }
    const client = await raw('GET /evil HTTP/1.1\r\nHost: a.test\r\n\r\n')
    await client.settle((received) => received.endsWith('ok'), HANG_MS)
    client.destroy()
    const [response] = readResponses(client.received, ['GET'], false)
    assert.equal(response!.startLine, 'HTTP/1.1 200 OK')
    assert.deepEqual(valuesOf(response!, 'server'), ['envoy'])
    assert.equal(valuesOf(response!, 'date').length, 1)
    assert.deepEqual(valuesOf(response!, 'x-hop'), [])
    assert.deepEqual(valuesOf(response!, 'x-end'), ['2'])
    assert.equal(valuesOf(response!, 'x-envoy-upstream-service-time').length, 1)
  })

  test('HEAD tells the length and sends no body; the connection goes on', async () => {
    good.answer = (request, response) =>
      response.setHeader('content-length', 5).end(request.url === '/y' ? 'v1 /y' : '')
    const client = await raw('HEAD /x HTTP/1.1\r\nHost: a.test\r\n\r\nGET /y HTTP/1.1\r\nHost: a.test\r\n\r\n')
    await client.settle((received) => received.endsWith('v1 /y'), HANG_MS)
    client.destroy()
    good.answer = null
    const [head, body] = readResponses(client.received, ['HEAD', 'GET'], false)
    assert.deepEqual(valuesOf(head!, 'content-length'), ['5'])
    assert.equal(body!.body, 'v1 /y')
  })

  test('interim answers are relayed, but for 100 and to a client of HTTP/1.0', async () => {
    const script = {
      raw: 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      when: 'request',
      end: 'keep',
    } as const
    evil.script = script
    const client = await raw('GET /evil HTTP/1.1\r\nHost: a.test\r\n\r\n')
    await client.settle((received) => received.endsWith('ok'), HANG_MS)
    client.destroy()
    assert.deepEqual(
      readResponses(client.received, ['GET'], false).map(({ status }) => status),
      [103, 200],
    )
    evil.script = script
    assert.match(await answer('GET /evil HTTP/1.0\r\nHost: a.test\r\n\r\n'), /^HTTP\/1\.1 200 OK\r\n/)
  })

  test('a client of HTTP/1.0 gets a body without chunks, and a kept connection only if it asks', async () => {
    good.answer = (_request, response) => {
      response.write('in ')
      response.end('chunks')
    }
    const text = await answer('GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n')
    good.answer = null
    assert.ok(!/transfer-encoding/i.test(text))
    assert.ok(text.endsWith('\r\n\r\nin chunks'))
    const client = await raw('GET /a HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n')
    await client.settle((received) => received.endsWith('v1 /a'), HANG_MS)
    assert.match(client.received, /\r\nconnection: keep-alive\r\n/)
    client.destroy()
  })

  test('an upstream is not read faster than its client reads', async () => {
    await apply({ routes: [route('big', { kind: 'prefix', value: '/big' }, forward('evil', { timeoutMs: 0 }))] })
    evil.bigBytes = 64 * 1024 * 1024
    const client = await RawClient.connect(port, { reading: false })
    await client.send('GET /big HTTP/1.1\r\nHost: a.test\r\n\r\n')
    await new Promise((resolve) => {
      setTimeout(resolve, 600)
    })
    const { socket } = evil.connections.at(-1)!
    // What is not in the kernel's buffers is still with the upstream.
    assert.ok(socket.writableLength > 40 * 1024 * 1024, `${socket.writableLength} octets wait`)
    client.destroy()
    evil.bigBytes = 8 * 1024 * 1024
  })
})

describe('what can go wrong', () => {
  test('a request on a pooled connection that was just closed goes out once more; a POST does not', async () => {
    await get(port, '/evil/warm')
    evil.reset()
    evil.script = { raw: '', when: 'request', end: 'close' }
    const { status, body } = await get(port, '/evil/again')
    assert.equal(`${status} ${body}`, '200 ok GET /evil/again')
    await get(port, '/evil/warm')
    evil.reset()
    evil.script = { raw: '', when: 'request', end: 'close' }
    const post = await get(port, '/evil/post', { method: 'POST', headers: { 'content-length': '0' } })
    assert.equal(post.status, 503)
    assert.equal(evil.received.split('POST /evil/post').length - 1, 1)
  })

  test('a connection that its upstream is about to close, as it said, is not used again', async () => {
    evil.reset()
    evil.script = {
      raw: 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1, max=100\r\nContent-Length: 2\r\n\r\nok',
      when: 'request',
      end: 'keep',
    }
    await get(port, '/evil/one')
    const used = evil.connections.find(({ received }) => received.includes('/evil/one'))!
    assert.equal((await get(port, '/evil/two', { method: 'POST' })).status, 200)
    assert.ok(!used.received.includes('/evil/two'))
  })

  test('an upstream that does not answer in time is 504; one that says nothing for long too', async () => {
    evil.script = { raw: '', when: 'request', end: 'keep' }
    const late = await get(port, '/late')
    assert.equal(`${late.status} ${late.body}`, '504 upstream request timeout')
    evil.script = { raw: '', when: 'request', end: 'keep' }
    const idle = await get(port, '/idle')
    assert.equal(`${idle.status} ${idle.body}`, '504 stream timeout')
  })

  test('a closed port is 503, unless another endpoint answers', async () => {
    const closed = net.createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const closedPort = (closed.address() as net.AddressInfo).port
    closed.close()
    await apply({
      routes: [
        route('closed', { kind: 'prefix', value: '/closed' }, forward('closed')),
        route('half', { kind: 'prefix', value: '/half' }, forward('half')),
      ],
      clusters: [cluster('closed', [closedPort]), cluster('half', [closedPort, good.port])],
    })
    const { status, body } = await get(port, '/closed')
    assert.equal(status, 503)
    assert.match(body, /remote connection failure$/)
    for (let request = 0; request < 4; request++) {
      // oxlint-disable-next-line no-await-in-loop
      assert.equal((await get(port, '/half')).status, 200)
    }
  })
})

describe('tunnels', () => {
  const upgrade =
    'GET /evil/ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
  const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

  test('octets pass both ways after the 101, and the end of one side ends the other', async () => {
    evil.reset()
    evil.script = { raw: `${switched}first`, when: 'request', end: 'keep' }
    const client = await raw(upgrade)
    await client.settle((received) => received.endsWith('first'), HANG_MS)
    assert.match(client.received, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
    const connection = evil.connections.at(-1)!
    await client.send('from the client')
    while (!connection.received.endsWith('from the client')) {
      // oxlint-disable-next-line no-await-in-loop
      await once(connection.socket, 'data')
    }
    connection.socket.write('from the upstream')
    await client.settle((received) => received.endsWith('from the upstream'), HANG_MS)
    connection.socket.end('bye')
    await client.settle(() => false, HANG_MS)
    assert.ok(client.received.endsWith('bye'))
    client.socket.end()
    if (!connection.closed) await once(connection.socket, 'close')
  })

  test('an upgrade that no Mapping allows is 403, one of h2c is ignored', async () => {
    assert.match(
      await answer(upgrade.replace('/evil/ws', '/ws').replace('Connection: Upgrade', 'Connection: Upgrade, close')),
      /^HTTP\/1\.1 403 /,
    )
    const h2c = await answer(
      'GET /h2c HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n',
    )
    assert.ok(h2c.endsWith('v1 /h2c'))
    assert.equal(last().headers.upgrade, undefined)
  })
})

describe('hosts', () => {
  test('each VirtualHost has Routes of its own; there is no fall-through to another', async () => {
    await apply({
      listeners: [listener('plain', { virtualHosts: ['exact', 'suffix'] }), listener('trusting')],
      virtualHosts: [
        virtualHost(),
        virtualHost('exact', { hostname: 'a.test' }),
        virtualHost('suffix', { hostname: '*.b.test' }),
      ],
      routes: [
        route(
          'in-exact',
          { kind: 'prefix', value: '/' },
          forward('good', { rewrite: { kind: 'prefix', value: '/exact/' } }),
          { virtualHosts: ['exact'] },
        ),
        route('in-suffix', { kind: 'prefix', value: '/s/' }, forward('good'), { virtualHosts: ['suffix'] }),
      ],
    })
    assert.equal((await get(port, '/x', { headers: { host: 'A.test' } })).body, 'v1 /exact/x')
    assert.equal((await get(port, '/s/', { headers: { host: 'x.b.test' } })).body, 'v1 /s/')
    assert.equal((await get(port, '/x', { headers: { host: 'x.b.test' } })).status, 404)
    assert.equal((await get(port, '/', { headers: { host: 'c.test' } })).status, 404)
  })
})

/** The whole answer on a connection that is closed after it. */
async function answer(text: string): Promise<string> {
  const client = await raw(text)
  if (!/close|HTTP\/1\.0|CONNECT/.test(text)) {
    await client.settle((received) => received.includes('\r\n\r\n'), HANG_MS)
  } else await client.settle(() => false, HANG_MS)
  client.destroy()
  return client.received
}

function echo(body: Buffer, chunked: boolean): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const headers = chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': body.length }
    const request = http.request({ port, host: '127.0.0.1', method: 'POST', path: '/echo', headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve(Buffer.concat(chunks)))
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

function digest(octets: Buffer): string {
  return `${octets.length} ${createHash('sha256').update(octets).digest('hex')}`
}
