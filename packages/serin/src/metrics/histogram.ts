/**
 * The fixed buckets of every duration. They contain the bounds of both histograms that are exposed (OpenTelemetry's in
 * seconds, Envoy's in milliseconds), so either is an exact sum of these, with more between them for quantiles.
 */

/** Upper bounds in ms, inclusive; one more bucket takes what is above the last. */
export const BUCKET_BOUNDS_MS: readonly number[] = [
  0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3.5, 5, 7.5, 10, 15, 20, 25, 35, 50, 75, 100, 150, 200, 250, 350, 500, 750,
  1_000, 1_500, 2_000, 2_500, 3_500, 5_000, 7_500, 10_000, 15_000, 20_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
]

export const BUCKET_COUNT: number = BUCKET_BOUNDS_MS.length + 1

/** OpenTelemetry's bounds, and 0.001, 0.0025, 30 and 60: below 5 ms a service nearby would have no median otherwise. */
export const EXPOSED_BOUNDS_SECONDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60,
]

export const ENVOY_BOUNDS_MS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
]

const bounds = Float64Array.from(BUCKET_BOUNDS_MS)

/** Index of the bucket that a duration falls into. Six comparisons, no allocation. */
export function bucketOf(ms: number): number {
  let low = 0
  let high = bounds.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ms <= bounds[middle]!) high = middle
    else low = middle + 1
  }
  return low
}

/** Counts at or below each of some bounds (which must be among BUCKET_BOUNDS_MS). Pure. */
export function cumulative(buckets: ArrayLike<number>, boundsMs: readonly number[]): number[] {
  let sum = 0
  let index = 0
  return boundsMs.map((bound) => {
    for (; index < BUCKET_BOUNDS_MS.length && BUCKET_BOUNDS_MS[index]! <= bound; index++) sum += buckets[index] ?? 0
    return sum
  })
}

/**
 * The duration in ms that a share of the counted ones does not exceed, interpolated within its bucket; NaN when
 * nothing was counted. What lies above the last bound is given as that bound. Pure.
 */
export function quantile(buckets: ArrayLike<number>, share: number): number {
  let total = 0
  for (let index = 0; index < BUCKET_COUNT; index++) total += buckets[index] ?? 0
  if (total === 0) return Number.NaN
  const rank = share * total
  let below = 0
  for (let index = 0; index < BUCKET_BOUNDS_MS.length; index++) {
    const count = buckets[index] ?? 0
    if (count > 0 && below + count >= rank) {
      const lower = index === 0 ? 0 : BUCKET_BOUNDS_MS[index - 1]!
      return lower + (BUCKET_BOUNDS_MS[index]! - lower) * Math.max(0, (rank - below) / count)
    }
    below += count
  }
  return BUCKET_BOUNDS_MS.at(-1)!
}
