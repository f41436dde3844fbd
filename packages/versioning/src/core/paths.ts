/** Matching of paths for the adapter without a router of its own, and for the methods that `Allow` names. Pure. */

/** A compiled path pattern. */
export interface PathPattern<Value> {
  readonly value: Value
  readonly regex: RegExp
  readonly names: readonly string[]
  /** Segments from left to right: static before parametric before wildcard, as text that sorts. */
  readonly rank: string
}

export interface PathMatch<Value> {
  readonly value: Value
  readonly params: Readonly<Record<string, string>>
}

/** Compiles `/items/:id`, `/items/:id(\\d+)`, `/files/*`. */
export function compilePath<Value>(path: string, value: Value): PathPattern<Value> {
  const names: string[] = []
  const rank: string[] = []
  const segments = path.split('/').map((segment) => {
    const parametric = /(?<!:):(?!:)/.test(segment)
    rank.push(segment === '*' ? '3' : parametric ? (/[(.-]/.test(segment) ? '1' : '2') : '0')
    return segmentPattern(segment, names)
  })
  return { value, regex: new RegExp(`^${segments.join('/')}$`), names, rank: rank.join('') }
}

function segmentPattern(segment: string, names: string[]): string {
  let pattern = ''
  let index = 0
  while (index < segment.length) {
    const rest = segment.slice(index)
    const parameter = /^:([A-Za-z0-9_]+)(\((?:[^()]|\([^()]*\))*\))?/.exec(rest)
    if (rest.startsWith('::')) {
      pattern += ':'
      index += 2
    } else if (parameter !== null) {
      names.push(parameter[1] as string)
      pattern += parameter[2] === undefined ? '([^/]+?)' : `(${unanchored(parameter[2].slice(1, -1))})`
      index += parameter[0].length
    } else if (rest.startsWith('*')) {
      names.push('*')
      pattern += '(.*)'
      index++
    } else {
      pattern += (rest[0] as string).replace(/[.*+?^${}()|[\]\\/]/, String.raw`\$&`)
      index++
    }
  }
  return pattern
}

function unanchored(expression: string): string {
  return expression.replace(/^\^/, '').replace(/\$$/, '')
}

/** More specific patterns first; independent of the order of declaration. */
export function sortPatterns<Value>(patterns: readonly PathPattern<Value>[]): readonly PathPattern<Value>[] {
  return [...patterns].sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0))
}

/** The first pattern that matches; parameters are percent-decoded. A path with a broken escape matches nothing. */
export function matchPath<Value>(patterns: readonly PathPattern<Value>[], path: string): PathMatch<Value> | undefined {
  for (const { regex, names, value } of patterns) {
    const match = regex.exec(path)
    if (match === null) continue
    const params: Record<string, string> = {}
    for (const [index, name] of names.entries()) params[name] = match[index + 1] ?? ''
    return { value, params }
  }
  return undefined
}

/** `/a%20b` → `/a b`; undefined if an escape is broken. An escaped slash stays escaped: it separates no segments. */
export function decodePath(path: string): string | undefined {
  try {
    return path
      .split(/(%2f)/i)
      .map((part) => (/^%2f$/i.test(part) ? part : decodeURIComponent(part)))
      .join('')
  } catch {
    return undefined
  }
}
