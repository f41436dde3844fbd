/**
 * What happened per version in the last minutes, for rates and verdicts: the differences between successive sums.
 *
 *     const windows = new Windows()
 *     windows.add(totals.series(now), now)                       // every STEP_MS or so, with the monotonic clock
 *     windows.last('default/hello-v2', 'v2', 60_000)             // → requests, failures, quantiles of the last minute
 *
 * Only versions that had requests in a step cost memory in it.
 */
import { CELL, CELL_COUNT, FIRST_BUCKET } from './cells.ts'
import { codeCounts } from './exposition.ts'
import { BUCKET_COUNT, quantile } from './histogram.ts'
import { labelKey } from './meter.ts'
import type { Series } from './sample.ts'

/** How far a window can look back. */
export const WINDOW_MS_MAX = 900_000
/** How often `add` is meant to be called. */
export const STEP_MS = 5_000
/** Steps that are kept, also when `add` is called more often. */
const STEPS_MAX = WINDOW_MS_MAX / STEP_MS
/** Rows over all steps; the oldest steps go first. 100,000 rows of 1.3 kB. */
const ROWS_MAX = 100_000

interface Step {
  readonly startMs: number
  readonly endMs: number
  readonly rows: ReadonlyMap<string, Row>
}

interface Row {
  readonly cells: Float64Array
  readonly codes: ReadonlyMap<number, number>
}

/** Everything about one version in one window. */
export interface WindowSummary {
  /** The time that is really covered, in ms: shorter than asked for when the gateway is younger. 0: nothing is known. */
  readonly coveredMs: number
  /** Requests that ended. */
  readonly requests: number
  /** Status code → requests. 0: no response was begun (the client went away). */
  readonly codes: ReadonlyMap<number, number>
  readonly connectFailures: number
  readonly retries: number
  readonly timeouts: number
  readonly meanMs: number
  /** Counts for each of BUCKET_BOUNDS_MS, and one above. */
  readonly buckets: Float64Array
  /** The duration that this share of the requests did not exceed; NaN without requests. */
  quantileMs(share: number): number
}

export class Windows {
  #steps: Step[] = []
  #before = new Map<string, Row>()
  #beforeMs: number | undefined

  /** Takes the sums of a moment. A sum that is smaller than before (a row that was forgotten and came again) counts as a beginning. */
  add(series: readonly Series[], nowMs: number): void {
    const now = new Map<string, Row>()
    for (const one of series) {
      if (one.labels.kind === 'destination') now.set(labelKey(one.labels), { cells: one.cells, codes: codeCounts(one) })
    }
    if (this.#beforeMs !== undefined) this.#steps.push(this.#stepTo(now, this.#beforeMs, nowMs))
    this.#before = now
    this.#beforeMs = nowMs
    this.#trim(nowMs)
  }

  /** The sum of the steps that began within the last `windowMs`. Nothing but zeros for a version without requests. */
  last(mapping: string, version: string, windowMs: number): WindowSummary {
    const key = labelKey({ kind: 'destination', mapping, version })
    const since = (this.#beforeMs ?? 0) - windowMs
    const steps = this.#steps.filter(({ startMs }) => startMs >= since)
    const rows = steps.flatMap((step) => step.rows.get(key) ?? [])
    return summary(rows, steps.length === 0 ? 0 : steps.at(-1)!.endMs - steps[0]!.startMs)
  }

  #stepTo(now: ReadonlyMap<string, Row>, startMs: number, endMs: number): Step {
    const rows = new Map<string, Row>()
    for (const [key, row] of now) {
      const change = difference(row, this.#before.get(key))
      if (change) rows.set(key, change)
    }
    return { startMs, endMs, rows }
  }

  #trim(nowMs: number): void {
    let rows = this.#steps.reduce((sum, step) => sum + step.rows.size, 0)
    while (
      this.#steps.length > STEPS_MAX ||
      rows > ROWS_MAX ||
      (this.#steps[0] !== undefined && this.#steps[0].startMs < nowMs - WINDOW_MS_MAX)
    ) {
      rows -= this.#steps.shift()?.rows.size ?? 0
    }
  }
}

function difference(now: Row, before: Row | undefined): Row | undefined {
  if (before === undefined || before.cells[CELL.changes]! > now.cells[CELL.changes]!) {
    return now.cells[CELL.changes]! > 0 ? now : undefined
  }
  if (before.cells[CELL.changes]! === now.cells[CELL.changes]!) return undefined
  const cells = now.cells.map((value, cell) => value - before.cells[cell]!)
  const codes = [...now.codes].map(([code, count]) => [code, count - (before.codes.get(code) ?? 0)] as const)
  return { cells, codes: new Map(codes.filter(([, count]) => count > 0)) }
}

function summary(rows: readonly Row[], coveredMs: number): WindowSummary {
  const cells = new Float64Array(CELL_COUNT)
  const codes = new Map<number, number>()
  for (const row of rows) {
    for (let cell = 0; cell < CELL_COUNT; cell++) cells[cell]! += row.cells[cell]!
    for (const [code, count] of row.codes) codes.set(code, (codes.get(code) ?? 0) + count)
  }
  const requests = cells[CELL.ended]!
  const buckets = cells.slice(FIRST_BUCKET, FIRST_BUCKET + BUCKET_COUNT)
  return {
    coveredMs,
    requests,
    codes,
    connectFailures: cells[CELL.connectFailures]!,
    retries: cells[CELL.retries]!,
    timeouts: cells[CELL.timeouts]!,
    meanMs: requests === 0 ? Number.NaN : cells[CELL.durationMsSum]! / requests,
    buckets,
    quantileMs: (share) => quantile(buckets, share),
  }
}
