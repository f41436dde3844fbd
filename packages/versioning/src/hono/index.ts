/** `@serin/versioning/hono`: versioned routes for Hono. */

export * from '../core/index.ts'
export type { RouteMarks } from '../web/entry.ts'
export { version } from './collect.ts'
export { versioned } from './versioned.ts'
