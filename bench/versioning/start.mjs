/** How long 200 routes in 10 versions take until the app is ready, in a fresh process: `node start.mjs hand|versioned`. Prints milliseconds. */

import { versioned } from '@serin/versioning'
import { fastify } from 'fastify'

const routesMax = 200
const versionsMax = 10
const schema = () => ({
  params: { type: 'object', properties: { id: { type: 'string' } } },
  response: { 200: { type: 'object', properties: { id: { type: 'string' }, name: { type: 'string' } } } },
})
const handler = (request) => ({ id: request.params.id, name: 'pen' })
const range = (count) => Array.from({ length: count }, (_, index) => index + 1)
const routes = range(routesMax).map((index) => ({ url: `/items${index}/:id`, schema: schema() }))

const kinds = {
  hand: (app) => {
    app.register(async (api) => {
      for (const version of range(versionsMax))
        routes.forEach(({ url, schema: own }) => api.get(`/v${version}${url}`, { schema: own }, handler))
    })
  },
  versioned: (app) => {
    app.register(
      versioned((api) => routes.forEach(({ url, schema: own }) => api.get(url, { version: 1, schema: own }, handler)), {
        versions: range(versionsMax),
      }),
    )
  },
}

const begun = performance.now()
const app = fastify()
kinds[process.argv[2]](app)
await app.ready()
process.stdout.write(String(performance.now() - begun))
const answer = await app.inject(`/v${versionsMax}/items${routesMax}/7`)
if (answer.statusCode !== 200) throw new Error(answer.body)
