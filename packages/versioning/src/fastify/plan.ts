/** Everything about a versioned scope that is known once its routes are: which version serves what, where, and since when. */

import type { FastifyInstance } from 'fastify'
import { addressesOf, latestOf, type Address } from '../core/address.ts'
import { lifecycleOf, previewsOf, readCatalogue, type Catalogue } from '../core/catalogue.ts'
import { throwErrors, type Diagnostic } from '../core/diagnostics.ts'
import { checkChanges, orderChanges, type Change } from '../core/migrations.ts'
import { compileNegotiation, type Negotiation } from '../core/negotiate.ts'
import type { Reader } from '../core/readers.ts'
import { pathShape, type PathRules } from '../core/shape.ts'
import { compileTable, type Declaration, type Removal, type Table } from '../core/table.ts'
import { compareVersions, isNotAVersion, parseVersion, type Version } from '../core/version.ts'
import type { Collector } from './collect.ts'
import type { VersionedOptions } from './options.ts'
import { declare, type Placed } from './placement.ts'

export interface Plan {
  readonly scope: FastifyInstance
  /** The prefix of the scope, without a final slash. */
  readonly base: string
  readonly options: VersionedOptions
  readonly collector: Collector
  readonly rules: PathRules
  readonly table: Table<Placed>
  readonly catalogue: Catalogue
  readonly previews: ReadonlySet<string>
  readonly latest: Version | undefined
  readonly addresses: readonly Address[]
  readonly readers: readonly Reader[]
  readonly negotiation: Negotiation | undefined
  readonly changes: readonly Change[]
  /** The newest version that each declaration serves: what its handler speaks. */
  readonly heads: ReadonlyMap<Declaration<Placed>, Version>
  readonly clock: () => number
}

/** Works it all out. Throws a `VersioningError` with every mistake; logs what is only odd. */
export function makePlan(scope: FastifyInstance, collector: Collector, options: VersionedOptions): Plan {
  const rules = pathRules(scope)
  const catalogue = readCatalogue(options.versions)
  const declarations = collector.routes.flatMap((route) => declare(route, nestedPrefix(scope, route.instance), rules))
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
  const problems = [
    ...catalogue.diagnostics,
    ...diagnostics,
    ...placed.diagnostics,
    ...readerProblems(readers, options),
    ...checkChanges(changes, table.versions),
  ]
  for (const warning of throwErrors(problems)) scope.log.warn({ diagnostic: warning }, warning.message)
  return {
    scope,
    base: scope.prefix.replace(/\/$/, ''),
    options,
    collector,
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
  }
}

/** The prefixes between the versioned scope and an instance inside it: `/users`, or ``. */
export function nestedPrefix(scope: FastifyInstance, instance: FastifyInstance): string {
  const nested = instance.prefix.slice(scope.prefix.length)
  return nested === '' || nested.startsWith('/') ? nested : `/${nested}`
}

/** The versions that a list of supported ones names, with those that are deprecated now. */
export function supportedVersions({ table, catalogue, clock }: Pick<Plan, 'table' | 'catalogue' | 'clock'>): {
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

function pathRules(scope: FastifyInstance): PathRules {
  const initial = scope.initialConfig as Partial<PathRules> & { routerOptions?: Partial<PathRules> }
  const rule = (name: keyof PathRules, fallback: boolean): boolean =>
    initial.routerOptions?.[name] ?? initial[name] ?? fallback
  return {
    caseSensitive: rule('caseSensitive', true),
    ignoreTrailingSlash: rule('ignoreTrailingSlash', false),
    ignoreDuplicateSlashes: rule('ignoreDuplicateSlashes', false),
  }
}

function removalsOf({ remove }: VersionedOptions, rules: PathRules): readonly Removal[] {
  return (remove ?? []).flatMap(({ method, url, version }) => {
    const paths = url === '/' ? ['', '/'] : [url]
    return paths.map((path) => ({
      method: method.toUpperCase(),
      path: path || '/',
      shape: pathShape(path, rules),
      version,
    }))
  })
}

function placeVersions(versions: readonly Version[], options: VersionedOptions, previews: ReadonlySet<string>) {
  const path = options.path ?? (options.read === undefined ? '/v{version}' : false)
  const latest = options.latest ?? false
  if (path !== false) return addressesOf(versions, { path, latest, previews })
  if (options.read !== undefined) return { addresses: [], diagnostics: [] }
  const message = `'path' is false and there is no 'read', so no request could name a version`
  return { addresses: [], diagnostics: [{ severity: 'error', code: 'bad-reader', message } satisfies Diagnostic] }
}

function readerProblems(readers: readonly Reader[], options: VersionedOptions): readonly Diagnostic[] {
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

function negotiationOf(
  options: VersionedOptions,
  known: Pick<Plan, 'readers' | 'table' | 'previews' | 'latest'>,
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

function headsOf(table: Table<Placed>): ReadonlyMap<Declaration<Placed>, Version> {
  const heads = new Map<Declaration<Placed>, Version>()
  for (const version of table.versions) {
    for (const declaration of table.served.get(version.text) ?? []) {
      const before = heads.get(declaration)
      if (before === undefined || compareVersions(before, version) < 0) heads.set(declaration, version)
    }
  }
  return heads
}
