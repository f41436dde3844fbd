/** `@serin/versioning/node`: versioned routes for `node:http`. No dependencies. */

export * from '../fetch/index.ts'
export { listener, type NodeListener } from './listener.ts'
