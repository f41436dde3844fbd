/** Health checks of endpoints, against servers that turn bad and good again. */
import assert from 'node:assert/strict'
import http2 from 'node:http2'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { type Gateway, startGateway } from '../src/gateway/supervisor.ts'
import type { HealthCheck } from '../src/model/cluster.ts'
import { cluster, forward, route, snapshot } from './support/gateway-fixture.ts'
import { GoodUpstream } from './support/good-upstream.ts'

const CHECK = { timeoutMs: 1000, intervalMs: 40, unhealthyThreshold: 1, healthyThreshold: 1 }
/** A change must be seen in this time; it is seen in a few intervals. */
const SEEN_MS_MAX = 10_000

let gateway: Gateway
before(async () => {
  gateway = await startGateway({ workers: 1 })
})
after(async () => {
  await gateway.drain({ withinMs: 100 })
})

async function apply(
  revision: number,
  ports: readonly number[],
  check: HealthCheck,
  protocol: 'http1' | 'http2',
): Promise<number> {
  const applied = await gateway.apply(
    snapshot(revision, {
      clusters: [cluster('c', ports, { healthChecks: [check], protocol })],
      routes: [route('r', { kind: 'prefix', value: '/' }, forward('c'))],
    }),
  )
  return applied.listening[0]!.port
}

/** Asks until `count` answers in a row satisfy. */
async function eventually(ask: () => Promise<boolean>, count: number): Promise<void> {
  const until = Date.now() + SEEN_MS_MAX
  for (let inARow = 0; inARow < count;) {
    assert.ok(Date.now() < until, 'it did not come about')
    inARow = (await ask()) ? inARow + 1 : 0
    if (inARow === 0) await new Promise((done) => setTimeout(done, 10))
  }
}

test('an endpoint that answers badly gets no requests until it is well again', async () => {
  const servers = [new GoodUpstream('one'), new GoodUpstream('two'), new GoodUpstream('three')]
  for (const server of servers) await server.listen()
  let sick = true
  servers[1]!.answer = (request, response) => {
    response.statusCode = request.url === '/health' && sick ? 500 : 200
    response.end('two')
  }
  const check: HealthCheck = {
    ...CHECK,
    check: {
      kind: 'http',
      path: '/health',
      addHeaders: [],
      removeHeaders: [],
      expectedStatuses: [{ min: 200, max: 299 }],
    },
  }
  const port = await apply(
    1,
    servers.map((server) => server.port),
    check,
    'http1',
  )
  const version = async (): Promise<string | null> =>
    (await fetch(`http://127.0.0.1:${port}/x`)).headers.get('x-version')
  await eventually(async () => (await version()) !== 'two', 30)
  sick = false
  await eventually(async () => (await version()) === 'two', 1)
  const series = await gateway.collect()
  assert.ok(series.length > 0)
  await servers[2]!.close()
  await eventually(async () => (await fetch(`http://127.0.0.1:${port}/x`)).status === 200, 30)
  await Promise.all(servers.slice(0, 2).map((server) => server.close()))
})

test('gRPC’s own health service is asked', async () => {
  const definition = loadSync(resolve(import.meta.dirname, '../../test/support/grpc-health.proto'), { enums: Number })
  const loaded = grpc.loadPackageDefinition(definition) as unknown as {
    grpc: { health: { v1: { Health: grpc.ServiceClientConstructor } } }
  }
  const asked: string[] = []
  let serving = 1
  const server = new grpc.Server()
  server.addService(loaded.grpc.health.v1.Health.service, {
    Check: (
      call: grpc.ServerUnaryCall<{ service: string }, { status: number }>,
      done: grpc.sendUnaryData<{ status: number }>,
    ) => {
      asked.push(call.request.service)
      done(null, { status: serving })
    },
  })
  const port = await new Promise<number>((done, fail) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? fail(error) : done(bound),
    )
  })
  const other = http2.createServer()
  let others = 0
  other.on('stream', (stream) => {
    others++
    stream.respond({ ':status': 200 })
    stream.end()
  })
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done))
  const check: HealthCheck = { ...CHECK, check: { kind: 'grpc', service: 'echo.Echo' } }
  const address = other.address() as { readonly port: number }
  const listening = await apply(2, [port, address.port], check, 'http2')
  await eventually(async () => Promise.resolve(asked.includes('echo.Echo')), 1)
  // The other endpoint speaks no health protocol: it is out, and gets nothing but checks.
  const isGrpc = async (): Promise<boolean> => {
    const response = await fetch(`http://127.0.0.1:${listening}/x`, { method: 'POST' })
    await response.arrayBuffer()
    // A gRPC server takes nothing that is no gRPC.
    return response.status === 415
  }
  await eventually(isGrpc, 20)
  assert.ok(others > 0)
  serving = 2
  const before = asked.length
  await eventually(async () => Promise.resolve(asked.length > before + 2), 1)
  server.forceShutdown()
  other.close()
})
