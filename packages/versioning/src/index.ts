/** `@serin/versioning`: API versioning for Fastify. The other parts have their own doors: `/core`, `/hono`, `/fetch`, `/decorators`, `/openapi`. */

export * from './core/index.ts'
export type { DocsHook, DocsOptions, UsageOptions, VersionedOptions } from './fastify/options.ts'
export { specs } from './fastify/specs.ts'
export { versionUsage, type ScopeChoice } from './fastify/registry.ts'
export { versioned, type VersionedRoutes } from './fastify/versioned.ts'
export type { OpenApiDocument } from './openapi/document.ts'
