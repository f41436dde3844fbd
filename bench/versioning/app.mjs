/** One app of the comparison, in a process of its own: `node app.mjs KIND ROUTES`. Tells its port, and its CPU time when asked. */

import { header, versioned } from '@serin/versioning'
import { fastify } from 'fastify'

const routesMax = Number(process.argv[3])
const versions = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
const answer = {
  type: 'object',
  properties: { id: { type: 'string' }, name: { type: 'string' }, version: { type: 'integer' } },
}
const options = { schema: { response: { 200: answer } } }

/** Route `/items<n>/:id` of a version; the handler is the same work everywhere. */
function handlerOf(version) {
  return (request) => ({ id: request.params.id, name: 'pen', version })
}

const kinds = {
  /** Every version and route by hand, under its prefix. */
  'bare-url': (app) => {
    for (const version of versions) {
      for (let index = 0; index < routesMax; index++)
        app.get(`/v${version}/items${index}/:id`, options, handlerOf(version))
    }
  },
  'versioned-url': (app) => app.register(versioned(declare, { path: '/v{major}' })),
  /** One version: what a header-versioned app would cost if it had no versions. */
  'bare-plain': (app) => {
    for (let index = 0; index < routesMax; index++) app.get(`/api/items${index}/:id`, options, handlerOf(5))
  },
  'versioned-header': (app) => app.register(versioned(declare, { read: header('x-api-version') }), { prefix: '/api' }),
}

function declare(api) {
  for (const version of versions) {
    for (let index = 0; index < routesMax; index++)
      api.get(`/items${index}/:id`, { version, ...options }, handlerOf(version))
  }
}

const app = fastify()
kinds[process.argv[2]](app)
await app.listen({ port: 0, host: '127.0.0.1' })
process.on('message', () => process.send({ cpu: process.cpuUsage() }))
process.on('disconnect', () => process.exit(0))
process.send({ port: app.server.address().port })
