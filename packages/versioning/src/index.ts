/** `@serin/versioning`: API versioning for Fastify. The other parts have their own doors: `/core`, `/hono`, `/fetch`, `/decorators`. */

export * from './core/register.ts'
export { VersioningError, type Diagnostic, type DiagnosticCode, type Origin } from './core/diagnostics.ts'
export type { VersionLiteral } from './core/version.ts'
export type { VersionedOptions } from './fastify/options.ts'
export { versioned, type VersionedRoutes } from './fastify/versioned.ts'
