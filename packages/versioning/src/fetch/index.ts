/** `@serin/versioning/fetch`: versioned routes for anything that takes a `fetch` function. No dependencies. */

export * from '../core/index.ts'
export type { RouteMarks } from '../web/entry.ts'
export {
  versioned,
  type FetchHandler,
  type FetchOptions,
  type RouteBuilder,
  type RouteContext,
  type VersionedApi,
} from './versioned.ts'
