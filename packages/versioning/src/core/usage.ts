/** Who still uses which version: counters with a bound, as numbers and as Prometheus text. */

/** One answered request. */
export interface VersionUse {
  /** Text of the version; `neutral` for a route without one. */
  readonly version: string
  readonly method: string
  /** The route's path as it was declared, without the version. */
  readonly route: string
  readonly status: number
  /** What the user's function made of the request; `` without one. */
  readonly client: string
}

export interface UsageCount extends Omit<VersionUse, 'status'> {
  readonly count: number
}

export interface UsageCounter {
  readonly add: (use: VersionUse) => void
  /** Largest first. */
  readonly counts: () => readonly UsageCount[]
  /** Text format 0.0.4: `serin_api_requests_total{version="1",method="GET",route="/",client="acme"} 3`. */
  readonly prometheus: () => string
}

/** Clients told apart; later ones are counted together as `other`. Their names come from requests. */
const clientsMaxDefault = 1000
const clientCharsMax = 120

/** The channel of `node:diagnostics_channel` on which every use of a version is published. */
export const usageChannelName = 'serin:versioning:used'

export function usageCounter(clientsMax: number = clientsMaxDefault): UsageCounter {
  const counts = new Map<string, { use: VersionUse; count: number }>()
  const clients = new Set<string>()
  const bounded = (client: string): string => {
    const name = client.slice(0, clientCharsMax)
    if (clients.has(name)) return name
    if (clients.size >= clientsMax) return 'other'
    clients.add(name)
    return name
  }
  const list = (): readonly UsageCount[] =>
    [...counts.values()]
      .map(({ use: { status: _status, ...use }, count }) => ({ ...use, count }))
      .sort((a, b) => b.count - a.count)
  return {
    add: (use) => {
      const client = bounded(use.client)
      const key = `${use.version}\n${use.method}\n${use.route}\n${client}`
      const entry = counts.get(key)
      if (entry === undefined) counts.set(key, { use: { ...use, client }, count: 1 })
      else entry.count++
    },
    counts: list,
    prometheus: () => prometheusText(list()),
  }
}

function prometheusText(counts: readonly UsageCount[]): string {
  const name = 'serin_api_requests_total'
  const lines = counts.map(({ version, method, route, client, count }) => {
    const labels = { version, method, route, ...(client === '' ? {} : { client }) }
    const text = Object.entries(labels).map(([label, value]) => `${label}="${escape(value)}"`)
    return `${name}{${text.join(',')}} ${count}\n`
  })
  return `# HELP ${name} Requests answered, by version of the API.\n# TYPE ${name} counter\n${lines.join('')}`
}

function escape(value: string): string {
  return value
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`)
}
