/** What `versioned` takes. */

import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import type { VersionsOption } from '../core/catalogue.ts'
import type { MatchMode } from '../core/match.ts'
import type { Change } from '../core/migrations.ts'
import type { MissingRule } from '../core/negotiate.ts'
import type { ProblemOptions } from '../core/problems.ts'
import type { Reader } from '../core/readers.ts'
import type { KnownVersion, DefaultInput } from '../core/register.ts'
import type { VersionUse } from '../core/usage.ts'

export interface VersionedOptions {
  /** Name of the API in its documents. Default `API`. */
  readonly title?: string
  readonly description?: string
  /** How a version is written in documents: a template, see `formatVersion` for the placeholders. Default `{version}`. */
  readonly label?: string
  /**
   * Where a version stands in the URL: a template such as `/v{major}`, after the prefix of `register`. `''`: nowhere, for an API with one
   * version. `false`: versions have no URL, clients name them as `read` says. Default `/v{version}`, or `false` if there is `read`.
   */
  readonly path?: string | false
  /** An address for the newest version that is no preview: `true` is `/latest`, a string is that path (`''`: no prefix). Default `false`. */
  readonly latest?: boolean | string
  /** All versions there are, as a list or as a table with their lifecycle. Without it, every version that a route names is one. */
  readonly versions?: VersionsOption
  /** The version of routes without `version`. It exists even if no route has it. Default 1, or the oldest date where versions are dates. */
  readonly default?: DefaultInput
  /** Routes that end: gone from `version` on. For routes that are not yours to mark; otherwise `{ from, until }` says it. */
  readonly remove?: readonly { readonly method: string; readonly url: string; readonly version: KnownVersion }[]

  /** Where a request without a version in its URL names it: `header('x-api-version')`, `query()`, `accept({ vendor })`, `host(…)`, `custom(…)`. */
  readonly read?: Reader | readonly Reader[]
  /** How an asked version finds one there is. Default `exact`. */
  readonly match?: MatchMode
  /** What a request gets that names none: `default`, `latest`, `oldest`, `error` (400), or a function (a customer's pinned version). Default `error`. */
  readonly missing?: MissingRule
  /** Header that says which version answered. Default `true` for negotiated answers: the first header that `read` names, or `api-version`. */
  readonly echo?: boolean | string
  /** `api-supported-versions` and `api-deprecated-versions` on every answer. Default `false`. */
  readonly report?: boolean
  /** Statuses and types of problem documents. */
  readonly problems?: ProblemOptions

  /** Translations between versions: write the newest only. See `change`. */
  readonly changes?: readonly Change[]

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
  /** Milliseconds since 1970: what sunsets and brownouts go by. Default `Date.now`. */
  readonly clock?: () => number
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
  readonly onRequest?: onRequestHookHandler | readonly onRequestHookHandler[]
  /** Options for `@fastify/swagger`: `{ openapi: { info, tags, components … }, transform, … }`. */
  readonly swagger?: Readonly<Record<string, unknown>>
}

export interface UsageOptions {
  /** Who a client is: an API key's owner, a user agent. Runs after the answer; its names are counted up to `clientsMax`. */
  readonly client?: (request: FastifyRequest) => string
  /** Clients told apart. Default 1000; later ones are counted as `other`. */
  readonly clientsMax?: number
}
