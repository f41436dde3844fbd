/** How the path of a request becomes another one: the upstream's, or that of a redirect. Pure. */

export type PathRewrite =
  | { readonly kind: 'none' }
  /** The first `drop` characters give way to `value`. */
  | { readonly kind: 'prefix'; readonly drop: number; readonly value: string }
  /** The whole path gives way. */
  | { readonly kind: 'whole'; readonly value: string }
  | { readonly kind: 'regex'; readonly pattern: RegExp; readonly substitution: string }

/** `path` is normalised and without the query. */
export function rewritePath(rewrite: PathRewrite, path: string): string {
  switch (rewrite.kind) {
    case 'none':
      return path
    case 'prefix':
      return rewrite.value + path.slice(rewrite.drop)
    case 'whole':
      return rewrite.value
    case 'regex':
      return path.replace(rewrite.pattern, rewrite.substitution)
  }
}
