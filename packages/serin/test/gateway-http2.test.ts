/** HTTP/2 in front of and behind the gateway, over real sockets and sessions. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { after, before, beforeEach, test } from 'node:test'
import { type Gateway, startGateway } from '../src/gateway/supervisor.ts'
import type { Snapshot } from '../src/model/snapshot.ts'
import { SHARE_WHOLE } from '../src/model/split.ts'
import { certificate } from './support/certificates.ts'
import { cluster, destination, forward, listener, route, snapshot, virtualHost } from './support/gateway-fixture.ts'
import { GoodUpstream } from './support/good-upstream.ts'

const own = certificate('a.test')
const upstream = new GoodUpstream('v1')
const other = new GoodUpstream('v2')
/** Speaks HTTP/2 in cleartext, as a gRPC server does. */
const grpc = http2.createServer()
let gateway: Gateway
let port = 0
let revision = 0

before(async () => {
  await upstream.listen()
  await other.listen()
  grpc.on('stream', answerGrpc)
  grpc.listen(0, '127.0.0.1')
  await once(grpc, 'listening')
  gateway = await startGateway({ workers: 1 })
})

after(async () => {
  await gateway.drain({ withinMs: 100 })
  await Promise.all([upstream.close(), other.close()])
  grpc.close()
})

beforeEach(() => {
  upstream.seen.length = 0
  upstream.answer = null
})

/** Echoes what it gets, message by message, then says how it went in trailers. */
function answerGrpc(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
  stream.on('error', () => undefined)
  if (headers[':path'] === '/fails') {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' }, { endStream: true })
    return
  }
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'x-te': headers['te'] },
    { waitForTrailers: true },
  )
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'well done' }))
  stream.pipe(stream)
}

async function apply(parts: Partial<Snapshot> = {}): Promise<void> {
  const half = SHARE_WHOLE / 2
  const applied = await gateway.apply(
    snapshot(++revision, {
      clusters: [
        cluster('c', [upstream.port]),
        cluster('d', [other.port]),
        cluster('g', [(grpc.address() as AddressInfo).port], { protocol: 'http2' }),
      ],
      routes: [
        route('r', { kind: 'prefix', value: '/' }, forward('c')),
        route(
          's',
          { kind: 'prefix', value: '/split' },
          {
            by: { kind: 'random' },
            destinations: [destination('one', half, forward('c')), destination('two', half, forward('d'))],
          },
        ),
        route('g', { kind: 'prefix', value: '/grpc/' }, forward('g', { rewrite: { kind: 'prefix', value: '/' } })),
      ],
      ...parts,
    }),
  )
  port = applied.listening[0]!.port
}

interface Answer {
  readonly status: number
  readonly headers: http2.IncomingHttpHeaders
  readonly trailers: http2.IncomingHttpHeaders
  readonly body: Buffer
}

async function ask(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: readonly Buffer[],
): Promise<Answer> {
  const stream = session.request(headers, { endStream: body === undefined })
  for (const part of body ?? []) stream.write(part)
  if (body) stream.end()
  let given: http2.IncomingHttpHeaders = {}
  let trailers: http2.IncomingHttpHeaders = {}
  stream.on('response', (fields) => (given = fields))
  stream.on('trailers', (fields) => (trailers = fields))
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part as Buffer)
  return { status: Number(given[':status']), headers: given, trailers, body: Buffer.concat(parts) }
}

async function withSession<T>(
  act: (session: http2.ClientHttp2Session) => Promise<T>,
  options: http2.SecureClientSessionOptions = {},
): Promise<T> {
  const session = http2.connect(`http://127.0.0.1:${port}`, options)
  session.on('error', () => undefined)
  try {
    return await act(session)
  } finally {
    session.destroy()
  }
}

