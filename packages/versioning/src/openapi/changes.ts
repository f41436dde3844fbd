/** What differs between two documents of an API, seen by a client of the older one. */

/**
 * `breaking`: some client that kept to the old document will fail. `warning`: a careful client goes on working, a strict one may not.
 * `addition`: nothing to worry about.
 */
export type ChangeLevel = 'breaking' | 'warning' | 'addition'

/** Everything that is found, in the order of `docs/reference/versioning-diff.md`. */
export const specChangeCodes = [
  'operation-removed',
  'operation-added',
  'operation-deprecated',
  'parameter-removed',
  'parameter-required',
  'parameter-added',
  'body-removed',
  'body-required',
  'body-added',
  'status-removed',
  'status-added',
  'media-type-removed',
  'media-type-added',
  'header-removed',
  'security-added',
  'property-removed',
  'property-required',
  'property-optional',
  'property-added',
  'properties-closed',
  'type-changed',
  'type-widened',
  'enum-narrowed',
  'enum-widened',
  'format-changed',
  'constraint-tightened',
  'alternative-removed',
  'alternative-added',
] as const

export type SpecChangeCode = (typeof specChangeCodes)[number]

export interface SpecChange {
  readonly level: ChangeLevel
  readonly code: SpecChangeCode
  /** `GET /items/{id}`, as the old document calls it (the new one for an addition). */
  readonly operation: string
  /** Inside the operation: `response 200, items[].price`; empty for the operation itself. */
  readonly where: string
  /** A sentence for people. */
  readonly message: string
}

/** One line for each change: `breaking  GET /items/{id}  response 200, price: the property was removed`. */
export function printChanges(changes: readonly SpecChange[]): string {
  const lines = changes.map(
    ({ level, operation, where, message }) =>
      `${level.padEnd(8)}  ${operation}  ${where === '' ? '' : `${where}: `}${message}\n`,
  )
  return lines.join('')
}
