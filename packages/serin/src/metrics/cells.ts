/** Where each count of a meter lies in its row of numbers. One layout for all kinds of meter, so that all code that counts is the same code. */
import { FLAG_NAMES } from './flags.ts'
import { BUCKET_COUNT } from './histogram.ts'

/** Counts that are added up over workers, and stay when a worker is gone. */
const SUMS = [
  /** Grows with everything that is counted: tells a sample what changed. Not a measure. */
  'changes',
  'started',
  'ended',
  'bytesIn',
  'bytesOut',
  'durationMsSum',
  'upstreamMsSum',
  'upstreamCount',
  'connectFailures',
  'connectTimeouts',
  'retries',
  'retrySuccesses',
  'timeouts',
  'perTryTimeouts',
  'pendingOverflows',
  'connectionsOpened',
  'connectionsClosed',
  'connectionsRefused',
  'protocolErrors',
  'resetsReceived',
  'resetsSent',
  'logLines',
  'logLinesDropped',
  'cpuSeconds',
] as const

/** States, not counts: the largest of the workers' is taken, and they go with their worker. */
const GAUGES = ['membersHealthy', 'membersTotal', 'residentBytes', 'heapBytes', 'loopUtilization'] as const

type CellName = (typeof SUMS)[number] | (typeof GAUGES)[number]

/** `meter.count(CELL.retries)`. */
export const CELL: Readonly<Record<CellName, number>> = Object.fromEntries(
  [...SUMS, ...GAUGES].map((name, index) => [name, index]),
) as Record<CellName, number>

export const GAUGE_CELLS: readonly number[] = GAUGES.map((name) => CELL[name])

/** Codes with a cell of their own; others are counted in the meter's `rareCodes`. 0: no response was begun. */
export const COMMON_CODES: readonly number[] = [
  0, 101, 200, 201, 202, 203, 204, 206, 207, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408,
  409, 410, 411, 412, 413, 414, 415, 417, 421, 422, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505,
]

export const FIRST_CODE: number = SUMS.length + GAUGES.length
export const FIRST_BUCKET: number = FIRST_CODE + COMMON_CODES.length
export const FIRST_UPSTREAM_BUCKET: number = FIRST_BUCKET + BUCKET_COUNT
export const FIRST_FLAG: number = FIRST_UPSTREAM_BUCKET + BUCKET_COUNT
/** Numbers in one row. */
export const CELL_COUNT: number = FIRST_FLAG + FLAG_NAMES.length

const CODE_MAX = 999
const codeCells = new Int16Array(CODE_MAX + 1).fill(-1)
COMMON_CODES.forEach((code, index) => {
  codeCells[code] = FIRST_CODE + index
})

/** The cell of a status code, or -1 for a rare one. */
export function cellOfCode(code: number): number {
  return code >= 0 && code <= CODE_MAX ? codeCells[code]! : -1
}
