import type { KubeObject } from '../object.ts'
import type { FieldProblem } from './problems.ts'

/** What a kind adds to the rules of all kinds. */
export interface KindRules<T extends KubeObject = KubeObject> {
  /** First of all: what is written in more than one way becomes one, what must be there is. Changes the object. */
  convert?(object: T): void
  /** After the defaults: the first status and what only the server sets. Changes the object. */
  prepareCreate?(object: T): void
  /** Before the defaults: what an update leaves out and keeps. Changes the object. */
  prepareUpdate?(object: T, current: T): void
  /** Fills in what is absent. Changes the object. */
  defaults?(object: T): void
  validate?(object: T): FieldProblem[]
  /** What may not change, besides `validate`. */
  validateUpdate?(object: T, current: T): FieldProblem[]
  /** What a write of the status may say. */
  validateStatus?(object: T): FieldProblem[]
  warnings?(object: T): string[]
  /** A change of annotations counts as a new generation. */
  readonly generation?: { readonly countsAnnotations: boolean }
}
