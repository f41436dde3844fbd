/**
 * The shape of a path: what it matches, whatever its parameters are called. `/items/:id` and `/items/:item_id` have one shape. Pure.
 */

/** How the server compares paths; the adapter knows. */
export interface PathRules {
  readonly caseSensitive: boolean
  readonly ignoreTrailingSlash: boolean
  readonly ignoreDuplicateSlashes: boolean
}

export const strictPaths: PathRules = { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false }

/**
 * Erases what parameters are called: `/a/:id/*` → `/a/:/*`. Knows find-my-way's syntax: `:name`, `:name(regex)`, `:a-:b`, `::` (a literal colon), `*`.
 * A segment with a regular expression is another shape than one without, but which expression does not count: the router holds only one of them.
 */
export function pathShape(path: string, rules: PathRules = strictPaths): string {
  const shape = path.split(/(?=\/)/).map((segment) => segmentShape(segment, rules))
  return normalise(shape.join(''), rules)
}

function segmentShape(segment: string, rules: PathRules): string {
  let text = ''
  let parameters = 0
  let fixed = 0
  let index = 0
  while (index < segment.length) {
    if (segment[index] === ':' && segment[index + 1] !== ':') {
      const end = parameterEnd(segment, index + 1)
      index = segment[end] === '(' ? closingParenthesis(segment, end) + 1 : end
      if (segment[end] === '(') fixed++
      text += ':'
      parameters++
    } else {
      const width = segment.startsWith('::', index) ? 2 : 1
      const literal = segment.slice(index, index + width)
      text += rules.caseSensitive ? literal : literal.toLowerCase()
      if (literal !== '/') fixed++
      index += width
    }
  }
  return parameters > 0 && fixed > 0 ? text.replaceAll(/(?<!:):(?!:)/g, ':()') : text
}

/** `/a/:id?` → `/a`, `/a/:id`: find-my-way makes two routes of it, and each may be overridden alone. */
export function expandOptional(path: string): readonly string[] {
  const match = /^(.*?)\/?:([A-Za-z0-9_]+)(\([^?]*\))?\?$/.exec(path)
  if (match === null) return [path]
  return [match[1] === '' ? '/' : (match[1] as string), path.slice(0, -1)]
}

function normalise(shape: string, rules: PathRules): string {
  const single = rules.ignoreDuplicateSlashes ? shape.replaceAll(/\/{2,}/g, '/') : shape
  return rules.ignoreTrailingSlash && single.length > 1 && single.endsWith('/') ? single.slice(0, -1) : single
}

/** A name ends at a slash, a dash, a dot, a parenthesis (find-my-way's rule for several parameters in one segment). */
function parameterEnd(path: string, start: number): number {
  let end = start
  while (end < path.length && !'/-.('.includes(path[end] as string)) end++
  return end
}

function closingParenthesis(path: string, open: number): number {
  let depth = 0
  for (let index = open; index < path.length; index++) {
    if (path[index] === '\\') index++
    else if (path[index] === '(') depth++
    else if (path[index] === ')' && --depth === 0) return index
  }
  return path.length - 1
}
