/** Which requests a Route takes. Pure data; `gateway/router.ts` compiles it. */

/** How a text is compared. A `regex` is RE2 syntax and must match the whole text. */
export type TextMatch =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'suffix'; readonly value: string }
  | { readonly kind: 'regex'; readonly value: string }
  | { readonly kind: 'present' }

/** Compared with the normalised path, without the query. `prefix` knows no segment boundary (as Envoy). */
export interface PathMatch {
  readonly kind: 'prefix' | 'exact' | 'regex'
  readonly value: string
}

export interface HeaderMatch {
  /** Lower case. */
  readonly name: string
  readonly match: TextMatch
}

export interface QueryMatch {
  /** Compared with the first parameter of this name, undecoded. */
  readonly name: string
  readonly match: TextMatch
}

/** All parts must match. */
export interface RouteMatch {
  readonly path: PathMatch
  /** The Host header of the request as it came (after `stripHostPort`), compared with regard to case, as Envoy does; absent: any. */
  readonly host?: TextMatch
  /** Absent: any method. */
  readonly method?: TextMatch
  readonly headers: readonly HeaderMatch[]
  readonly query: readonly QueryMatch[]
}
