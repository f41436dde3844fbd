/** One row of counts: of a version, of a listener or of a cluster. Counting allocates nothing. */
import { CELL, CELL_COUNT, cellOfCode, FIRST_BUCKET, FIRST_FLAG, FIRST_UPSTREAM_BUCKET } from './cells.ts'
import { bucketOf } from './histogram.ts'

/** What a row of counts belongs to. */
export type Labels =
  | { readonly kind: 'destination'; readonly mapping: string; readonly version: string }
  | { readonly kind: 'listener'; readonly listener: string; readonly statsPrefix: string }
  /** Clusters of one statName share a row, as in Envoy. */
  | { readonly kind: 'cluster'; readonly statName: string }
  /** The place of a worker: its replacement counts on. */
  | { readonly kind: 'worker'; readonly worker: number }

/** Codes outside COMMON_CODES that one meter tells apart; more are counted as 599 or the like of their class. */
const RARE_CODES_MAX = 32

export class Meter {
  readonly id: number
  readonly labels: Labels
  readonly cells: Float64Array
  /** Codes that have no cell; undefined until the first one. */
  rareCodes: Map<number, number> | undefined = undefined

  constructor(id: number, labels: Labels, cells: Float64Array) {
    this.id = id
    this.labels = labels
    this.cells = cells
  }

  /** A request was taken (its head is whole). */
  started(): void {
    this.cells[CELL.changes]! += 1
    this.cells[CELL.started]! += 1
  }

  /**
   * A request is over, well or not. Once for each `started`.
   * @param status the code sent to the client; 0 if none was
   * @param durationMs from the whole request head to the last octet of the response
   * @param bytesIn octets of the request's body @param bytesOut octets of the response's body
   * @param flags of `FLAG`, 0 for none
   */
  ended(status: number, durationMs: number, bytesIn: number, bytesOut: number, flags: number): void {
    const cells = this.cells
    cells[CELL.changes]! += 1
    cells[CELL.ended]! += 1
    cells[CELL.bytesIn]! += bytesIn
    cells[CELL.bytesOut]! += bytesOut
    cells[CELL.durationMsSum]! += durationMs
    cells[FIRST_BUCKET + bucketOf(durationMs)]! += 1
    const cell = cellOfCode(status)
    if (cell >= 0) cells[cell]! += 1
    else this.#countRare(status)
    if (flags !== 0) this.#countFlags(flags)
  }

  /** The head of an upstream's response is here. @param ms from the request sent upstream to this moment */
  upstreamAnswered(ms: number): void {
    const cells = this.cells
    cells[CELL.changes]! += 1
    cells[CELL.upstreamCount]! += 1
    cells[CELL.upstreamMsSum]! += ms
    cells[FIRST_UPSTREAM_BUCKET + bucketOf(ms)]! += 1
  }

  /** One (or `by`) more of what `cell` counts: `meter.count(CELL.retries)`. */
  count(cell: number, by = 1): void {
    this.cells[CELL.changes]! += 1
    this.cells[cell]! += by
  }

  /** Sets a gauge: `meter.set(CELL.membersHealthy, 4)`. */
  set(cell: number, value: number): void {
    this.cells[CELL.changes]! += 1
    this.cells[cell] = value
  }

  /** Requests that have started and not ended. */
  get active(): number {
    return this.cells[CELL.started]! - this.cells[CELL.ended]!
  }

  #countRare(status: number): void {
    const codes = (this.rareCodes ??= new Map())
    const code = codes.has(status) || codes.size < RARE_CODES_MAX ? status : Math.trunc(status / 100) * 100 + 99
    codes.set(code, (codes.get(code) ?? 0) + 1)
  }

  #countFlags(flags: number): void {
    for (let rest = flags, cell = FIRST_FLAG; rest !== 0 && cell < CELL_COUNT; rest >>>= 1, cell++) {
      if ((rest & 1) !== 0) this.cells[cell]! += 1
    }
  }
}

/** One text per row: rows of the same labels in two workers are one row to the reader. */
export function labelKey(labels: Labels): string {
  switch (labels.kind) {
    case 'destination':
      return `d\0${labels.mapping}\0${labels.version}`
    case 'listener':
      return `l\0${labels.listener}\0${labels.statsPrefix}`
    case 'cluster':
      return `c\0${labels.statName}`
    case 'worker':
      return `w\0${labels.worker}`
  }
}
