/** The gateway alone, without API and store: Mappings compiled in this process, given to its supervisor. One JSON object of settings on the command line. */
import { createCompiler } from '../packages/serin/dist/src/compile/compile.js'
import { startGateway } from '../packages/serin/dist/src/gateway/supervisor.js'
import { mappings } from './mappings.mjs'

const { port, upstreamPort, workers, log, routes, directory } = JSON.parse(process.argv[2])

const compiler = createCompiler()
const { snapshot, diagnostics } = compiler.compile({ objects: mappings({ port, upstreamPort, routes }) })
for (const diagnostic of diagnostics) console.error(diagnostic)

const gateway = await startGateway({ workers, bind: '127.0.0.1', ...(log && { accessLog: `${directory}/access.log` }) })
await gateway.apply(snapshot)
