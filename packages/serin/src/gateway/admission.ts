/** Everything that can be wrong with a request whose grammar is right, before it is routed. */
import type { Settings } from '../model/settings.ts'
import { connectionOptions, OPTION } from '../wire/connection-options.ts'
import { FAULTS, type Fault } from '../wire/fault.ts'
import { FIELD } from '../wire/field-names.ts'
import type { Head } from '../wire/head.ts'
import type { Limits } from '../wire/limits.ts'
import type { ServerConnection } from '../wire/server-connection.ts'
import { readMethod } from './methods.ts'
import { readTarget, type Target } from './request-target.ts'

/** Max-Forwards says that the request ends here. */
export const LAST_HOP = -2

/** What is found out about a request on the way in; filled by `admit`. */
export interface Admitted {
  method: string
  http10: boolean
  authority: string | undefined
  framing: number
  /** `asked` where the client offers to switch protocols, else ''. */
  upgrade: string
  /** For the next hop; -1: not stated, LAST_HOP: there is none. */
  maxForwards: number
  readonly settings: Settings
  readonly target: Target
}

/** Fills `request`; returns what is wrong with it, or null. Tells the connection whether it may be kept. */
export function admit(request: Admitted, head: Head, connection: ServerConnection, limits: Limits): Fault | null {
  const { settings } = request
  const method = readMethod(head.buffer, head.methodStart, head.methodEnd)
  request.http10 = head.minor === 0
  if (request.http10) connection.closedByClient()
  if (method === null) return unfit(connection, FAULTS.badRequestLine)
  request.method = method
  if (request.http10 && !settings.http10) return unfit(connection, FAULTS.http10Refused)
  const options = connectionOptions(head, limits.connectionOptionsMax)
  if (options < 0) return unfit(connection, FAULTS.badConnectionOption)
  if ((options & OPTION.close) !== 0) connection.closedByClient()
  else if (request.http10 && (options & OPTION.keepAlive) !== 0) connection.allowReuse()
  const fault = readTarget(head, request.target, settings, method === 'CONNECT', method === 'OPTIONS')
  if (fault !== null) return unfit(connection, fault)
  request.authority = request.target.host
  if (method === 'CONNECT') return unfit(connection, FAULTS.connectRefused)
  if (head.expectCount > 0 && !request.http10) {
    connection.bodyMayNotCome()
    if (!expectsContinue(head)) return FAULTS.expectationFailed
  }
  if (settings.underscoreHeaders === 'reject' && hasUnderscore(head)) return FAULTS.badField
  request.upgrade = (options & OPTION.upgrade) !== 0 && head.upgradeCount > 0 && !request.http10 ? 'asked' : ''
  if (request.upgrade !== '' && request.framing !== 0) return unfit(connection, FAULTS.badUpgrade)
  if (head.has(FIELD.via) && hops(head) >= limits.hopsMax) return FAULTS.loop
  return readMaxForwards(request, head)
}

/** How often our own name stands in Via (RFC 9110 §7.6.3). */
function hops(head: Head): number {
  let count = 0
  for (let index = 0; index < head.fieldCount; index++) {
    if (head.id(index) === FIELD.via) count += head.value(index).split(' serin').length - 1
  }
  return count
}

/** Not only this request, the connection is not to be trusted. */
function unfit(connection: ServerConnection, fault: Fault): Fault {
  connection.forbidReuse()
  return fault
}

function expectsContinue(head: Head): boolean {
  return head.expectCount === 1 && head.value(head.expectIndex).toLowerCase() === '100-continue'
}

/** OPTIONS and TRACE count their hops (RFC 9110 §7.6.2). */
function readMaxForwards(request: Admitted, head: Head): Fault | null {
  if (!head.has(FIELD.maxForwards) || (request.method !== 'OPTIONS' && request.method !== 'TRACE')) return null
  const text = head.value(head.find(FIELD.maxForwards))
  if (!/^\d{1,9}$/u.test(text)) return FAULTS.badField
  request.maxForwards = Number(text) - 1
  if (request.maxForwards < 0) request.maxForwards = LAST_HOP
  return null
}

function hasUnderscore(head: Head): boolean {
  for (let index = 0; index < head.fieldCount; index++) {
    if (head.buffer.subarray(head.nameStart(index), head.nameEnd(index)).includes(0x5f)) return true
  }
  return false
}
