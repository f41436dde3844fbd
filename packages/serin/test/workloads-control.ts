import { join } from 'node:path'
import { openEmbeddedStore } from '../src/store/embedded.ts'
import { startWorkloads } from '../src/workloads/workloads.ts'

/**
 * A control process to be killed: `node workloads-control.js DIRECTORY`. Says `ready` on its output; ends, with its pods, on SIGTERM; on SIGUSR2
 * without them.
 */
const directory = process.argv[2] ?? ''
const store = openEmbeddedStore({ directory: join(directory, 'store') })
const workloads = await startWorkloads({
  store,
  directory: join(directory, 'pods'),
  imagesFile: join(directory, 'images.json'),
  runtime: 'process',
})
for (const [signal, keepPods] of [
  ['SIGTERM', false],
  ['SIGUSR2', true],
] as const) {
  process.once(signal, () => {
    void workloads
      .stop({ keepPods })
      .then(() => store.close())
      .then(() => process.exit(0))
  })
}
console.log('ready')
