/** What validation finds, in Kubernetes' words (apimachinery's `field.Error`). Pure. */

export interface FieldProblem {
  /** `FieldValueInvalid`… as in a Status' causes. */
  readonly reason: string
  readonly message: string
  readonly field: string
}

export function required(field: string, detail = ''): FieldProblem {
  return { reason: 'FieldValueRequired', message: `Required value${detail === '' ? '' : `: ${detail}`}`, field }
}

export function invalid(field: string, value: unknown, detail: string): FieldProblem {
  return { reason: 'FieldValueInvalid', message: `Invalid value: ${shown(value)}: ${detail}`, field }
}

export function unsupported(field: string, value: unknown, supported: readonly string[]): FieldProblem {
  const list = supported.map((entry) => JSON.stringify(entry)).join(', ')
  return {
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${shown(value)}: supported values: ${list}`,
    field,
  }
}

export function duplicate(field: string, value: unknown): FieldProblem {
  return { reason: 'FieldValueDuplicate', message: `Duplicate value: ${shown(value)}`, field }
}

export function absent(field: string, value: unknown): FieldProblem {
  return { reason: 'FieldValueNotFound', message: `Not found: ${shown(value)}`, field }
}

export function forbidden(field: string, detail: string): FieldProblem {
  return { reason: 'FieldValueForbidden', message: `Forbidden: ${detail}`, field }
}

export function tooLong(field: string, bytesMax: number): FieldProblem {
  return { reason: 'FieldValueTooLong', message: `Too long: may not be more than ${bytesMax} bytes`, field }
}

/** All of them in one sentence; the same text is said once. */
export function sentence(problems: readonly FieldProblem[]): string {
  const texts = [...new Set(problems.map(({ field, message }) => `${field}: ${message}`))]
  return texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`
}

function shown(value: unknown): string {
  return value === undefined ? 'null' : JSON.stringify(value)
}

/** `must be greater than or equal to 0`, for what is there. */
export function nonNegative(field: string, value: number | undefined): FieldProblem[] {
  return value !== undefined && value < 0 ? [invalid(field, value, 'must be greater than or equal to 0')] : []
}

/** The same detail about each message. */
export function invalids(field: string, value: unknown, details: readonly string[]): FieldProblem[] {
  return details.map((detail) => invalid(field, value, detail))
}
