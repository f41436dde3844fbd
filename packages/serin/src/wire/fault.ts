/**
 * What can go wrong with a message or a connection: a code, whose fault, what the client hears, and the flag that Envoy's
 * access log would show. One table, so that a new fault cannot lack an answer.
 */
export interface Fault {
  /** Stable name, for metrics and the access log's details. */
  readonly code: string
  readonly side: 'client' | 'upstream' | 'gateway'
  /** Status of the local answer; 0: the connection is only closed. */
  readonly status: number
  /** Envoy's response flag; `-` where Envoy has none. */
  readonly flag: string
  /** Body of the local answer. Fixed text: nothing of the request is echoed. */
  readonly text: string
}

function fault(code: string, side: Fault['side'], status: number, flag: string, text: string): Fault {
  return { code, side, status, flag, text }
}

const UPSTREAM_RESET = 'upstream connect error or disconnect/reset before headers. reset reason: '

export type FaultName =
  | 'badRequestLine'
  | 'badVersion'
  | 'badField'
  | 'badTarget'
  | 'badHost'
  | 'badContentLength'
  | 'badTransferEncoding'
  | 'unknownTransferCoding'
  | 'badConnectionOption'
  | 'badUpgrade'
  | 'badChunk'
  | 'badTrailer'
  | 'http10Refused'
  | 'requestLineTooLong'
  | 'headTooLarge'
  | 'bodyTooLarge'
  | 'expectationFailed'
  | 'connectRefused'
  | 'traceRefused'
  | 'upgradeRefused'
  | 'addressRefused'
  | 'headTimeout'
  | 'bodyTimeout'
  | 'clientClosed'
  | 'clientStalled'
  | 'noRoute'
  | 'noHealthyUpstream'
  | 'noCluster'
  | 'endpointGone'
  | 'connectFailed'
  | 'connectTimeout'
  | 'upstreamClosed'
  | 'streamRefused'
  | 'upstreamProtocol'
  | 'upstreamTimeout'
  | 'upstreamPerTryTimeout'
  | 'streamIdle'
  | 'upstreamTruncated'
  | 'upstreamBadBody'
  | 'overflow'
  | 'overload'
  | 'tooManyConnections'
  | 'loop'
  | 'internal'

export const FAULTS: Readonly<Record<FaultName, Fault>> = {
  badRequestLine: fault('bad-request-line', 'client', 400, 'DPE', 'Bad Request'),
  badVersion: fault('bad-version', 'client', 505, 'DPE', 'HTTP Version Not Supported'),
  badField: fault('bad-field', 'client', 400, 'DPE', 'Bad Request'),
  badTarget: fault('bad-target', 'client', 400, 'DPE', 'Bad Request'),
  badHost: fault('bad-host', 'client', 400, 'DPE', 'Bad Request'),
  badContentLength: fault('bad-content-length', 'client', 400, 'DPE', 'Bad Request'),
  badTransferEncoding: fault('bad-transfer-encoding', 'client', 400, 'DPE', 'Bad Request'),
  unknownTransferCoding: fault('unknown-transfer-coding', 'client', 501, 'DPE', 'Not Implemented'),
  badConnectionOption: fault('bad-connection-option', 'client', 400, 'DPE', 'Bad Request'),
  badUpgrade: fault('bad-upgrade', 'client', 400, 'DPE', 'Bad Request'),
  badChunk: fault('bad-chunk', 'client', 400, 'DPE', 'Bad Request'),
  badTrailer: fault('bad-trailer', 'client', 400, 'DPE', 'Bad Request'),
  http10Refused: fault('http10-refused', 'client', 426, 'DPE', 'Upgrade Required'),
  requestLineTooLong: fault('request-line-too-long', 'client', 414, 'DPE', 'URI Too Long'),
  headTooLarge: fault('head-too-large', 'client', 431, 'DPE', 'Request Header Fields Too Large'),
  bodyTooLarge: fault('body-too-large', 'client', 413, 'DPE', 'Payload Too Large'),
  expectationFailed: fault('expectation-failed', 'client', 417, 'DPE', 'Expectation Failed'),
  connectRefused: fault('connect-refused', 'client', 405, 'DPE', 'Method Not Allowed'),
  traceRefused: fault('trace-refused', 'client', 405, '-', 'Method Not Allowed'),
  addressRefused: fault('address-refused', 'client', 403, '-', 'RBAC: access denied'),
  upgradeRefused: fault('upgrade-refused', 'client', 403, '-', ''),
  headTimeout: fault('head-timeout', 'client', 408, 'DPE', 'Request Timeout'),
  bodyTimeout: fault('body-timeout', 'client', 408, 'SI', 'Request Timeout'),
  clientClosed: fault('client-closed', 'client', 0, 'DC', ''),
  clientStalled: fault('client-stalled', 'client', 0, 'SI', ''),
  noRoute: fault('no-route', 'gateway', 404, 'NR', ''),
  noHealthyUpstream: fault('no-healthy-upstream', 'upstream', 503, 'UH', 'no healthy upstream'),
  noCluster: fault('no-cluster', 'gateway', 503, 'NC', 'no healthy upstream'),
  endpointGone: fault('endpoint-gone', 'upstream', 503, 'UH', 'no healthy upstream'),
  connectFailed: fault('upstream-connect-failed', 'upstream', 503, 'UF', `${UPSTREAM_RESET}remote connection failure`),
  connectTimeout: fault('upstream-connect-timeout', 'upstream', 503, 'UF', `${UPSTREAM_RESET}connection timeout`),
  streamRefused: fault(
    'upstream-refused-stream',
    'upstream',
    503,
    'UR',
    `${UPSTREAM_RESET}remote refused stream reset`,
  ),
  upstreamClosed: fault('upstream-closed', 'upstream', 503, 'UC', `${UPSTREAM_RESET}connection termination`),
  upstreamProtocol: fault('upstream-protocol-error', 'upstream', 502, 'UPE', `${UPSTREAM_RESET}protocol error`),
  upstreamTimeout: fault('upstream-timeout', 'upstream', 504, 'UT', 'upstream request timeout'),
  upstreamPerTryTimeout: fault('upstream-per-try-timeout', 'upstream', 504, 'UT', 'upstream request timeout'),
  streamIdle: fault('stream-idle', 'gateway', 504, 'SI', 'stream timeout'),
  upstreamTruncated: fault('upstream-truncated', 'upstream', 0, 'UC', ''),
  upstreamBadBody: fault('upstream-bad-body', 'upstream', 0, 'UPE', ''),
  overflow: fault(
    'upstream-overflow',
    'gateway',
    503,
    'UO',
    'upstream connect error or disconnect/reset before headers. reset reason: overflow',
  ),
  overload: fault('overload', 'gateway', 503, 'OM', 'overloaded'),
  tooManyConnections: fault('too-many-connections', 'gateway', 503, 'OM', 'too many connections'),
  loop: fault('loop-detected', 'client', 508, '-', 'Loop Detected'),
  internal: fault('internal-error', 'gateway', 500, 'LR', 'internal error'),
}
