/** Where a request says which version it wants: header, query, media type, host, or a function. Pure. */

import { versionCharsMax } from './version.ts'

/** What a reader may look at. Node's `IncomingMessage` is one as it stands. */
export interface RequestSource {
  /** Path and query, as in the request line. */
  readonly url?: string | undefined
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

/** Nothing; one version; several of which the client takes any, best first; or several that contradict each other. */
export type Reading =
  | undefined
  | string
  | { readonly anyOf: readonly string[] }
  | { readonly conflict: readonly string[] }

export interface Reader {
  /** For messages: `header x-api-version`. */
  readonly name: string
  /** Request headers that the answer depends on, for `Vary`. */
  readonly vary: readonly string[]
  /** A media type that cannot be served is 406 (or 415 for one of a body), not 400. */
  readonly mediaType: boolean
  /** Media types of bodies that hold JSON although they are not called so: an adapter with a body parser has to know them. */
  readonly jsonTypes?: RegExp
  readonly read: (source: RequestSource) => Reading
}

/** `x-api-version: 2`. Several lines or values must agree. */
export function header(name: string): Reader {
  const key = name.toLowerCase()
  return {
    name: `header ${key}`,
    vary: [key],
    mediaType: false,
    read: ({ headers }) => {
      const value = headers[key]
      if (value === undefined) return undefined
      // Nearly every request: one plain value. Nothing is made for it.
      if (typeof value === 'string' && !value.includes(',')) return value.trim()
      return oneOf([value].flat().join(',').split(','))
    },
  }
}

/** `?api-version=2`. Repeated parameters must agree. */
export function query(name = 'api-version'): Reader {
  return {
    name: `query parameter ${name}`,
    vary: [],
    mediaType: false,
    read: ({ url = '' }) => {
      const start = url.indexOf('?')
      if (start < 0) return undefined
      return oneOf(new URLSearchParams(url.slice(start + 1)).getAll(name))
    },
  }
}

export interface AcceptOptions {
  /** `acme`: reads `application/vnd.acme.v2+json`. Omitted: only the parameter is read. */
  readonly vendor?: string
  /** Parameter of a media type: `application/json;v=2`. Default `v`; `false`: none. */
  readonly param?: string | false
}

/** Media types of `Accept` in the order of their quality (RFC 9110 §12.5.1); where they name no version, that of `Content-Type`. */
export function accept({ vendor, param = 'v' }: AcceptOptions = {}): Reader {
  const find = mediaTypeVersion(vendor, param)
  return {
    name: 'media type',
    vary: ['accept'],
    mediaType: true,
    ...(vendor === undefined
      ? {}
      : { jsonTypes: new RegExp(`^application/vnd\\.${escape(vendor.toLowerCase())}\\.[^;]*\\+json\\b`, 'i') }),
    read: ({ headers }) => {
      const versions = acceptedTypes(headers['accept']).flatMap((type) => find(type) ?? [])
      if (versions.length > 0) return versions.length === 1 ? versions[0] : { anyOf: versions }
      const sent = headers['content-type']
      return typeof sent === 'string' ? find(sent) : undefined
    },
  }
}

/** `v2.api.acme.dev` for `host('v{version}.api.acme.dev')`; `1_10` and `1-10` in a host name mean 1.10. */
export function host(template: string): Reader {
  const [before = '', after = ''] = template.toLowerCase().split('{version}')
  const pattern = new RegExp(`^${escape(before)}([0-9][0-9a-z_-]*)${escape(after)}$`)
  return {
    name: `host ${template}`,
    vary: [],
    mediaType: false,
    read: ({ headers }) => {
      const name = [headers['host'] ?? headers[':authority'] ?? ''].flat()[0] ?? ''
      const match = pattern.exec(name.slice(0, 255).replace(/:\d*$/, '').toLowerCase())
      const label = match?.[1]
      if (label === undefined || /^\d{4}-\d{2}-\d{2}/.test(label)) return label
      return label.replace(/^(\d+)[-_](\d+)(?:[-_](\d+))?/, (_all, a: string, b: string, c?: string) =>
        [a, b, c].filter((part) => part !== undefined).join('.'),
      )
    },
  }
}

export interface CustomReaderOptions {
  /** For messages. Default `custom reader`. */
  readonly name?: string
  /** Request headers that the function looks at, for `Vary`. */
  readonly vary?: readonly string[]
}

/** Any function of the request. What it throws counts as a malformed version. */
export function custom(read: (source: RequestSource) => string | undefined, options: CustomReaderOptions = {}): Reader {
  const vary = (options.vary ?? []).map((name) => name.toLowerCase())
  return { name: options.name ?? 'custom reader', vary, mediaType: false, read }
}

/** Values of one place: equal ones are one, different ones a conflict. More than a few are not looked at. */
const valuesMax = 8

function oneOf(values: readonly string[]): Reading {
  const distinct = [...new Set(values.slice(0, valuesMax).map((value) => value.trim()))]
  return distinct.length > 1 ? { conflict: distinct } : distinct[0]
}

/** Media ranges looked at; a browser sends under ten. */
const mediaRangesMax = 32

/** The media types of `Accept`, best first; those with `q=0` are left out. */
function acceptedTypes(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return []
  const types = [value].flat().join(',').split(',', mediaRangesMax)
  return types
    .map((type) => ({ type, quality: quality(type) }))
    .filter((item) => item.quality > 0)
    .sort((a, b) => b.quality - a.quality)
    .map((item) => item.type)
}

function quality(type: string): number {
  const match = /;\s*q=([0-9.]{1,5})/i.exec(type)
  return match === null ? 1 : Number(match[1])
}

function mediaTypeVersion(vendor: string | undefined, param: string | false): (type: string) => string | undefined {
  const named =
    vendor === undefined
      ? undefined
      : new RegExp(`^\\s*[a-z]+/vnd\\.${escape(vendor.toLowerCase())}(?:\\.[a-z0-9-]+)*?[.-]v([0-9][^+;\\s]*)`, 'i')
  const parameter = param === false ? undefined : new RegExp(`;\\s*${escape(param)}=\\s*"?([^";\\s]*)`, 'i')
  return (type) => {
    const text = type.slice(0, 255)
    return (named?.exec(text)?.[1] ?? parameter?.exec(text)?.[1])?.slice(0, versionCharsMax)
  }
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`)
}
