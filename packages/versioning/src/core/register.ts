/** The types of what users write as a version; they can tell the compiler which versions there are. */

import type { VersionLiteral } from './version.ts'

/**
 * Declare your versions once, and `version` is checked by the compiler everywhere:
 *
 * ```ts
 * declare module '@serin/versioning' {
 *   interface Register { versions: 1 | 2 | '2.1' }
 * }
 * ```
 */
export interface Register {}

/** The declared versions, or any number or string while none are declared. */
export type KnownVersion = Register extends { versions: infer Versions extends VersionLiteral }
  ? Versions
  : VersionLiteral

/** What `request.apiVersion` holds: the canonical text of a declared version. */
export type KnownVersionText = `${KnownVersion}`

/** From a version (included) until a version (not included). Without `until` there is no end, without `from` it begins with the first version. */
export interface VersionRange {
  readonly from?: KnownVersion
  readonly until?: KnownVersion
}

/**
 * Which versions a route serves:
 * - `2`, `'1.10'`, `'2026-01-15'`: this version and all later ones, until a route with the same method and path shape takes over;
 * - `{ from: 1, until: 3 }`: the same with an end (not included): from version 3 on it is a 404;
 * - `[1, 3]`: exactly these versions;
 * - `'neutral'`: no version at all: one address, whatever version a client asks for.
 */
export type VersionInput = KnownVersion | VersionRange | readonly KnownVersion[] | Word<'neutral'>

/** What routes without a version get: a version, no version at all, or a mistake. */
export type DefaultInput = KnownVersion | Word<'neutral' | 'error'>

/** A literal that stays visible in a union with `string`. */
type Word<Text extends string> = Text & Record<never, never>
