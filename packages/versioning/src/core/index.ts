/** `@serin/versioning/core`: everything that has nothing to do with a framework, without dependencies. */

export * from './register.ts'
export { addressesOf, latestOf, type Address, type AddressOptions } from './address.ts'
export { readCatalogue, statusOf, type Catalogue, type VersionStatus, type VersionsOption } from './catalogue.ts'
export { diagnosticCodes, VersioningError, type Diagnostic, type DiagnosticCode, type Origin } from './diagnostics.ts'
export {
  brownouts,
  lifecycleHeaders,
  refusalAt,
  type Brownout,
  type BrownoutPlan,
  type HeaderLine,
  type Lifecycle,
  type Moment,
  type RoutePolicy,
  type VersionPolicy,
} from './lifecycle.ts'
export { matcher, type MatchMode, type MatchResult } from './match.ts'
export {
  change,
  migrations,
  type Change,
  type ChangeContext,
  type ChangeDefinition,
  type ChangeSchema,
  type ChangeTarget,
  type MigrateOptions,
  type Migrations,
} from './migrations.ts'
export {
  compileNegotiation,
  type MissingRule,
  type Negotiation,
  type NegotiationInput,
  type Outcome,
  type Pin,
} from './negotiate.ts'
export {
  problem,
  problemMediaType,
  type Problem,
  type ProblemInput,
  type ProblemKind,
  type ProblemOptions,
} from './problems.ts'
export {
  accept,
  custom,
  header,
  host,
  query,
  type AcceptOptions,
  type CustomReaderOptions,
  type Reader,
  type Reading,
  type RequestSource,
} from './readers.ts'
export { pathShape, type PathRules } from './shape.ts'
export { compileTable, type Compiled, type Declaration, type Removal, type Table, type TableOptions } from './table.ts'
export { usageChannelName, usageCounter, type UsageCount, type UsageCounter, type VersionUse } from './usage.ts'
export {
  compareVersions,
  formatVersion,
  isNotAVersion,
  isPrerelease,
  parseVersion,
  version,
  type NotAVersion,
  type Version,
  type VersionLiteral,
  type VersionScheme,
} from './version.ts'
