/** Child process: serin's store and API. Arguments: directory, token. Says `{ port, ca }` when it listens. */
import { join } from 'node:path'
import { certificatesIn } from '../../packages/serin/dist/src/api/certificates.js'
import { startApi } from '../../packages/serin/dist/src/api/server.js'
import { openEmbeddedStore } from '../../packages/serin/dist/src/store/embedded.js'

const [, , directory, token] = process.argv
const store = openEmbeddedStore({ directory: join(directory, 'store') })
const tls = certificatesIn(join(directory, 'tls'), [])
const api = await startApi({
  store,
  listen: { host: '127.0.0.1', port: 0 },
  tls,
  tokens: [{ token, user: 'admin', role: 'admin' }],
})
process.stdout.write(`${JSON.stringify({ port: api.address.port, ca: tls.authority })}\n`)
process.on('SIGTERM', () => {
  void stop() // its end is the end of the process
})

async function stop() {
  await api.close()
  await store.close()
  process.exit(0)
}
