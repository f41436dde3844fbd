/** TLS in front of and behind the gateway, and connections of TCPMappings, over real sockets. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { after, before, test } from 'node:test'
import { type Gateway, startGateway } from '../src/gateway/supervisor.ts'
import type { UpstreamTls } from '../src/model/cluster.ts'
import type { DownstreamTls } from '../src/model/listener.ts'
import type { TcpRoute } from '../src/model/route.ts'
import type { Snapshot } from '../src/model/snapshot.ts'
import { CERTIFICATE, KEY } from './emissary/certificate.ts'
import { certificate } from './support/certificates.ts'
import { cluster, forward, listener, ORIGIN, route, snapshot, virtualHost } from './support/gateway-fixture.ts'
import { GoodUpstream } from './support/good-upstream.ts'

const one = certificate('a.test')
const two = certificate('a.test')
/** Self-signed, so its own authority. */
const clientOne = { ca: CERTIFICATE, cert: CERTIFICATE, key: KEY }

const upstream = new GoodUpstream('v1')
let gateway: Gateway
let port = 0
let revision = 0

before(async () => {
  await upstream.listen()
  gateway = await startGateway({ workers: 1 })
})

after(async () => {
  await gateway.drain({ withinMs: 100 })
  await upstream.close()
})

async function apply(parts: Partial<Snapshot>): Promise<void> {
  const applied = await gateway.apply(
    snapshot(++revision, {
      listeners: [listener('secure', { protocol: 'https', virtualHosts: ['a.test'] })],
      clusters: [cluster('c', [upstream.port])],
      routes: [route('r', { kind: 'prefix', value: '/' }, forward('c'), { virtualHosts: ['a.test'] })],
      ...parts,
    }),
  )
  port = applied.listening[0]!.port
}

function host(given: Partial<DownstreamTls>): Partial<Snapshot> {
  const own: DownstreamTls = { cert: one.cert, key: one.key, clientCertRequired: false, alpn: [], ...given }
  return { virtualHosts: [virtualHost('a.test', { tls: own })] }
}

interface Answer {
  readonly status: number
  readonly fingerprint: string
  readonly protocol: string | null
  readonly alpn: string | false | null
}

/** One request over a TLS connection of its own; rejects when the handshake fails. */
function get(options: tls.ConnectionOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', servername: 'a.test', rejectUnauthorized: false, ...options })
    let text = ''
    socket.on('secureConnect', () => socket.write('GET /x HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n'))
    socket.on('data', (octets: Buffer) => (text += octets.toString('latin1')))
    socket.on('error', reject)
    socket.on('end', () => {
      if (text === '') reject(new Error('closed without an answer'))
      resolve({
        status: Number(text.split(' ')[1]),
        fingerprint: socket.getPeerX509Certificate()?.fingerprint256 ?? '',
        protocol: socket.getProtocol(),
        alpn: socket.alpnProtocol,
      })
    })
  })
}

test('a new certificate is used from the next handshake on, and open connections serve on', async () => {
  await apply(host({}))
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
  const ask = async (): Promise<number | undefined> => {
    const request = https.get({
      agent,
      port,
      host: '127.0.0.1',
      servername: 'a.test',
      headers: { host: 'a.test' },
      rejectUnauthorized: false,
    })
    const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage]
    response.resume()
    await once(response, 'end')
    return response.statusCode
  }
  assert.equal(await ask(), 200)
  const before = await get()
  await apply(host({ cert: two.cert, key: two.key }))
  const later = await get()
  assert.notEqual(before.fingerprint, later.fingerprint)
  assert.equal(await ask(), 200)
  agent.destroy()
})

test('a server name that no Host has a certificate for is not answered', async () => {
  await apply(host({}))
  await assert.rejects(get({ servername: 'b.test' }))
  await assert.rejects(get({ servername: '' }))
  assert.equal((await get({ servername: 'A.test' })).status, 200)
})

test('the hello may come octet by octet', async () => {
  await apply(host({}))
  const plain = net.connect(port, '127.0.0.1')
  await once(plain, 'connect')
  plain.setNoDelay(true)
  const { Duplex } = await import('node:stream')
  // The first flight is cut into single octets.
  let first = true
  const cut = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      if (first) for (const octet of chunk) plain.write(Buffer.from([octet]))
      else plain.write(chunk)
      first = false
      done()
    },
  })
  plain.on('data', (octets) => cut.push(octets))
  plain.on('end', () => cut.push(null))
  const answer = await get({ socket: cut })
  assert.equal(answer.status, 200)
  plain.destroy()
})

test('versions and protocols are the Host’s', async () => {
  await apply(host({ minVersion: 'v1.3', alpn: ['http/1.1'] }))
  const answer = await get({ ALPNProtocols: ['foo', 'http/1.1'] })
  assert.deepEqual([answer.protocol, answer.alpn], ['TLSv1.3', 'http/1.1'])
  await assert.rejects(get({ maxVersion: 'TLSv1.2' }))
  assert.equal((await get({ ALPNProtocols: ['foo'] })).status, 200)
  await apply(
    host({ maxVersion: 'v1.2', cipherSuites: ['[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-RSA-AES128-GCM-SHA256]'] }),
  )
  assert.equal((await get()).protocol, 'TLSv1.2')
})

