/** What is wrong, or worth knowing, about what a person wrote: with its place, what was expected, and a suggestion. */
import type { Origin } from '../model/origin.ts'
import type { Path } from './schema.ts'

/** error: the resource, or a part of it, is not used. warning: it is used, but probably not as meant. */
export type Severity = 'error' | 'warning' | 'note'

/** An Origin that may also say how many characters to underline. */
export interface Place extends Origin {
  readonly length?: number
}

export interface Diagnostic {
  /** Stable, kebab-case: `unknown-field`, `weights-over-100`. */
  readonly code: string
  readonly severity: Severity
  /** One sentence, without the place. */
  readonly message: string
  readonly origin: Place
  /** The field it is about, from the resource's root: `['spec', 'weight']`. */
  readonly path?: Path
  /** What would have been right. */
  readonly expected?: string
  /** What was probably meant. */
  readonly suggestion?: string
  /** More lines for the reader: what happens now, what to do. */
  readonly notes?: readonly string[]
}
