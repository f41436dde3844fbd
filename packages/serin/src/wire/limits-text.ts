/** Limits as a person gives them: a JSON object with some of the names of `limits.ts`. All mistakes are told at once. */
import { DEFAULT_LIMITS, type Limits } from './limits.ts'

export class LimitsError extends Error {
  override readonly name = 'LimitsError'
}

/** `undefined` and '' are no limits of one's own. @throws LimitsError */
export function parseLimits(text: string | undefined): Partial<Limits> {
  if (text === undefined || text.trim() === '') return {}
  const given = parseObject(text)
  const problems = Object.entries(given).flatMap(([name, value]) => problemOf(name, value))
  if (problems.length > 0) throw new LimitsError(problems.join('\n'))
  return given as Partial<Limits>
}

function parseObject(text: string): object {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new LimitsError(`limits are no JSON: ${(error as Error).message}`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new LimitsError('limits must be a JSON object, like {"headBytesMax": 32768}')
}

function problemOf(name: string, value: unknown): string[] {
  if (!Object.hasOwn(DEFAULT_LIMITS, name)) return [`there is no limit "${name}"${suggestion(name)}`]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return []
  return [`limit "${name}" must be a whole number, 0 or more; it is ${JSON.stringify(value)}`]
}

/** The name that differs only in case, or that begins or ends alike. */
function suggestion(name: string): string {
  const lower = name.toLowerCase()
  const names = Object.keys(DEFAULT_LIMITS)
  const near =
    names.find((known) => known.toLowerCase() === lower) ??
    names.find((known) => known.toLowerCase().startsWith(lower) || lower.startsWith(known.toLowerCase())) ??
    names.find((known) => known.slice(0, 5).toLowerCase() === lower.slice(0, 5))
  return near === undefined ? '' : `; did you mean "${near}"?`
}
