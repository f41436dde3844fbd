/** What `versioned` takes. */

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiOptions } from '../core/plan.ts'
import type { VersionUse } from '../core/usage.ts'

export interface VersionedOptions extends ApiOptions {
  /** 405 with `Allow` instead of 404 where a version has the path with other methods. Default `false`, as Fastify does. */
  readonly methodNotAllowed?: boolean
  /** `redirect`: 307 to the spelling with or without a final slash that exists. Default `strict`, as Fastify does. */
  readonly trailingSlash?: 'strict' | 'redirect'
  /** Documents and pages. Needs `@fastify/swagger`. Default `false`. */
  readonly docs?: boolean | DocsOptions
  /** Counts who uses what; see `versionUsage`. Default `false`. */
  readonly usage?: boolean | UsageOptions
  /** Called after each answer. */
  readonly onVersionUsed?: (use: VersionUse, request: FastifyRequest) => void
}

export interface DocsOptions {
  /** The index of all versions, after the prefix of `register`. `false`: none. Default `/docs`. */
  readonly index?: string | false
  /** The page of one version, after its prefix. `false`: none. Default `/docs`. */
  readonly page?: string | false
  /** The OpenAPI document of one version, after its prefix. `false`: none. Default `/openapi.json`. */
  readonly document?: string | false
  /** The list of versions as JSON, after the prefix of `register`. `false`: none. Default `/versions`. */
  readonly versions?: string | false
  /** Hooks before all of these, to protect them. */
  readonly onRequest?: DocsHook | readonly DocsHook[]
  /** Options for `@fastify/swagger`: `{ openapi: { info, tags, components … }, transform, … }`. */
  readonly swagger?: Readonly<Record<string, unknown>>
}

/** A hook as for `app.addHook('onRequest', …)`: async, or with a callback. */
export type DocsHook = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => unknown

export interface UsageOptions {
  /** Who a client is: an API key's owner, a user agent. Runs after the answer; its names are counted up to `clientsMax`. */
  readonly client?: (request: FastifyRequest) => string
  /** Clients told apart. Default 1000; later ones are counted as `other`. */
  readonly clientsMax?: number
}
