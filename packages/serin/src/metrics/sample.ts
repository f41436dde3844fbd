/**
 * What a worker tells its supervisor, and the supervisor's sum over its workers, living and dead:
 *
 *     const totals = new Totals()
 *     totals.apply(workerId, sample)     // whenever one arrives
 *     totals.workerGone(workerId)        // its counts stay, its running requests do not
 *     prometheusText(totals.series(Date.now()))
 *
 * Counts never go backwards when a worker is replaced: what a dead one had counted (as of its last sample) is kept.
 */
import { CELL, CELL_COUNT, GAUGE_CELLS } from './cells.ts'
import { labelKey, type Labels } from './meter.ts'

/** Plain JSON; small when little happened: rows that changed, and of those the cells that are not 0. */
export interface Sample {
  readonly rows: readonly SampleRow[]
  /** Ids of rows that are no more. */
  readonly removed: readonly number[]
}

export interface SampleRow {
  /** Of the row within its worker. */
  readonly id: number
  /** With the first sample of a row. */
  readonly labels?: Labels
  /** Cell, value, cell, value, …: absolute, since the worker began. */
  readonly cells: readonly number[]
  /** Code, count, code, count, …, of codes that have no cell. */
  readonly rareCodes?: readonly number[]
}

/** The sum of one row over all workers. */
export interface Series {
  readonly labels: Labels
  readonly cells: Float64Array
  readonly rareCodes: ReadonlyMap<number, number>
}

/** How long a row is kept that no living worker has (a worker that is being replaced has none for a moment). */
const ORPHAN_MS_MAX = 600_000

interface Counts {
  readonly cells: Float64Array
  readonly rareCodes: Map<number, number>
}

interface Row {
  readonly labels: Labels
  /** Of workers that are gone, and of rows that a worker removed. */
  past: Counts
  readonly living: Map<number, Counts>
  orphanSince: number | undefined
}

export class Totals {
  readonly #rows = new Map<string, Row>()
  /** Worker → id of a row in it → key. */
  readonly #keys = new Map<number, Map<number, string>>()

  /** Takes a worker's sample. Rows that it never named are left out. */
  apply(worker: number, sample: Sample): void {
    let keys = this.#keys.get(worker)
    if (!keys) this.#keys.set(worker, (keys = new Map()))
    for (const row of sample.rows) {
      if (row.labels) keys.set(row.id, labelKey(row.labels))
      const key = keys.get(row.id)
      if (key !== undefined) this.#set(key, worker, row)
    }
    for (const id of sample.removed) {
      const key = keys.get(id)
      if (key !== undefined) this.#toPast(key, worker)
      keys.delete(id)
    }
  }

  /** A worker has ended: its counts become part of the past. */
  workerGone(worker: number): void {
    for (const key of this.#keys.get(worker)?.values() ?? []) this.#toPast(key, worker)
    this.#keys.delete(worker)
  }

  /** Every row with its sum, in the order of first appearance. Forgets rows that no worker has had for ORPHAN_MS_MAX. */
  series(nowMs: number): Series[] {
    const series: Series[] = []
    for (const [key, row] of this.#rows) {
      if (row.living.size > 0) row.orphanSince = undefined
      else row.orphanSince ??= nowMs
      if (row.orphanSince !== undefined && nowMs - row.orphanSince > ORPHAN_MS_MAX) this.#rows.delete(key)
      else series.push(sumOf(row))
    }
    return series
  }

  #set(key: string, worker: number, sample: SampleRow): void {
    let row = this.#rows.get(key)
    if (!row) {
      row = { labels: sample.labels!, past: NOTHING, living: new Map(), orphanSince: undefined }
      this.#rows.set(key, row)
    }
    row.living.set(worker, countsOf(sample))
  }

  #toPast(key: string, worker: number): void {
    const row = this.#rows.get(key)
    const counts = row?.living.get(worker)
    if (!row || !counts) return
    row.living.delete(worker)
    for (const cell of GAUGE_CELLS) counts.cells[cell] = 0
    counts.cells[CELL.ended] = counts.cells[CELL.started]!
    counts.cells[CELL.connectionsClosed] = counts.cells[CELL.connectionsOpened]!
    if (row.past === NOTHING) row.past = noCounts()
    add(row.past, counts)
  }
}

/** Shared by all rows in which nothing was counted yet: most of 10,000. Never written to, but with zeros. */
const NOTHING: Counts = noCounts()

function noCounts(): Counts {
  return { cells: new Float64Array(CELL_COUNT), rareCodes: new Map() }
}

function countsOf(sample: SampleRow): Counts {
  if (sample.cells.length === 0) return NOTHING
  const counts = noCounts()
  for (let index = 0; index + 1 < sample.cells.length; index += 2) {
    counts.cells[sample.cells[index]!] = sample.cells[index + 1]!
  }
  const codes = sample.rareCodes ?? []
  for (let index = 0; index + 1 < codes.length; index += 2) counts.rareCodes.set(codes[index]!, codes[index + 1]!)
  return counts
}

function sumOf(row: Row): Series {
  const untouched = row.past === NOTHING && [...row.living.values()].every((counts) => counts === NOTHING)
  if (untouched) return { labels: row.labels, ...NOTHING }
  const sum = noCounts()
  add(sum, row.past)
  for (const counts of row.living.values()) add(sum, counts)
  for (const cell of GAUGE_CELLS) {
    sum.cells[cell] = Math.max(0, ...[...row.living.values()].map((counts) => counts.cells[cell]!))
  }
  return { labels: row.labels, ...sum }
}

function add(sum: Counts, more: Counts): void {
  for (let cell = 0; cell < CELL_COUNT; cell++) sum.cells[cell]! += more.cells[cell]!
  for (const [code, count] of more.rareCodes) sum.rareCodes.set(code, (sum.rareCodes.get(code) ?? 0) + count)
}
