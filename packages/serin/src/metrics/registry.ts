/**
 * What one worker counts.
 *
 *     const registry = new Registry()
 *     // when a Plan is built: ask for the meters and keep them in the plan
 *     registry.beginPlan()
 *     const version = registry.destination('default/hello-v2', 'v2'), upstream = registry.cluster('hello_8000'), port = registry.listener('http-8080', 'ingress_http')
 *     registry.endPlan(Date.now())
 *     // per request: nothing is allocated
 *     port.started(); version.started(); upstream.started()
 *     upstream.upstreamAnswered(ms)                       // head of the response is here
 *     upstream.count(CELL.retries)                        // `CELL` has a name for each thing that is counted; also: version.count(CELL.retries)
 *     version.ended(status, durationMs, bytesIn, bytesOut, FLAG.UF | FLAG.URX), and port and upstream alike
 *     // when the supervisor asks
 *     process.send({ kind: 'sample', sample: registry.sample() })
 *
 * Asking for the same labels again gives the same meter. A meter that a plan no longer asks for stays for a while (a
 * scraper has to see its last counts, and requests of the old plan end later), then goes.
 */
import { performance, type EventLoopUtilization } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { CELL, CELL_COUNT } from './cells.ts'
import { labelKey, Meter, type Labels } from './meter.ts'
import type { Sample, SampleRow } from './sample.ts'

/** How long a meter outlives the last plan that asked for it. */
const UNUSED_MS_MAX = 600_000
/** Rows that are allocated at once. Untouched ones cost no memory: the system hands out pages at the first write. */
const ROWS_PER_CHUNK = 256

interface Entry {
  readonly meter: Meter
  /** The last plan that asked for it. */
  plan: number
  /** When a plan first left it out; undefined while one uses it. */
  unusedSince: number | undefined
  /** `changes` at the last sample; -1: never sampled. */
  sampledChanges: number
}

export class Registry {
  readonly #entries = new Map<string, Entry>()
  readonly #freeRows: Float64Array[] = []
  #removed: number[] = []
  #nextId = 0
  #plan = 0
  #worker: Meter | undefined
  #loop: EventLoopUtilization = performance.eventLoopUtilization()

  /** Every meter that is asked for from here on belongs to the new plan. */
  beginPlan(): void {
    this.#plan++
  }

  /** Meters that were not asked for since `beginPlan` start to age; old ones without a running request go. */
  endPlan(nowMs: number): void {
    for (const [key, entry] of this.#entries) {
      if (entry.plan === this.#plan || entry.meter === this.#worker) entry.unusedSince = undefined
      else if (entry.unusedSince === undefined) entry.unusedSince = nowMs
      else if (nowMs - entry.unusedSince > UNUSED_MS_MAX) this.#remove(key, entry)
    }
  }

  /** The meter of one version: of one Mapping. */
  destination(mapping: string, version: string): Meter {
    return this.#meter({ kind: 'destination', mapping, version })
  }

  /** The meter of a port. Requests that match no route and connections are counted here. */
  listener(listener: string, statsPrefix: string): Meter {
    return this.#meter({ kind: 'listener', listener, statsPrefix })
  }

  /** The meter of a Cluster, by its statName. */
  cluster(statName: string): Meter {
    return this.#meter({ kind: 'cluster', statName })
  }

  /** The meter of this worker itself. Belongs to no plan. */
  worker(index: number): Meter {
    this.#worker ??= this.#meter({ kind: 'worker', worker: index })
    return this.#worker
  }

  /** What changed since the last sample; `full`: all there is. */
  sample(full = false): Sample {
    const rows: SampleRow[] = []
    if (this.#worker) this.#loop = measureProcess(this.#worker, this.#loop)
    for (const entry of this.#entries.values()) {
      const changes = entry.meter.cells[CELL.changes]!
      if (!full && entry.sampledChanges === changes) continue
      rows.push(rowOf(entry.meter, full || entry.sampledChanges === -1))
      entry.sampledChanges = changes
    }
    const removed = this.#removed
    this.#removed = []
    return { rows, removed }
  }

  #meter(labels: Labels): Meter {
    const key = labelKey(labels)
    const known = this.#entries.get(key)
    if (known) {
      known.plan = this.#plan
      return known.meter
    }
    const meter = new Meter(this.#nextId++, labels, this.#row())
    this.#entries.set(key, { meter, plan: this.#plan, unusedSince: undefined, sampledChanges: -1 })
    return meter
  }

  #row(): Float64Array {
    if (this.#freeRows.length === 0) {
      const chunk = new Float64Array(ROWS_PER_CHUNK * CELL_COUNT)
      for (let row = ROWS_PER_CHUNK - 1; row >= 0; row--) {
        this.#freeRows.push(chunk.subarray(row * CELL_COUNT, (row + 1) * CELL_COUNT))
      }
    }
    return this.#freeRows.pop()!
  }

  #remove(key: string, entry: Entry): void {
    if (entry.meter.active !== 0) return
    this.#entries.delete(key)
    this.#removed.push(entry.meter.id)
    // The row is not used again: somebody may still hold the meter.
  }
}

/** What this process has used so far; how busy its loop was since the last sample. */
function measureProcess(meter: Meter, loopBefore: EventLoopUtilization): EventLoopUtilization {
  const { user, system } = process.cpuUsage()
  const loop = performance.eventLoopUtilization()
  meter.set(CELL.cpuSeconds, (user + system) / 1e6)
  meter.set(CELL.residentBytes, process.memoryUsage.rss())
  meter.set(CELL.heapBytes, getHeapStatistics().used_heap_size)
  meter.set(CELL.loopUtilization, performance.eventLoopUtilization(loop, loopBefore).utilization)
  return loop
}

function rowOf(meter: Meter, withLabels: boolean): SampleRow {
  const cells: number[] = []
  for (let cell = 0; cell < CELL_COUNT; cell++) {
    const value = meter.cells[cell]!
    if (value !== 0) cells.push(cell, value)
  }
  return {
    id: meter.id,
    ...(withLabels && { labels: meter.labels }),
    cells,
    ...(meter.rareCodes && { rareCodes: [...meter.rareCodes].flat() }),
  }
}