test('a client that begins with the preface is served HTTP/2 in cleartext, by the same routes and shares', async () => {
  await apply()
  await withSession(async (session) => {
    const answer = await ask(session, { ':path': '/x?y=1', cookie: ['a=1', 'b=2'], te: 'trailers' })
    assert.deepEqual([answer.status, answer.body.toString()], [200, 'v1 /x?y=1'])
    assert.equal(answer.headers['server'], 'envoy')
    assert.equal(upstream.seen[0]!.headers['cookie'], 'a=1; b=2')
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask(session, { ':path': '/split' })))
    assert.equal(answers.filter(({ body }) => body.toString().startsWith('v1')).length, 20)
    assert.equal((await ask(session, { ':path': '/x', ':method': 'HEAD' })).status, 200)
    assert.equal((await ask(session, { ':path': '/x', ':method': 'FROB' })).status, 400)
  })
})

test('bodies go both ways, with and without a length, larger than the windows', async () => {
  await apply()
  const big = Buffer.alloc(1_500_000, 'abc')
  upstream.answer = (_request, response, body) => response.end(body)
  await withSession(async (session) => {
    const chunked = await ask(session, { ':path': '/x', ':method': 'POST' }, [
      big.subarray(0, 700_000),
      big.subarray(700_000),
    ])
    assert.ok(chunked.body.equals(big))
    const counted = await ask(session, { ':path': '/x', ':method': 'POST', 'content-length': big.length }, [big])
    assert.ok(counted.body.equals(big))
    assert.equal(upstream.seen[1]!.headers['content-length'], String(big.length))
  })
})

test('an answer that comes before the body ends its stream, and only that', async () => {
  await apply({ routes: [] })
  await withSession(async (session) => {
    for (let index = 0; index < 8; index++) {
      const stream = session.request({ ':path': '/none', ':method': 'POST' })
      const closed = new Promise((resolve) => stream.once('close', resolve))
      let status: number | undefined
      stream.on('response', (fields) => (status = fields[':status']))
      stream.on('error', () => undefined)
      stream.resume()
      stream.end(Buffer.alloc(600_000))
      await closed
      assert.equal(status, 404)
    }
    assert.equal(session.destroyed, false)
  })
})

test('TLS clients choose HTTP/2 by ALPN, where the Host offers it', async () => {
  await apply({
    listeners: [listener('secure', { protocol: 'https', virtualHosts: ['a.test'] })],
    virtualHosts: [
      virtualHost('a.test', {
        tls: { cert: own.cert, key: own.key, clientCertRequired: false, alpn: ['h2', 'http/1.1'] },
      }),
    ],
    routes: [route('r', { kind: 'prefix', value: '/' }, forward('c'), { virtualHosts: ['a.test'] })],
  })
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    servername: 'a.test',
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  })
  await once(socket, 'secureConnect')
  await withSession(
    async (session) => {
      const answer = await ask(session, { ':path': '/x', ':authority': 'a.test' })
      assert.equal(answer.status, 200)
      assert.equal(upstream.seen[0]!.headers['x-forwarded-proto'], 'https')
      assert.equal((await ask(session, { ':path': '/x', ':authority': 'b.test' })).status, 404)
    },
    { createConnection: () => socket },
  )
})

test('gRPC passes from end to end: messages both ways as they come, and trailers', async () => {
  await apply()
  await withSession(async (session) => {
    const fields = { ':path': '/grpc/Echo', ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }
    const stream = session.request(fields)
    const trailers = once(stream, 'trailers') as Promise<[http2.IncomingHttpHeaders]>
    const [headers] = (await once(stream, 'response', { signal: AbortSignal.timeout(5000) })) as [
      http2.IncomingHttpHeaders,
    ]
    assert.equal(headers['x-te'], 'trailers')
    for (const message of ['one', 'two', 'three']) {
      stream.write(message)
      const [echo] = (await once(stream, 'data')) as [Buffer]
      assert.equal(echo.toString(), message)
    }
    stream.end()
    const [given] = await trailers
    assert.deepEqual([given['grpc-status'], given['grpc-message']], ['0', 'well done'])
    const failed = await ask(session, { ...fields, ':path': '/grpc/fails' }, [Buffer.from('x')])
    assert.equal(failed.headers['grpc-status'], '5')
    await apply({ routes: [] })
    const unknown = await ask(session, fields, [Buffer.from('x')])
    assert.deepEqual([unknown.status, unknown.headers['grpc-status']], [200, '12'])
  })
})

