/** What ring_hash and maglev hash of a request, and the cookie that the gateway sets where a client has none. */
import { randomBytes } from 'node:crypto'
import type { HashKey } from '../model/destination.ts'
import type { Head } from '../wire/head.ts'
import { type CompiledChanges, fieldName, plainChanges } from './compiled-changes.ts'
import { hash32 } from './hash.ts'
import { cookieValue } from './split.ts'

export interface HashedKey {
  /** -1: the request has no key; any endpoint will do. */
  readonly hash: number
  /** The Set-Cookie for its answer, or null. */
  readonly changes: CompiledChanges | null
}

const NO_KEY: HashedKey = { hash: -1, changes: null }
const COOKIE = fieldName('cookie')

export function readHashKey(key: HashKey, head: Head, clientAddress: string): HashedKey {
  switch (key.kind) {
    case 'source-ip':
      return { hash: hash32(clientAddress), changes: null }
    case 'header': {
      const name = fieldName(key.name)
      const value = head.joined(name.lower, name.hash)
      return value === null ? NO_KEY : { hash: hash32(value), changes: null }
    }
    case 'cookie':
      return readCookie(key, head)
  }
}

/** A cookie without `ttl` is only read; with one, a client that lacks it gets it. */
function readCookie(key: Extract<HashKey, { kind: 'cookie' }>, head: Head): HashedKey {
  const given = cookieValue(head.joined(COOKIE.lower, COOKIE.hash), key.name)
  if (given !== null && given !== '') return { hash: hash32(unquoted(given)), changes: null }
  if (key.ttlSeconds === undefined) return NO_KEY
  const value = randomBytes(8).toString('hex')
  const path = key.path === undefined ? '' : `; Path=${key.path}`
  const cookie = `${key.name}="${value}"; Max-Age=${key.ttlSeconds}${path}; HttpOnly`
  return { hash: hash32(value), changes: plainChanges([['set-cookie', cookie]], true) }
}

/** Clients send the quotes back or not (RFC 6265 §4.1.1). */
function unquoted(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
}
