/** What a client is told when its version cannot be served: RFC 9457 problem details. Pure. */

/** What may go wrong with the version of a request. */
export type ProblemKind = 'missing' | 'malformed' | 'unknown' | 'ambiguous' | 'sunset' | 'brownout' | 'method'

/** `code` is the name that ASP.NET API Versioning gives to the same case, where it has one. */
const kinds: Readonly<
  Record<ProblemKind, { readonly status: number; readonly title: string; readonly code: string; readonly slug: string }>
> = {
  missing: { status: 400, title: 'Unspecified API version', code: 'ApiVersionUnspecified', slug: 'unspecified' },
  malformed: { status: 400, title: 'Invalid API version', code: 'InvalidApiVersion', slug: 'invalid' },
  unknown: { status: 400, title: 'Unsupported API version', code: 'UnsupportedApiVersion', slug: 'unsupported' },
  ambiguous: { status: 400, title: 'Ambiguous API version', code: 'AmbiguousApiVersion', slug: 'ambiguous' },
  sunset: { status: 410, title: 'API version is gone', code: 'SunsetApiVersion', slug: 'sunset' },
  brownout: {
    status: 503,
    title: 'API version is switched off for a while',
    code: 'BrownoutApiVersion',
    slug: 'brownout',
  },
  method: { status: 405, title: 'Method not allowed', code: 'MethodNotAllowed', slug: 'method-not-allowed' },
}

export interface ProblemOptions {
  /** Statuses other than the usual ones. */
  readonly statuses?: Readonly<Partial<Record<ProblemKind, number>>>
  /** `type` of a problem, from its short name (`unsupported`). Default `urn:serin:versioning:unsupported`. */
  readonly type?: (slug: string) => string
}

export interface Problem {
  readonly kind: ProblemKind
  readonly status: number
  /** The JSON document, with the media type `application/problem+json`. */
  readonly body: {
    readonly type: string
    readonly title: string
    readonly status: number
    readonly detail: string
    readonly code: string
    /** The versions that could have been asked for, oldest first. */
    readonly supported?: readonly string[]
  }
}

export const problemMediaType = 'application/problem+json; charset=utf-8'

export interface ProblemInput {
  readonly kind: ProblemKind
  readonly detail: string
  readonly supported?: readonly string[]
  /** A better status for this case than the usual one; `statuses` goes before it. */
  readonly status?: number | undefined
}

/** A problem document. */
export function problem({ kind, detail, supported, status }: ProblemInput, options: ProblemOptions = {}): Problem {
  const { title, code, slug, status: usual } = kinds[kind]
  const chosen = options.statuses?.[kind] ?? status ?? usual
  const type = options.type?.(slug) ?? `urn:serin:versioning:${slug}`
  const body = { type, title, status: chosen, detail, code, ...(supported === undefined ? {} : { supported }) }
  return { kind, status: chosen, body }
}
