/** A process with a gateway in it, to be killed: `node lonely-supervisor.js UPSTREAM-PORT`. */
import { startGateway } from '../../src/gateway/supervisor.ts'
import { cluster, forward, route, snapshot } from './gateway-fixture.ts'

const gateway = await startGateway({ workers: 2 })
const applied = await gateway.apply(
  snapshot(1, {
    routes: [route('all', { kind: 'prefix', value: '/' }, forward('up', { timeoutMs: 0 }))],
    clusters: [cluster('up', [Number(process.argv[2])])],
  }),
)
console.log(JSON.stringify({ port: applied.listening[0]!.port, pids: gateway.status().map(({ pid }) => pid) }))
