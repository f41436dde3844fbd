/** A resource's `spec`, held against its schema: what is wrong is reported, what Emissary's compiler reads all the same is let through. */
import { ANSWERS } from '../resources/ambassador/answers.ts'
import type { Kind } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { type Path, type Problem, schemaOf, type Schema, validate } from '../resources/schema.ts'
import type { Report } from './report.ts'

const schemas = new Map<Kind, Schema>()

/** The spec with `defaults` beneath it; undefined: it cannot be used. */
export function checkSpec<T>(
  kind: Kind,
  object: KubeObject,
  report: Report,
  defaults: Readonly<Record<string, unknown>> = {},
): T | undefined {
  let spec = (object.spec ?? {}) as Record<string, unknown>
  for (const problem of validate(schemaOfSpec(kind), spec, ['spec'])) {
    const value = valueAt(object, problem.path)
    const { code, message, path, expected, suggestion } = problem
    const details = { path, expected, suggestion }
    if (!isTolerable(problem, value)) report.error(code, message, details)
    else {
      report.warning(code, message, details)
      if (problem.expected === LIST && typeof value === 'string') spec = withList(spec, path.slice(1), value)
    }
  }
  reportAnswers(kind, spec, report)
  return report.failed ? undefined : ({ ...defaults, ...spec } as T)
}

/** Says what is read and does nothing here. */
function reportAnswers(kind: Kind, spec: Readonly<Record<string, unknown>>, report: Report): void {
  const answers = ANSWERS[kind.kind]
  if (answers === undefined) return
  for (const [field, value] of Object.entries(spec)) {
    const found = Object.hasOwn(answers, field) ? answers[field] : undefined
    if (found === undefined || found.answer === 'safer' || value === schemaOfSpec(kind).properties?.[field]?.default)
      continue
    if (found.unless?.(value) === true) continue
    const path = ['spec', field]
    if (found.answer === 'no-effect') report.warning('no-effect', `${field} has no effect: ${found.because}`, { path })
    else if (found.drops === true) report.error('refused', `${field} is refused: ${found.because}`, { path })
    else report.warning('refused', `${field} is refused: ${found.because}`, { path })
  }
}

function schemaOfSpec(kind: Kind): Schema {
  let schema = schemas.get(kind)
  if (schema === undefined) schemas.set(kind, (schema = schemaOf(kind).properties?.['spec'] ?? {}))
  return schema
}

function valueAt(object: unknown, path: Path): unknown {
  return path.reduce((value, key) => (value as Record<string | number, unknown> | undefined)?.[key], object)
}

const LIST = 'list of strings'

/** A text where a list belongs is a list of one; as origins of CORS it is no list at all, as in Emissary. */
function withList(spec: Record<string, unknown>, path: Path, value: string): Record<string, unknown> {
  const [field = '', ...rest] = path
  const inner = spec[field]
  if (rest.length === 0) return { ...spec, [field]: field === 'origins' ? [] : [value] }
  return { ...spec, [field]: withList(inner as Record<string, unknown>, rest, value) }
}

/** Looser forms that the CRD refuses but Emissary's compiler reads: they come from files and annotations that no API server saw. */
function isTolerable(problem: Problem, value: unknown): boolean {
  const { code, path, expected, suggestion } = problem
  const field = String(path[1])
  const last = path.at(-1)
  if (code === 'unknown-field') return true
  if (code === 'not-allowed') {
    return last === 'redirect_response_code' || (last === 'action' && suggestion?.toLowerCase() === value)
  }
  if (code !== 'wrong-type') return false
  if (typeof value === 'string') {
    const isAddedHeader = field.startsWith('add_') && path.length === 3
    return isAddedHeader || (expected === LIST && path.every((part) => typeof part === 'string'))
  }
  if (value === null) return last === 'rewrite'
  if (value === true) return field === 'headers' || field === 'query_parameters'
  return typeof value === 'number' && last === 'weight'
}
