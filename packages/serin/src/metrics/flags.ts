/** Why a request ended as it did: Envoy's response flags, as bits of one number, so that a request can carry several. */

/** In Envoy's order, which is the order in which several are written. */
export const FLAG_NAMES = [
  'LH',
  'UH',
  'UT',
  'LR',
  'UR',
  'UF',
  'UC',
  'UO',
  'NR',
  'DI',
  'FI',
  'RL',
  'UAEX',
  'RLSE',
  'DC',
  'URX',
  'SI',
  'IH',
  'DPE',
  'UMSDR',
  'NFCF',
  'DT',
  'UPE',
  'NC',
  'OM',
] as const

export type FlagName = (typeof FLAG_NAMES)[number]

/** What each flag says, in a word that a person can read; also the wording of `docs/reference/metrics.md`. */
export const FLAG_MEANINGS: Readonly<Record<FlagName, string>> = {
  LH: 'the gateway itself failed its health check',
  UH: 'no healthy endpoint',
  UT: 'the request took longer than its time limit (upstream)',
  LR: 'the connection was reset by the gateway',
  UR: 'the upstream reset the stream',
  UF: 'no connection to the upstream',
  UC: 'the upstream closed the connection before its response was whole',
  UO: 'a circuit breaker or a queue was full',
  NR: 'no route',
  DI: 'delayed by fault injection',
  FI: 'aborted by fault injection',
  RL: 'rate limited',
  UAEX: 'denied by the authorization service',
  RLSE: 'the rate limit service failed',
  DC: 'the client closed the connection before the response was whole',
  URX: 'the limit of retries was reached',
  SI: 'a stream was idle for too long',
  IH: 'a header that is checked had an invalid value',
  DPE: 'the client broke the protocol',
  UMSDR: 'the longest time of a stream was reached',
  NFCF: 'the cluster was not found',
  DT: 'the longest time of a connection was reached (downstream)',
  UPE: 'the upstream broke the protocol',
  NC: 'the route names no cluster',
  OM: 'refused because the gateway is overloaded',
}

/** `FLAG.UF | FLAG.URX`. 0 is no flag. */
export const FLAG: Readonly<Record<FlagName, number>> = Object.fromEntries(
  FLAG_NAMES.map((name, index) => [name, 1 << index]),
) as Record<FlagName, number>

/** As Envoy's `%RESPONSE_FLAGS%` writes it: names with commas, `-` for none. */
export function flagText(flags: number): string {
  if (flags === 0) return '-'
  return FLAG_NAMES.filter((_, index) => (flags & (1 << index)) !== 0).join(',')
}
