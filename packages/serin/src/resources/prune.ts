/** An object without its structural mistakes, so that what is right in it can be used. */
import type { Kind } from './kinds.ts'
import type { KubeObject } from './object.ts'
import { type Path, type Problem, validateObject } from './schema.ts'

/** The same object where it has no mistake; undefined: nothing of it can be used. Pure. */
export function withoutMistakes(kind: Kind, object: KubeObject): KubeObject | undefined {
  if (typeof object.metadata?.name !== 'string') return undefined
  const mistakes = validateObject(kind, object).filter(({ code }) => code !== 'unknown-field')
  if (mistakes.length === 0) return object
  const copy = structuredClone(object)
  // From the end, so that the numbers of list items before stay right.
  for (const mistake of mistakes.toReversed()) remove(copy, whatToRemove(mistake))
  return typeof copy.metadata?.name === 'string' ? copy : undefined
}

/** A value that is wrong goes; where a field is missing, what lacks it goes. */
function whatToRemove({ code, path }: Problem): Path {
  return code === 'missing-field' ? path.slice(0, -1) : path
}

function remove(object: object, path: Path): void {
  const last = path.at(-1)
  let holder: unknown = object
  for (const part of path.slice(0, -1)) holder = (holder as Record<string | number, unknown> | undefined)?.[part]
  if (last === undefined || typeof holder !== 'object' || holder === null) return
  if (Array.isArray(holder)) holder.splice(Number(last), 1)
  else delete (holder as Record<string | number, unknown>)[last]
}
