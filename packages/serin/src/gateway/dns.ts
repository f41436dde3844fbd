/** Looks a Cluster's name up again and again, as Envoy's strict and logical DNS clusters do. */
import { lookup, resolve4, resolve6 } from 'node:dns/promises'
import type { Cluster, Endpoint } from '../model/cluster.ts'

type DnsSource = Extract<Cluster['source'], { kind: 'dns' }>

/** Envoy's dns_refresh_rate. */
const REFRESH_MS = 5000
/** Bounds of a time to live that a name server gives: a 0 would ask without end. */
const TTL_MS_MIN = 1000
const TTL_MS_MAX = 3_600_000
/** A Plan is not held up longer than this by a name that does not resolve. */
const FIRST_MS_MAX = 1000

export class DnsWatch {
  /** Settles after the first answer, good or bad, or FIRST_MS_MAX. */
  readonly first: Promise<void>
  private readonly source: DnsSource
  private readonly found: (endpoints: readonly Endpoint[]) => void
  private timer: NodeJS.Timeout | undefined
  private stopped = false

  constructor(source: DnsSource, found: (endpoints: readonly Endpoint[]) => void) {
    this.source = source
    this.found = found
    const waited = new Promise<void>((resolve) => {
      setTimeout(resolve, FIRST_MS_MAX).unref()
    })
    this.first = Promise.race([this.refresh(), waited])
  }

  matches(source: DnsSource): boolean {
    return (
      source.hostname === this.source.hostname &&
      source.port === this.source.port &&
      source.logical === this.source.logical &&
      source.respectTtl === this.source.respectTtl
    )
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
  }

  private async refresh(): Promise<void> {
    const { hostname, port, logical, respectTtl } = this.source
    let nextMs = REFRESH_MS
    try {
      const addresses = await lookup(hostname, { all: true, order: 'ipv4first' } as { all: true })
      if (this.stopped) return
      const used = logical ? addresses.slice(0, 1) : addresses
      this.found(used.map(({ address }) => ({ id: `${address}:${port}`, address, port })))
      if (respectTtl) nextMs = await timeToLiveMs(hostname, REFRESH_MS)
    } catch {
      // What was found before stays: a name server that fails is no reason to drop traffic.
    }
    if (!this.stopped) this.timer = setTimeout(() => void this.refresh(), nextMs).unref()
  }
}

/** The shortest one of the name's records; names of /etc/hosts have none. */
async function timeToLiveMs(hostname: string, otherwiseMs: number): Promise<number> {
  const asked = await Promise.allSettled([resolve4(hostname, { ttl: true }), resolve6(hostname, { ttl: true })])
  const seconds = asked.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value.map(({ ttl }) => ttl) : []))
  if (seconds.length === 0) return otherwiseMs
  return Math.min(Math.max(Math.min(...seconds) * 1000, TTL_MS_MIN), TTL_MS_MAX)
}