test('an HTTP/1.1 client can speak to an upstream of HTTP/2', async () => {
  await apply()
  const response = await fetch(`http://127.0.0.1:${port}/grpc/Echo`, { method: 'POST', body: 'hello' })
  assert.deepEqual([response.status, await response.text()], [200, 'hello'])
})

test('a stream that the upstream refused is tried again where the Mapping says so', async () => {
  let refusals = 1
  const refusing = http2.createServer()
  refusing.on('stream', (stream) => {
    stream.on('error', () => undefined)
    if (refusals-- > 0) stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
    else {
      stream.respond({ ':status': 200 })
      stream.end('taken')
    }
  })
  refusing.listen(0, '127.0.0.1')
  await once(refusing, 'listening')
  const clusters = [cluster('c', [(refusing.address() as AddressInfo).port], { protocol: 'http2' })]
  const path = { kind: 'prefix', value: '/' } as const
  await apply({
    clusters,
    routes: [route('r', path, forward('c', { retry: { on: 'refused-stream', retriesMax: 1 } }))],
  })
  const response = await fetch(`http://127.0.0.1:${port}/x`)
  assert.deepEqual([response.status, await response.text()], [200, 'taken'])
  refusals = 1
  await apply({ clusters, routes: [route('r', path, forward('c'))] })
  assert.equal((await fetch(`http://127.0.0.1:${port}/x`)).status, 503)
  refusing.close()
})

test('an upstream that does not speak HTTP/2 is a bad gateway', async () => {
  await apply({
    clusters: [cluster('c', [upstream.port], { protocol: 'http2' })],
    routes: [route('r', { kind: 'prefix', value: '/' }, forward('c'))],
  })
  assert.equal((await fetch(`http://127.0.0.1:${port}/x`)).status, 502)
})

test('a client that resets its streams again and again is sent away, and others are served', async () => {
  await apply()
  upstream.answer = (_request, response) => setTimeout(() => response.end('late'), 50)
  await withSession(async (session) => {
    const gone = once(session, 'close')
    for (let index = 0; index < 400 && !session.destroyed; index++) {
      const stream = session.request({ ':path': '/x' })
      stream.on('error', () => undefined)
      stream.close(http2.constants.NGHTTP2_CANCEL)
      if (index % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await gone
  })
  assert.equal((await fetch(`http://127.0.0.1:${port}/x`)).status, 200)
})

/** Sends frames by hand; resolves when the gateway has closed the connection. */
async function flood(frames: (index: number) => Buffer): Promise<void> {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.resume()
  await once(socket, 'connect')
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]))
  for (let index = 0; index < 200_000 && !socket.closed; index++) {
    if (!socket.write(frames(index)))
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed])
  }
  await closed
}

test('floods of CONTINUATION, SETTINGS and PING end the connection', { timeout: 30_000 }, async () => {
  await apply()
  // HEADERS without END_HEADERS, then CONTINUATION for ever.
  const literal = Buffer.from([0x40, 1, 0x78, 1, 0x79])
  const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer =>
    Buffer.concat([Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream]), payload])
  await flood((index) => (index === 0 ? frame(1, 0, 1, Buffer.from([0x82])) : frame(9, 0, 1, literal)))
  await flood(() => frame(4, 0, 0, Buffer.alloc(0)))
  await flood(() => frame(6, 0, 0, Buffer.alloc(8)))
  assert.equal((await fetch(`http://127.0.0.1:${port}/x`)).status, 200)
})

test('a drain lets streams finish', async () => {
  await apply()
  upstream.answer = (_request, response) => setTimeout(() => response.end('late'), 100)
  await withSession(async (session) => {
    const answer = ask(session, { ':path': '/x' })
    await new Promise((resolve) => setTimeout(resolve, 30))
    const drained = gateway.drain({ withinMs: 3000 })
    assert.equal((await answer).body.toString(), 'late')
    await drained
  })
  gateway = await startGateway({ workers: 1 })
})
