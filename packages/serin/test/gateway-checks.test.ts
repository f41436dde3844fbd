/** What a request has to pass before it is sent on: authorization over HTTP and gRPC, rate limits, its whole body. Real services, real sockets. */
import assert from 'node:assert/strict'
import http from 'node:http'
import net from 'node:net'
import { resolve } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { type Gateway, startGateway } from '../src/gateway/supervisor.ts'
import type { Forward } from '../src/model/destination.ts'
import type { AuthSettings, Settings } from '../src/model/settings.ts'
import { cluster, forward, route, settings, snapshot } from './support/gateway-fixture.ts'
import { GoodUpstream } from './support/good-upstream.ts'

const upstream = new GoodUpstream('v1')
const auth = new GoodUpstream('auth')
const grpcServer = new grpc.Server()
let grpcPort = 0
let gateway: Gateway
let port = 0
let revision = 0

interface Message {
  readonly [name: string]: unknown
}
type Answer = (request: Message, done: (error: grpc.ServiceError | null, response?: Message) => void) => void
/** What the gRPC services were asked, and what they say. */
const asked: Message[] = []
let check: Answer = (_request, done) => done(null, { status: { code: 0 } })
let limit: Answer = (_request, done) => done(null, { overall_code: 1 })

before(async () => {
  await upstream.listen()
  await auth.listen()
  addService('envoy-services.proto', ['envoy', 'service', 'auth', 'v3', 'Authorization'], 'Check', () => check)
  addService(
    'envoy-rate-limit.proto',
    ['envoy', 'service', 'ratelimit', 'v3', 'RateLimitService'],
    'ShouldRateLimit',
    () => limit,
  )
  grpcPort = await new Promise<number>((done, fail) => {
    grpcServer.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? fail(error) : done(bound),
    )
  })
  gateway = await startGateway({ workers: 1 })
})

after(async () => {
  await gateway.drain({ withinMs: 100 })
  grpcServer.forceShutdown()
  await Promise.all([upstream.close(), auth.close()])
})

beforeEach(() => {
  asked.length = 0
  upstream.seen.length = 0
  auth.seen.length = 0
  auth.answer = null
  upstream.answer = null
})

function addService(file: string, path: readonly string[], method: string, answer: () => Answer): void {
  const definition = loadSync(resolve(import.meta.dirname, '../../test/support', file), {
    keepCase: true,
    longs: String,
    enums: Number,
  })
  let found: unknown = grpc.loadPackageDefinition(definition)
  for (const name of path) found = (found as Record<string, unknown>)[name]
  grpcServer.addService((found as grpc.ServiceClientConstructor).service, {
    [method]: (call: grpc.ServerUnaryCall<Message, Message>, done: grpc.sendUnaryData<Message>) => {
      asked.push(call.request)
      answer()(call.request, (error, response) => done(error, response))
    },
  })
}

const AUTH: AuthSettings = {
  cluster: 'auth',
  protocol: 'http',
  pathPrefix: '',
  timeoutMs: 2000,
  allowedRequestHeaders: ['authorization'],
  allowedAuthorizationHeaders: ['x-user', 'location', 'x-version'],
  addAuthHeaders: [],
  failureModeAllow: false,
  statusOnError: 403,
}

async function apply(given: Partial<Settings>, changes: Partial<Forward> = {}): Promise<void> {
  const applied = await gateway.apply(
    snapshot(++revision, {
      settings: settings(given),
      clusters: [
        cluster('c', [upstream.port]),
        cluster('auth', [auth.port]),
        cluster('checks', [grpcPort], { protocol: 'http2' }),
      ],
      routes: [route('r', { kind: 'prefix', value: '/' }, forward('c', changes))],
    }),
  )
  port = applied.listening[0]!.port
}

