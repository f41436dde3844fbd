/** The request target in its four forms (RFC 9112 §3.2), and the Host that goes with it. */
import { hostEnd } from '../wire/authority.ts'
import { FAULTS, type Fault } from '../wire/fault.ts'
import type { Head } from '../wire/head.ts'
import { equalsLower, latin1, octetsOf } from '../wire/octets.ts'
import { normalisePath, type PathRules } from '../wire/path.ts'

/** Refilled per request. */
export interface Target {
  form: 'origin' | 'absolute' | 'asterisk' | 'authority'
  /** Normalised path, without the query. */
  path: string
  /** Where the query begins, with its `?`, in the head's buffer; `end` if there is none. */
  queryStart: number
  end: number
  /** The Host: of the target, if it has one, else of the field. */
  host: string
  /** Where the name ends in `host` and the port's colon stands. */
  hostNameLength: number
  /** An https target, on whatever port. */
  https: boolean
}

const HTTP = octetsOf('http://')
const HTTPS = octetsOf('https://')

/** Reads target and Host. Returns what is wrong, or null. */
export function readTarget(
  head: Head,
  target: Target,
  rules: PathRules,
  isConnect: boolean,
  isOptions: boolean,
): Fault | null {
  const { buffer } = head
  if (head.hostCount !== 1) return FAULTS.badHost
  const hostStart = head.valueStart(head.hostIndex)
  const hostStop = head.valueEnd(head.hostIndex)
  const colon = hostEnd(buffer, hostStart, hostStop)
  if (colon < 0) return FAULTS.badHost
  target.host = latin1(buffer, hostStart, hostStop)
  target.hostNameLength = colon - hostStart
  target.https = false

  const start = head.targetStart
  const end = head.targetEnd
  target.end = end
  if (isConnect) {
    target.form = 'authority'
    target.path = ''
    target.queryStart = end
    return null
  }
  const first = buffer[start]
  if (first === 0x2f) {
    target.form = 'origin'
    return readPath(head, target, start, rules)
  }
  if (first === 0x2a && end - start === 1) {
    if (!isOptions) return FAULTS.badTarget
    target.form = 'asterisk'
    target.path = '*'
    target.queryStart = end
    return null
  }
  return readAbsolute(head, target, start, end, rules)
}

/** scheme "://" authority [ path ] [ "?" query ]; the authority replaces Host (§3.2.2). */
function readAbsolute(head: Head, target: Target, start: number, end: number, rules: PathRules): Fault | null {
  const { buffer } = head
  let at: number
  if (end - start > HTTP.length && equalsLower(buffer, start, start + HTTP.length, HTTP)) at = start + HTTP.length
  else if (end - start > HTTPS.length && equalsLower(buffer, start, start + HTTPS.length, HTTPS)) {
    at = start + HTTPS.length
    target.https = true
  } else return FAULTS.badTarget
  const authority = at
  while (at < end && buffer[at] !== 0x2f && buffer[at] !== 0x3f) at++
  const colon = hostEnd(buffer, authority, at)
  if (colon < 0) return FAULTS.badTarget
  target.form = 'absolute'
  target.host = latin1(buffer, authority, at)
  target.hostNameLength = colon - authority
  if (at === end || buffer[at] === 0x3f) {
    target.path = '/'
    target.queryStart = at
    return null
  }
  return readPath(head, target, at, rules)
}

function readPath(head: Head, target: Target, start: number, rules: PathRules): Fault | null {
  const { buffer } = head
  const end = target.end
  let queryStart = start
  while (queryStart < end && buffer[queryStart] !== 0x3f) queryStart++
  target.queryStart = queryStart
  if (!head.targetSpecial) {
    target.path = latin1(buffer, start, queryStart)
    return null
  }
  const path = normalisePath(buffer, start, queryStart, rules)
  if (path === null) return FAULTS.badTarget
  target.path = path
  return null
}