test('a client certificate is asked for, and one of another authority refused', async () => {
  await apply(host({ ca: clientOne.ca, clientCertRequired: true }))
  await assert.rejects(get())
  await assert.rejects(get({ cert: two.cert, key: two.key }))
  assert.equal((await get({ cert: clientOne.cert, key: clientOne.key })).status, 200)
  await apply(host({ ca: clientOne.ca }))
  assert.equal((await get()).status, 200)
  await assert.rejects(get({ cert: two.cert, key: two.key }))
})

test('a handshake that is never finished holds nobody up, and ends with the drain', async () => {
  await apply(host({}))
  const slow = net.connect(port, '127.0.0.1')
  slow.write(Buffer.from([22, 3, 1]))
  slow.on('error', () => undefined)
  assert.equal((await get()).status, 200)
  await gateway.drain({ withinMs: 200 })
  gateway = await startGateway({ workers: 1 })
  slow.destroy()
})

test('an upstream’s certificate is checked against the authority that is given', async () => {
  const server = https.createServer({ cert: one.cert, key: one.key }, (_request, response) => response.end('secure'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const ports = [(server.address() as AddressInfo).port]
  const ask = async (given: UpstreamTls): Promise<number> => {
    await apply({ ...host({}), clusters: [cluster('c', ports, { tls: given })] })
    return (await get()).status
  }
  assert.equal(await ask({ verify: false, alpn: [] }), 200)
  assert.equal(await ask({ verify: true, ca: one.ca, alpn: [] }), 200)
  assert.equal(await ask({ verify: true, ca: two.ca, alpn: [] }), 503)
  server.closeAllConnections()
  server.close()
})

test('a TCPMapping shares its connections by weight, forwards half-closed ones, and ends them with the endpoint', async () => {
  const names = ['one', 'two']
  const servers = names.map((name) =>
    net.createServer({ allowHalfOpen: true }, (socket) => {
      let got = ''
      socket.on('data', (octets: Buffer) => (got += octets.toString()))
      socket.on('end', () => socket.end(`${name} got ${got}`))
    }),
  )
  for (const server of servers) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  const tcp = net.createServer()
  tcp.listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  const free = (tcp.address() as AddressInfo).port
  tcp.close()
  const mapping: TcpRoute = {
    id: 't',
    port: free,
    destinations: names.map((name, index) => ({
      mapping: name,
      version: name,
      share: index === 0 ? 3000 : 7000,
      cluster: name,
    })),
    origin: ORIGIN,
  }
  await apply({
    listeners: [listener('tcp', { protocol: 'tcp', port: free, virtualHosts: [] })],
    virtualHosts: [],
    routes: [],
    tcpRoutes: [mapping],
    clusters: names.map((name, index) => cluster(name, [ports[index]!])),
  })
  const counts = new Map<string, number>()
  for (let index = 0; index < 20; index++) {
    const socket = net.connect({ port: free, host: '127.0.0.1', allowHalfOpen: true })
    socket.end('hello')
    let text = ''
    for await (const octets of socket) text += String(octets)
    assert.match(text, / got hello$/u)
    const name = text.split(' ')[0]!
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  assert.deepEqual([counts.get('one'), counts.get('two')], [6, 14])
  for (const server of servers) server.close()
})

test('behind a proxy that says so, the client is who the proxy names', async () => {
  const ask = async (header: string, options: { secure: boolean }): Promise<string> => {
    const plain = net.connect(port, '127.0.0.1')
    plain.write(header)
    const socket = options.secure
      ? tls.connect({ socket: plain, servername: 'a.test', rejectUnauthorized: false })
      : plain
    socket.write('GET /x HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n')
    let text = ''
    try {
      for await (const octets of socket) text += String(octets)
    } catch {
      return 'reset'
    }
    return text
  }
  for (const protocol of ['http', 'https'] as const) {
    await apply({
      ...host({}),
      listeners: [listener(`proxied-${protocol}`, { protocol, virtualHosts: ['a.test'], proxyProtocol: true })],
    })
    upstream.seen.length = 0
    const secure = protocol === 'https'
    assert.match(await ask('PROXY TCP4 9.8.7.6 127.0.0.1 1234 80\r\n', { secure }), /^HTTP\/1.1 200/u)
    assert.equal(upstream.seen[0]!.headers['x-forwarded-for'], '9.8.7.6')
    assert.match(await ask('PROXY UNKNOWN\r\n', { secure }), /^HTTP\/1.1 200/u)
    assert.equal(upstream.seen[1]!.headers['x-forwarded-for'], '127.0.0.1')
    assert.doesNotMatch(await ask('', { secure }), /^HTTP\/1.1 200/u)
  }
})
