/**
 * How long it takes from changed resources to a Plan that every worker serves. Prints `ready`, and on a line from standard
 * input begins: 5,000 Mappings at once from nothing, then one of them changed, again and again. Prints the times as JSON.
 */
import { createCompiler } from '../packages/serin/dist/src/compile/compile.js'
import { startGateway } from '../packages/serin/dist/src/gateway/supervisor.js'
import { mappings } from './mappings.mjs'

const { port, upstreamPort, workers, routes, changes } = JSON.parse(process.argv[2])
const PAUSE_MS = 20

const compiler = createCompiler()
const gateway = await startGateway({ workers, bind: '127.0.0.1' })
await apply(mappings({ port, upstreamPort, routes: 1 }))
console.log('ready')
await new Promise((resolve) => process.stdin.once('data', resolve))

const objects = mappings({ port, upstreamPort, routes })
const whole = await apply(objects)
const one = []
for (let change = 0; change < changes; change++) {
  const index = objects.findLastIndex(({ kind }) => kind === 'Mapping') - (change % routes)
  const object = objects[index]
  objects[index] = { ...object, spec: { ...object.spec, rewrite: `/changed-${change}/` } }
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  one.push(await apply([...objects]))
}
console.log(JSON.stringify({ whole, one }))

async function apply(list) {
  const start = performance.now()
  const { snapshot } = compiler.compile({ objects: list })
  const compiled = performance.now()
  await gateway.apply(snapshot)
  return { compileMs: compiled - start, applyMs: performance.now() - compiled }
}
