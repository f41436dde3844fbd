/** What Envoy's `%OPERATOR%`s stand for in header values. */
import { hostname } from 'node:os'
import { flagText } from '../metrics/flags.ts'
import { timeFormatter } from '../metrics/time-format.ts'
import { nameHash } from '../wire/field-names.ts'
import type { Head } from '../wire/head.ts'
import { octetsOf } from '../wire/octets.ts'
import type { ExchangeRecord } from './exchange-record.ts'

type Reader = (entry: ExchangeRecord, head: Head, argument: string | undefined) => string | null

const OPERATORS: Readonly<Record<string, Reader>> = {
  DOWNSTREAM_REMOTE_ADDRESS: (entry) => entry.downstreamRemoteAddress ?? null,
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: (entry) => entry.downstreamRemoteAddress ?? null,
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: (entry) =>
    entry.downstreamDirectAddress ?? entry.downstreamRemoteAddress ?? null,
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: (entry) => entry.downstreamDirectAddress ?? entry.downstreamRemoteAddress ?? null,
  DOWNSTREAM_LOCAL_ADDRESS: (entry) => entry.downstreamLocalAddress ?? null,
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: (entry) => entry.downstreamLocalAddress?.replace(/:\d+$/u, '') ?? null,
  DOWNSTREAM_LOCAL_PORT: (entry) => /:(\d+)$/u.exec(entry.downstreamLocalAddress ?? '')?.[1] ?? null,
  BYTES_RECEIVED: (entry) => String(entry.bytesIn),
  ENVIRONMENT: (_entry, _head, argument) => process.env[argument ?? ''] ?? null,
  HOSTNAME: () => process.env['HOSTNAME'] ?? hostname(),
  MAPPING: (entry) => entry.mapping ?? null,
  REQUESTED_SERVER_NAME: (entry) => entry.requestedServerName ?? null,
  RESPONSE_CODE_DETAILS: (entry) => entry.details ?? null,
  PROTOCOL: (entry) => entry.protocol,
  REQ: (entry, head, argument) => requestValue(entry, head, argument ?? ''),
  RESP: (_entry, head, argument) => (head.status === 0 ? null : headerValue(head, argument ?? '')),
  RESPONSE_CODE: (entry) => (entry.status > 0 ? String(entry.status) : null),
  RESPONSE_FLAGS: (entry) => flagText(entry.flags),
  START_TIME: (entry, _head, argument) => timeText(entry.startMs, argument),
  UPSTREAM_CLUSTER: (entry) => entry.upstreamCluster ?? null,
  UPSTREAM_HOST: (entry) => entry.upstreamHost ?? null,
  VERSION: (entry) => entry.version ?? null,
}

/** What may stand between two percent signs; the compiler refuses the rest. */
export const OPERATOR_NAMES: readonly string[] = Object.keys(OPERATORS)

const formatters = new Map<string, (ms: number) => string>()
/** Formats come from resources, so they are few; more than this are made anew each time. */
const FORMATTERS_MAX = 100

function timeText(ms: number, format = ''): string {
  let formatter = formatters.get(format)
  if (formatter === undefined) {
    formatter = timeFormatter(format)
    if (formatters.size < FORMATTERS_MAX) formatters.set(format, formatter)
  }
  return formatter(ms)
}

export function operatorValue(
  entry: ExchangeRecord,
  head: Head,
  operator: string,
  argument: string | undefined,
): string | null {
  return OPERATORS[operator]?.(entry, head, argument) ?? null
}

/** `NAME?OTHER`: the first that is there. While the request's head is written it is read from there, later from what was sent. */
function requestValue(entry: ExchangeRecord, head: Head, argument: string): string | null {
  for (const name of argument.split('?')) {
    const lower = name.toLowerCase()
    const value = lower.startsWith(':')
      ? pseudoValue(entry, lower)
      : (entry.requestHeader(lower) ?? (head.status === 0 ? headerValue(head, lower) : null))
    if (value !== null) return value
  }
  return null
}

function pseudoValue(entry: ExchangeRecord, name: string): string | null {
  if (name === ':method') return entry.method
  if (name === ':path') return entry.path
  return name === ':authority' ? (entry.authority ?? null) : null
}

function headerValue(head: Head, name: string): string | null {
  const lower = octetsOf(name.toLowerCase())
  return head.joined(lower, nameHash(lower))
}