interface Response {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

function ask(options: http.RequestOptions = {}, body?: Buffer | string): Promise<Response> {
  return new Promise((done, fail) => {
    const request = http.request({ port, host: '127.0.0.1', path: '/x?y=1', agent: false, ...options }, (response) => {
      let text = ''
      response.on('data', (octets: Buffer) => (text += octets.toString()))
      response.on('end', () => done({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
    })
    request.on('error', fail)
    request.end(body)
  })
}

test('a large body waits for the verdict and then arrives whole, with a length and chunked', async () => {
  await apply({ auth: [AUTH] })
  const body = Buffer.alloc(600_000, 'x')
  for (const headers of [{ 'content-length': body.length }, { 'transfer-encoding': 'chunked' }]) {
    const { status } = await ask({ method: 'POST', headers }, body)
    assert.equal(status, 200)
    assert.ok(upstream.seen.at(-1)!.body.equals(body))
    assert.equal(auth.seen.at(-1)!.body.length, 0)
  }
})

test('a client that goes away while its request waits takes the question with it', async () => {
  await apply({ auth: [AUTH] })
  let gone = false
  auth.answer = (request) => {
    request.socket.on('close', () => {
      gone = true
    })
  }
  const socket = net.connect(port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  while (auth.seen.length === 0) await new Promise((done) => setTimeout(done, 5))
  socket.destroy()
  while (!gone) await new Promise((done) => setTimeout(done, 5))
  assert.equal(upstream.seen.length, 0)
  auth.answer = null
  assert.equal((await ask()).status, 200)
})

test('a pooled connection that the auth service closed is no refusal', async () => {
  await apply({ auth: [AUTH] })
  assert.equal((await ask()).status, 200)
  auth.answer = (_request, response) => {
    response.setHeader('connection', 'keep-alive')
    response.end()
    setImmediate(() => response.socket?.destroy())
  }
  for (let index = 0; index < 10; index++) assert.equal((await ask()).status, 200)
})

test('the auth service sees the beginning of a body, and the upstream all of it', async () => {
  await apply({ auth: [{ ...AUTH, includeBody: { bytesMax: 10, allowPartial: true } }] })
  const body = 'abcdefghijklmnopqrstuvwxyz'
  assert.equal((await ask({ method: 'POST', headers: { expect: '100-continue' } }, body)).status, 200)
  assert.equal(auth.seen[0]!.body.toString(), 'abcdefghij')
  assert.equal(auth.seen[0]!.headers['x-envoy-auth-partial-body'], 'true')
  assert.equal(upstream.seen[0]!.body.toString(), body)
  await apply({ auth: [{ ...AUTH, includeBody: { bytesMax: 10, allowPartial: false } }] })
  assert.equal((await ask({ method: 'POST' }, body)).status, 413)
  assert.equal((await ask({ method: 'POST' }, 'short')).status, 200)
})

test('what the auth service says replaces what a client says', async () => {
  await apply({ auth: [AUTH] })
  auth.answer = (_request, response) => {
    response.setHeader('x-user', 'ann')
    response.setHeader('x-other', 'not passed on')
    response.end()
  }
  await ask({ headers: { 'x-user': 'mallory' } })
  assert.equal(upstream.seen[0]!.headers['x-user'], 'ann')
  assert.equal(upstream.seen[0]!.headers['x-other'], undefined)
})

test('the Module’s buffer sends nothing on before the body is whole, and tells its length', async () => {
  await apply({ buffer: { requestBytesMax: 1000 } })
  assert.equal(
    (await ask({ method: 'POST', headers: { 'transfer-encoding': 'chunked' } }, 'x'.repeat(1000))).status,
    200,
  )
  assert.equal(upstream.seen[0]!.headers['content-length'], '1000')
  assert.equal(
    (await ask({ method: 'POST', headers: { 'transfer-encoding': 'chunked' } }, 'x'.repeat(1001))).status,
    413,
  )
  assert.equal((await ask({ method: 'POST' }, 'x'.repeat(5000))).status, 413)
  assert.equal(upstream.seen.length, 1)
})

const GRPC_AUTH: AuthSettings = { ...AUTH, protocol: 'grpc', cluster: 'checks' }

test('a gRPC auth service is asked in Envoy’s words, and changes the request', async () => {
  await apply(
    { auth: [{ ...GRPC_AUTH, includeBody: { bytesMax: 100, allowPartial: true } }] },
    { authContextExtensions: { team: 'canary' } },
  )
  check = (_request, done) =>
    done(null, {
      status: { code: 0 },
      ok_response: {
        headers: [
          { header: { key: 'x-user', value: 'ann' } },
          { header: { key: 'x-more', value: '2' }, append: { value: true } },
        ],
        headers_to_remove: ['x-secret'],
        response_headers_to_add: [{ header: { key: 'x-checked', value: 'yes' } }],
      },
    })
  const { status, headers } = await ask(
    { method: 'POST', headers: { 'x-user': 'mallory', 'x-more': '1', 'x-secret': 's' } },
    'hello',
  )
  assert.deepEqual([status, headers['x-checked']], [200, 'yes'])
  const seen = upstream.seen[0]!
  assert.deepEqual(
    [seen.headers['x-user'], seen.headers['x-more'], seen.headers['x-secret']],
    ['ann', '1, 2', undefined],
  )
  const attributes = asked[0]!['attributes'] as {
    request: { http: Message }
    context_extensions: Message
    source: Message
  }
  const { method, path, host, scheme, headers: given, body, size } = attributes.request.http
  assert.deepEqual(
    [method, path, host, scheme, body, size],
    ['POST', '/x?y=1', `127.0.0.1:${port}`, 'http', 'hello', '5'],
  )
  assert.equal((given as Message)['x-user'], 'mallory')
  assert.deepEqual({ ...attributes.context_extensions }, { team: 'canary' })
  assert.deepEqual(attributes.source, { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } })
})

test('a gRPC auth service refuses with a status, fields and a body of its own, or fails', async () => {
  await apply({ auth: [GRPC_AUTH] })
  check = (_request, done) =>
    done(null, {
      status: { code: 16 },
      denied_response: {
        status: { code: 401 },
        headers: [{ header: { key: 'www-authenticate', value: 'Basic' } }],
        body: 'who?',
      },
    })
  const refused = await ask()
  assert.deepEqual([refused.status, refused.headers['www-authenticate'], refused.body], [401, 'Basic', 'who?'])
  check = (_request, done) => done(null, { status: { code: 7 } })
  assert.equal((await ask()).status, 403)
  check = (_request, done) =>
    done({ code: 13, name: 'broken', message: 'broken', details: '', metadata: new grpc.Metadata() })
  assert.equal((await ask()).status, 403)
  await apply({ auth: [{ ...GRPC_AUTH, failureModeAllow: true }] })
  assert.equal((await ask()).status, 200)
  assert.equal(upstream.seen.length, 1)
  check = (_request, done) => done(null, { status: { code: 0 } })
})

test('a rate limit service is asked with descriptors, and limits', async () => {
  const rateLimit = { cluster: 'checks', domain: 'ambassador', timeoutMs: 2000, failureModeDeny: true }
  await apply(
    { rateLimit },
    {
      rateLimits: [
        { entries: [{ kind: 'generic-key', key: 'generic_key', value: 'x' }, { kind: 'remote-address' }] },
        {
          entries: [
            { kind: 'request-header', key: 'user', header: 'x-user', omitIfAbsent: false },
            { kind: 'destination-cluster' },
          ],
        },
        {
          entries: [
            { kind: 'request-header', key: 'u', header: 'x-user', omitIfAbsent: true },
            { kind: 'source-cluster' },
          ],
        },
      ],
    },
  )
  assert.equal((await ask({ headers: { 'x-user': 'ann' } })).status, 200)
  const all = asked[0] as unknown as {
    domain: string
    descriptors: { entries: { key: string; value: string }[] }[]
    hits_addend: number
  }
  assert.deepEqual([all.domain, all.hits_addend], ['ambassador', 1])
  assert.deepEqual(
    all.descriptors.map(({ entries }) => entries.map(({ key, value }) => `${key}=${value}`).join(' ')),
    ['generic_key=x remote_address=127.0.0.1', 'user=ann destination_cluster=c', 'u=ann source_cluster=serin'],
  )
  await ask()
  assert.deepEqual((asked[1] as unknown as typeof all).descriptors.length, 2)
  limit = (_request, done) =>
    done(null, {
      overall_code: 2,
      response_headers_to_add: [{ key: 'retry-after', value: '7' }],
      raw_body: Buffer.from('slow down'),
    })
  const limited = await ask()
  assert.deepEqual(
    [limited.status, limited.headers['x-envoy-ratelimited'], limited.headers['retry-after'], limited.body],
    [429, 'true', '7', 'slow down'],
  )
  limit = (_request, done) =>
    done({ code: 13, name: 'broken', message: 'broken', details: '', metadata: new grpc.Metadata() })
  assert.equal((await ask()).status, 500)
  await apply(
    { rateLimit: { ...rateLimit, failureModeDeny: false } },
    { rateLimits: [{ entries: [{ kind: 'remote-address' }] }] },
  )
  assert.equal((await ask()).status, 200)
  await apply({ rateLimit })
  asked.length = 0
  assert.equal((await ask()).status, 200)
  assert.equal(asked.length, 0)
})
