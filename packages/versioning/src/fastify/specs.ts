/** The OpenAPI documents of an app, for code. */

import type { FastifyInstance } from 'fastify'
import type { OpenApiDocument } from '../openapi/document.ts'
import { findScope, type ScopeChoice } from './registry.ts'

/** The documents of all versions of an app, by version (`'1'`, `'1.10'`): for tests, generators, `breakingChanges`. Waits until the app is ready. */
export async function specs(
  app: FastifyInstance,
  choice: ScopeChoice = {},
): Promise<Readonly<Record<string, OpenApiDocument>>> {
  const { plan } = await findScope(app, choice)
  const { makeDocuments } = await import('./documents.ts')
  return makeDocuments(plan)
}
