/** Reads the objects of one kind, each once, and falls back to the last version that could be read. */
import type { Diagnostic } from '../resources/diagnostic.ts'
import type { Kind } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { keyOf, originOf, Report } from './report.ts'

interface Reading<P> {
  readonly object: KubeObject
  readonly plan: P | undefined
  readonly diagnostics: readonly Diagnostic[]
  /** The newest plan without an error. */
  readonly good: P | undefined
}

export interface ReadResult<P> {
  readonly plans: readonly P[]
  readonly diagnostics: readonly Diagnostic[]
}

export class Reader<P, C> {
  readonly #kind: Kind
  readonly #read: (object: KubeObject, context: C, report: Report) => P | undefined
  #readings = new Map<string, Reading<P>>()
  #context: C | undefined

  /** `read` gives undefined where an object cannot be used, and says why in the report. */
  constructor(kind: Kind, read: (object: KubeObject, context: C, report: Report) => P | undefined) {
    this.#kind = kind
    this.#read = read
  }

  /** In the order given. A new context reads all anew. */
  read(objects: readonly KubeObject[], context: C): ReadResult<P> {
    const next = new Map<string, Reading<P>>()
    const plans: P[] = []
    const diagnostics: Diagnostic[] = []
    for (const object of objects) {
      const key = keyOf(object)
      const before = this.#readings.get(key)
      const fresh = before?.object !== object || this.#context !== context
      const reading = fresh ? this.#readOne(object, context, before?.good) : before
      next.set(key, reading)
      const plan = reading.plan ?? reading.good
      if (plan !== undefined) plans.push(plan)
      for (const diagnostic of reading.diagnostics) diagnostics.push(diagnostic)
    }
    this.#readings = next
    this.#context = context
    return { plans, diagnostics }
  }

  #readOne(object: KubeObject, context: C, good: P | undefined): Reading<P> {
    const report = new Report(originOf(object))
    const plan = this.#read(object, context, report)
    if (plan !== undefined && !report.failed) return { object, plan, diagnostics: report.diagnostics, good: plan }
    const note =
      good === undefined
        ? `this ${this.#kind.kind} is not used`
        : `the last good version of this ${this.#kind.kind} keeps serving`
    const diagnostics = report.diagnostics.map((diagnostic) =>
      diagnostic.severity === 'error' ? { ...diagnostic, notes: [...(diagnostic.notes ?? []), note] } : diagnostic,
    )
    return { object, plan: undefined, diagnostics, good }
  }
}
