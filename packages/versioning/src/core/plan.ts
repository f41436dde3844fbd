/** Everything about an API that is known once its routes are: which version serves what, where, and since when. Pure. */

import { addressesOf, latestOf, type Address } from './address.ts'
import { lifecycleOf, previewsOf, readCatalogue, type Catalogue, type VersionsOption } from './catalogue.ts'
import { throwErrors, type Diagnostic } from './diagnostics.ts'
import type { MatchMode } from './match.ts'
import { checkChanges, orderChanges, type Change } from './migrations.ts'
import { compileNegotiation, type MissingRule, type Negotiation } from './negotiate.ts'
import type { ProblemOptions } from './problems.ts'
import type { Reader } from './readers.ts'
import type { DefaultInput, KnownVersion } from './register.ts'
import { pathShape, type PathRules } from './shape.ts'
import { compileTable, type Declaration, type Removal, type Table } from './table.ts'
import {
  compareVersions,
  isNotAVersion,
  knownPlaceholders,
  parseVersion,
  unknownPlaceholders,
  type Version,
} from './version.ts'

/** What every adapter takes. */
export interface ApiOptions {
  /** Name of the API in its documents. Default `API`. */
  readonly title?: string
  readonly description?: string
  /** How a version is written in documents: a template, see `formatVersion` for the placeholders. Default `{version}`. */
  readonly label?: string
  /**
   * Where a version stands in the URL: a template such as `/v{major}`, after the prefix that the API is mounted at. `''`: nowhere, for an
   * API with one version. `false`: versions have no URL, clients name them as `read` says. Default `/v{version}`, or `false` if there is `read`.
   */
  readonly path?: string | false
  /** An address for the newest version that is no preview: `true` is `/latest`, a string is that path (`''`: no prefix). Default `false`. */
  readonly latest?: boolean | string
  /** All versions there are, as a list or as a table with their lifecycle. Without it, every version that a route names is one. */
  readonly versions?: VersionsOption
  /**
   * The version of routes without `version`. It exists even if no route has it. `'neutral'`: they have none; `'error'`: each route has to name one.
   * Default: the oldest of `versions`; without `versions` 1, or the oldest date where versions are dates.
   */
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
  /** Milliseconds since 1970: what sunsets and brownouts go by. Default `Date.now`. */
  readonly clock?: () => number
}

export interface ApiPlan<Payload> {
  readonly options: ApiOptions
  readonly rules: PathRules
  readonly table: Table<Payload>
  readonly catalogue: Catalogue
  readonly previews: ReadonlySet<string>
  readonly latest: Version | undefined
  readonly addresses: readonly Address[]
  readonly readers: readonly Reader[]
  readonly negotiation: Negotiation | undefined
  readonly changes: readonly Change[]
  /** The newest version that each declaration serves: what its handler speaks. */
  readonly heads: ReadonlyMap<Declaration<Payload>, Version>
  readonly clock: () => number
  /** What is odd, but not wrong. */
  readonly warnings: readonly Diagnostic[]
}

/** Works it all out. Throws a `VersioningError` with every mistake. */
export function makeApiPlan<Payload>(
  declarations: readonly Declaration<Payload>[],
  options: ApiOptions,
  rules: PathRules,
): ApiPlan<Payload> {
  const catalogue = readCatalogue(options.versions)
  const { table, diagnostics } = compileTable(declarations, {
    versions: catalogue.declared,
    default: options.default,
    removals: removalsOf(options, rules),
  })
  const previews = previewsOf(catalogue, table.versions)
  const latest = latestOf(table.versions, previews)
  const readers = options.read === undefined ? [] : ([options.read].flat() as readonly Reader[])
  const changes = orderChanges(options.changes ?? [])
  const placed = placeVersions(table.versions, options, previews)
  const shared = readers.length === 0 ? [] : neutralTwins(table)
  const found = [
    catalogue.diagnostics,
    diagnostics,
    placed.diagnostics,
    readerProblems(readers, options),
    labelProblems(table.versions, options),
    checkChanges(changes, table.versions),
    shared,
  ]
  return {
    options,
    rules,
    table,
    catalogue,
    previews,
    latest,
    addresses: placed.addresses,
    readers,
    negotiation: readers.length === 0 ? undefined : negotiationOf(options, { readers, table, previews, latest }),
    changes,
    heads: headsOf(table),
    clock: options.clock ?? Date.now,
    warnings: throwErrors(found.flat()),
  }
}

