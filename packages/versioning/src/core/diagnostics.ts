/** What is wrong with a description of an API, found when it starts: all of it at once, each with its place. Pure. */

/** Where something was written. */
export interface Origin {
  readonly file: string
  readonly line: number
  readonly column: number
}

export interface Diagnostic {
  /** An `error` keeps the API from starting, a `warning` is logged. */
  readonly severity: 'error' | 'warning'
  readonly code: DiagnosticCode
  /** What was found, what was expected, and what to write instead: full sentences without the place. */
  readonly message: string
  /** The route, as `GET /items/:id`, if it is about one. */
  readonly route?: string
  readonly origin?: Origin
}

/** Every mistake that is looked for, in the order of `docs/reference/versioning-errors.md`. */
export const diagnosticCodes = [
  'not-a-version',
  'mixed-schemes',
  'unknown-version',
  'duplicate-route',
  'same-address',
  'override-of-nothing',
  'unreachable-route',
  'resurfacing-route',
  'unversioned-route',
  'bad-template',
  'latest-of-nothing',
  'sunset-before-deprecation',
  'bad-lifecycle',
  'bad-change',
  'bad-reader',
  'route-refused',
] as const

export type DiagnosticCode = (typeof diagnosticCodes)[number]

/** Thrown at start when at least one diagnostic is an error. `message` lists them all. */
export class VersioningError extends Error {
  override readonly name = 'VersioningError'
  readonly code = 'SERIN_VERSIONING'
  readonly diagnostics: readonly Diagnostic[]

  constructor(diagnostics: readonly Diagnostic[]) {
    const count = diagnostics.length === 1 ? '1 mistake' : `${diagnostics.length} mistakes`
    super(`${count} in the versions of this API\n${diagnostics.map(printDiagnostic).join('\n')}`)
    this.diagnostics = diagnostics
  }
}

/** `  src/app.ts:12:7  GET /items/:id  duplicate-route: …`. */
function printDiagnostic(diagnostic: Diagnostic): string {
  const place = diagnostic.origin === undefined ? '' : `${printOrigin(diagnostic.origin)}  `
  const route = diagnostic.route === undefined ? '' : `${diagnostic.route}  `
  return `  ${place}${route}${diagnostic.code}: ${diagnostic.message}`
}

function printOrigin(origin: Origin): string {
  return `${origin.file}:${origin.line}:${origin.column}`
}

/** Throws a {@link VersioningError} of the errors; returns the warnings. */
export function throwErrors(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error')
  if (errors.length > 0) throw new VersioningError(errors)
  return diagnostics.filter((diagnostic) => diagnostic.severity === 'warning')
}
