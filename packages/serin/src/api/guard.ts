/** What is checked of every request before anything else: its URL, the name it calls this server by, and where it comes from. Pure. */
import type { IncomingMessage } from 'node:http'
import { StoreError } from '../store/store.ts'

const URL_CHARS_MAX = 16 * 1024

/** How this server may be called. */
export interface Names {
  readonly listen: { readonly host: string }
  readonly hosts?: readonly string[]
}

/** Throws StoreError `RequestEntityTooLarge`. */
export function urlOf(request: IncomingMessage): { path: string; query: URLSearchParams } {
  const url = request.url ?? '/'
  if (url.length > URL_CHARS_MAX)
    throw new StoreError('RequestEntityTooLarge', `the URL is longer than ${URL_CHARS_MAX} characters`)
  const mark = url.indexOf('?')
  return mark === -1
    ? { path: url, query: new URLSearchParams() }
    : { path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) }
}

/**
 * A web page of a stranger must not reach this server through its visitor's browser (DNS rebinding, cross-site requests). Throws
 * StoreError `Forbidden`.
 */
export function checkOrigin({ hosts = [], listen }: Names, request: IncomingMessage): void {
  const host = hostName(request.headers.host ?? '')
  const isKnown = host === '' || host === 'localhost' || host === listen.host || isAddress(host) || hosts.includes(host)
  if (!isKnown) throw new StoreError('Forbidden', `this server is not called ${JSON.stringify(host)}`, { details: {} })
  const { origin } = request.headers
  if (origin !== undefined && hostName(origin.replace(/^https?:\/\//, '')) !== host) {
    throw new StoreError('Forbidden', `requests from the origin ${JSON.stringify(origin)} are not allowed`, {
      details: {},
    })
  }
}

function hostName(host: string): string {
  return host.startsWith('[') ? host.slice(1, host.indexOf(']')) : (host.split(':', 1)[0] ?? '')
}

function isAddress(host: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) || host.includes(':')
}
