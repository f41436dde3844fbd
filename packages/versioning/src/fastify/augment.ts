/** What this library adds to Fastify's own types. Importing any Fastify part of it brings them along. */

import type { Moment } from '../core/lifecycle.ts'
import type { KnownVersionText, VersionInput } from '../core/register.ts'

declare module 'fastify' {
  interface RouteShorthandOptions {
    /** Which versions this route serves; see {@link VersionInput}. Without it: the `default` version. */
    version?: VersionInput
    /** States that this route replaces one of an older version; if there is none, the API does not start. */
    overrides?: boolean
    /** Since when clients should no longer use this route, in the versions it serves. Goes before the version's own date. */
    deprecated?: Moment
    /** When this route is expected to stop answering. */
    sunset?: Moment
    /** A page that says what to do instead. */
    info?: string
    /** `'gone'`: 410 once `sunset` has passed. */
    afterSunset?: 'gone' | 'serve'
  }
  interface FastifyContextConfig {
    /** The version that a copy of a route serves, if it serves one only. */
    apiVersion?: KnownVersionText
  }
  interface FastifyRequest {
    /** The version that serves this request, as canonical text (`2`, `1.10`); undefined on neutral and unversioned routes. */
    readonly apiVersion: KnownVersionText | undefined
  }
}
