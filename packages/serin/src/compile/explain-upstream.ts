/** The request as the upstream would get it. */
import { rewritePath, type PathRewrite } from '../gateway/path-rewrite.ts'
import { compilePattern, compileSubstitution } from '../gateway/pattern.ts'
import type { Cluster } from '../model/cluster.ts'
import type { Destination, Forward, HeaderChange, Redirect } from '../model/destination.ts'
import type { PathMatch } from '../model/match.ts'

export interface UpstreamExplanation {
  readonly mapping: string
  readonly version: string
  /** One sentence. */
  readonly summary: string
  readonly cluster?: string
  /** Addresses, or the name that is resolved. */
  readonly endpoints?: readonly string[]
  readonly request?: {
    readonly method: string
    readonly path: string
    readonly host: string
    readonly headers: readonly string[]
  }
}

interface Facts {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly query: string
}

/** Pure. */
export function explainUpstream(
  destination: Destination,
  match: PathMatch,
  cluster: Cluster | undefined,
  facts: Facts,
): UpstreamExplanation {
  const { mapping, version, action } = destination
  const base = { mapping, version }
  switch (action.kind) {
    case 'respond':
      return { ...base, summary: `the gateway answers ${action.status}: ${action.reason}` }
    case 'redirect':
      return { ...base, summary: `${action.status} to ${locationOf(action, match, facts)}` }
    case 'forward': {
      const path = upstreamPath(action, match, facts.path) + facts.query
      const host = action.host?.kind === 'literal' ? action.host.value : facts.host
      const endpoints = endpointsOf(cluster)
      const first = endpoints.length === 0 ? '503, it has no endpoint' : endpoints.join(', ')
      return {
        ...base,
        summary: `${facts.method} ${path} to ${first}`,
        cluster: action.cluster,
        endpoints,
        request: { method: facts.method, path, host, headers: headersOf(action) },
      }
    }
  }
}

function endpointsOf(cluster: Cluster | undefined): string[] {
  if (cluster === undefined) return []
  const { source } = cluster
  if (source.kind === 'dns') return [`${source.hostname}:${source.port}`]
  return source.endpoints.map(({ id, pod }) => (pod === undefined ? id : `${id} (${pod})`))
}

function upstreamPath({ rewrite }: Forward, match: PathMatch, path: string): string {
  return rewritePath(pathRewrite(rewrite, match), path)
}

function pathRewrite(rewrite: Forward['rewrite'], match: PathMatch): PathRewrite {
  if (rewrite.kind === 'none') return rewrite
  if (rewrite.kind === 'prefix') {
    return match.kind === 'regex'
      ? { kind: 'whole', value: rewrite.value }
      : { kind: 'prefix', drop: match.value.length, value: rewrite.value }
  }
  const pattern = compilePattern(rewrite.pattern, false, 'g')
  return pattern === null
    ? { kind: 'none' }
    : { kind: 'regex', pattern, substitution: compileSubstitution(rewrite.substitution) }
}

function locationOf({ host, path }: Redirect, match: PathMatch, facts: Facts): string {
  const query = path.kind === 'path' && path.value.includes('?') ? '' : facts.query
  return `http://${host}${redirectPath(path, match, facts.path)}${query}`
}

function redirectPath(path: Redirect['path'], match: PathMatch, before: string): string {
  switch (path.kind) {
    case 'same':
      return before
    case 'path':
      return path.value
    case 'prefix':
      return rewritePath(pathRewrite({ kind: 'prefix', value: path.value }, match), before)
    case 'regex':
      return rewritePath(
        pathRewrite({ kind: 'regex', pattern: path.pattern, substitution: path.substitution }, match),
        before,
      )
  }
}

/** `+ name: value`, `- name`. */
function headersOf({ requestHeaders: { add, remove } }: Forward): string[] {
  return [
    ...remove.map((name) => `- ${name}`),
    ...add.map((change) => `${change.append ? '+' : '='} ${change.name}: ${valueOf(change)}`),
  ]
}

function valueOf({ value }: HeaderChange): string {
  return value
    .map((part) =>
      part.kind === 'text' ? part.text : `%${part.operator}${part.argument === undefined ? '' : `(${part.argument})`}%`,
    )
    .join('')
}