/** The versions that a list of supported ones names, with those that are deprecated now. */
export function supportedVersions({
  table,
  catalogue,
  clock,
}: Pick<ApiPlan<unknown>, 'table' | 'catalogue' | 'clock'>): {
  readonly supported: readonly string[]
  readonly deprecated: readonly string[]
} {
  const now = clock()
  const isOld = (version: Version): boolean => {
    const { deprecatedMs } = lifecycleOf(catalogue, version)
    return deprecatedMs !== undefined && deprecatedMs <= now
  }
  return {
    supported: table.versions.filter((version) => !isOld(version)).map((version) => version.text),
    deprecated: table.versions.filter(isOld).map((version) => version.text),
  }
}

function removalsOf({ remove }: ApiOptions, rules: PathRules): readonly Removal[] {
  return (remove ?? []).map(({ method, url, version }) => ({
    method: method.toUpperCase(),
    path: url,
    shape: pathShape(url, rules),
    version,
  }))
}

function placeVersions(
  versions: readonly Version[],
  options: ApiOptions,
  previews: ReadonlySet<string>,
): ReturnType<typeof addressesOf> {
  const path = options.path ?? (options.read === undefined ? '/v{version}' : false)
  const latest = options.latest ?? false
  if (path !== false) return addressesOf(versions, { path, latest, previews })
  if (options.read !== undefined) return { addresses: [], diagnostics: [] }
  const message = `'path' is false and there is no 'read', so no request could name a version`
  return { addresses: [], diagnostics: [{ severity: 'error', code: 'bad-reader', message } satisfies Diagnostic] }
}

function labelProblems(versions: readonly Version[], { label = '' }: ApiOptions): readonly Diagnostic[] {
  const scheme = versions[0]?.scheme ?? 'number'
  const unknown = unknownPlaceholders(label, scheme)
  return unknown.map((name) => {
    const message = `'label' holds {${name}}; known are ${knownPlaceholders(scheme)}`
    return { severity: 'error', code: 'bad-template', message }
  })
}

function readerProblems(readers: readonly Reader[], options: ApiOptions): readonly Diagnostic[] {
  const messages: string[] = []
  if (options.read !== undefined && readers.length === 0)
    messages.push(`'read' is an empty list, so no request could name a version`)
  if (options.read === undefined && options.missing !== undefined)
    messages.push(`'missing' says what a request without a version gets, but there is no 'read'`)
  if (options.read === undefined && options.match !== undefined)
    messages.push(`'match' says how an asked version is found, but there is no 'read'`)
  const names = readers.map((reader) => reader.name)
  for (const name of new Set(names.filter((item, index) => names.indexOf(item) !== index)))
    messages.push(`'read' holds ${name} twice`)
  return messages.map((message) => ({ severity: 'error', code: 'bad-reader', message }))
}

/** Where a version does not stand in the URL, a neutral route and a versioned one of the same path have one address. */
function neutralTwins(table: Table<unknown>): readonly Diagnostic[] {
  const versioned = new Map([...table.served.values()].flat().map((item) => [`${item.method} ${item.shape}`, item]))
  return table.neutral.flatMap(({ method, shape, path, origin }) => {
    if (!versioned.has(`${method} ${shape}`)) return []
    const message = `this neutral route has the address of a route with versions, and without a version in the URL nothing tells them apart`
    return [
      {
        severity: 'error',
        code: 'duplicate-route',
        message,
        route: `${method} ${path}`,
        ...(origin === undefined ? {} : { origin }),
      } satisfies Diagnostic,
    ]
  })
}

function negotiationOf(
  options: ApiOptions,
  known: Pick<ApiPlan<unknown>, 'readers' | 'table' | 'previews' | 'latest'>,
): Negotiation {
  const { readers, table, previews, latest } = known
  const parsed = parseVersion(options.default ?? 1)
  const named = isNotAVersion(parsed) ? undefined : table.versions.find((version) => version.text === parsed.text)
  return compileNegotiation({
    readers,
    match: options.match ?? 'exact',
    missing: options.missing ?? 'error',
    versions: table.versions,
    previews,
    latest,
    fallback: named ?? table.versions[0],
    problems: options.problems ?? {},
  })
}

function headsOf<Payload>(table: Table<Payload>): ReadonlyMap<Declaration<Payload>, Version> {
  const heads = new Map<Declaration<Payload>, Version>()
  for (const version of table.versions) {
    for (const declaration of table.served.get(version.text) ?? []) {
      const before = heads.get(declaration)
      if (before === undefined || compareVersions(before, version) < 0) heads.set(declaration, version)
    }
  }
  return heads
}
