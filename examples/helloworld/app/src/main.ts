/**
 * Hello World in two versions. What a pod of the helloworld example runs.
 *
 * Environment: `PORT` (8000), `HOST` (0.0.0.0), `POD_NAME` or `HOSTNAME` (told in `x-served-by`), and `STOP=abrupt` for a program that
 * exits at once when it is told to stop, as many do.
 */

import { versioned } from '@serin/versioning'
import { fastify } from 'fastify'

const { HOST = '0.0.0.0', PORT = '8000', POD_NAME, HOSTNAME, STOP } = process.env

// While it stops, the app answers what still arrives on open connections (and closes them) instead of refusing it with 503.
const app = fastify({ return503OnClosing: false })

const servedBy = POD_NAME ?? HOSTNAME ?? `pid-${process.pid}`
app.addHook('onRequest', (_request, reply, done) => {
  reply.header('x-served-by', servedBy)
  done()
})

app.get('/health', () => ({ status: 'ok' }))

app.register(
  versioned(
    (api) => {
      api.get('/', { version: 1 }, () => ({ message: 'Hello World' }))
      api.get('/', { version: 2 }, () => ({ message: 'Greetings, Planet!' }))
    },
    { label: '{major}', path: '/v{major}', latest: true },
  ),
)

/** Finishes the requests in flight, then leaves. */
async function stop(): Promise<void> {
  if (STOP === 'abrupt') process.exit(0)
  await app.close()
  process.exit(0)
}

process.once('SIGTERM', () => void stop())
process.once('SIGINT', () => void stop())

try {
  console.log(`helloworld listens on ${await app.listen({ host: HOST, port: Number(PORT) })}`)
} catch (error) {
  console.error(`helloworld cannot listen on ${HOST}:${PORT}: ${(error as Error).message}`)
  process.exit(1)
}
