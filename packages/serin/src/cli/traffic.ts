/** What the gateway's counters say, for the live view: requests per second, failures, and shares per version of a Mapping. */

export interface Traffic {
  readonly requests: number
  readonly failed: number
  /** By `namespace/name` of the Mapping. */
  readonly byMapping: ReadonlyMap<string, number>
}

const LINE = /^serin_requests_total\{(.*)\} (\d+(?:\.\d+)?(?:e\+\d+)?)$/gm

/** Reads the sums out of Prometheus text. Pure. */
export function readTraffic(metrics: string): Traffic {
  let requests = 0
  let failed = 0
  const byMapping = new Map<string, number>()
  for (const [, labels = '', number] of metrics.matchAll(LINE)) {
    const count = Number(number)
    const mapping = /mapping="([^"]*)"/.exec(labels)?.[1] ?? ''
    const code = Number(/code="(\d+)"/.exec(labels)?.[1] ?? 0)
    requests += count
    if (code >= 500) failed += count
    byMapping.set(mapping, (byMapping.get(mapping) ?? 0) + count)
  }
  return { requests, failed, byMapping }
}

/** `120 req/s · 0 failed · helloworld-backend-v1 90 % · helloworld-backend-v2 10 %`; '' when nothing came. Pure. */
export function trafficText(before: Traffic, now: Traffic, elapsedMs: number): string {
  const requests = now.requests - before.requests
  if (requests <= 0) return ''
  const shares = [...now.byMapping]
    .map(([mapping, count]) => [mapping, count - (before.byMapping.get(mapping) ?? 0)] as const)
    .filter(([, count]) => count > 0)
    .sort(([, left], [, right]) => right - left)
    .map(([mapping, count]) => `${mapping.replace(/^default\//, '')} ${((count / requests) * 100).toFixed(0)} %`)
  const perSecond = Math.round(requests / (elapsedMs / 1000))
  return [`${perSecond.toLocaleString('en-US')} req/s`, `${now.failed - before.failed} failed`, ...shares].join(' · ')
}
