/** Redirects of a Mapping (`host_redirect`): where the client is sent, as Envoy builds it. Pure. */
import type { Redirect } from '../model/destination.ts'
import type { Route } from '../model/route.ts'
import { rewritePath, type PathRewrite } from './path-rewrite.ts'
import { compilePattern, compileSubstitution } from './pattern.ts'

export interface CompiledRedirect {
  readonly kind: 'redirect'
  readonly status: number
  readonly host: string
  readonly rewrite: PathRewrite
  /** A path_redirect with a query of its own drops the request's. */
  readonly keepsQuery: boolean
}

export function compileRedirect(redirect: Redirect, { match }: Route): CompiledRedirect {
  return {
    kind: 'redirect',
    status: redirect.status,
    host: redirect.host,
    rewrite: redirectRewrite(redirect.path, match.path),
    keepsQuery: redirect.path.kind !== 'path' || !redirect.path.value.includes('?'),
  }
}

function redirectRewrite(path: Redirect['path'], matched: Route['match']['path']): PathRewrite {
  switch (path.kind) {
    case 'same':
      return { kind: 'none' }
    case 'path':
      return { kind: 'whole', value: path.value }
    case 'prefix':
      if (matched.kind === 'regex') return { kind: 'whole', value: path.value }
      return { kind: 'prefix', drop: matched.value.length, value: path.value }
    case 'regex': {
      const pattern = compilePattern(path.pattern, false, 'g')
      if (!pattern) return { kind: 'none' }
      return { kind: 'regex', pattern, substitution: compileSubstitution(path.substitution) }
    }
  }
}

/** The Location. `query` with its `?`, or ''. An absolute path_redirect is glued on as a path, as Envoy does. */
export function redirectLocation(redirect: CompiledRedirect, proto: string, path: string, query: string): string {
  return `${proto}://${redirect.host}${rewritePath(redirect.rewrite, path)}${redirect.keepsQuery ? query : ''}`
}
