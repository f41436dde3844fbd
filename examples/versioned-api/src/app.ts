/** The shop: versions in the URL (`/v1`, `/v2`, `/latest`) and in a header (`x-api-version`), one of them deprecated, with pages at `/docs`. */

import { header, versioned } from '@serin/versioning'
import { fastify, type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { items } from './items.ts'
import { changes, versions } from './versions.ts'

export function shop(options: FastifyServerOptions = {}): FastifyInstance {
  const app = fastify(options)
  app.get('/health', () => ({ status: 'ok' }))
  app.register(
    versioned(items, {
      title: 'Shop',
      description: 'An example of an API with versions.',
      path: '/v{version}',
      latest: true,
      versions,
      changes,
      read: header('x-api-version'),
      missing: 'latest',
      report: true,
      usage: { client: (request) => String(request.headers['user-agent'] ?? 'unknown') },
      docs: true,
    }),
  )
  return app
}
