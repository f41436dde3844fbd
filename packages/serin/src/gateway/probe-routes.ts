/**
 * The gateway's own pages, on every Host as in Emissary: Routes like others, made here because they answer for this worker.
 * They come before all Mappings but those of a precedence above Emissary's own.
 */
import type { Route } from '../model/route.ts'
import type { Settings } from '../model/settings.ts'
import { SHARE_WHOLE } from '../model/split.ts'

const PRECEDENCE = 1_000_000

interface Page {
  readonly name: keyof Settings['probes']
  readonly prefix: string
  readonly body: string
}

const PAGES: readonly Page[] = [
  { name: 'liveness', prefix: '/ambassador/v0/check_alive', body: 'serin is alive and well\n' },
  { name: 'readiness', prefix: '/ambassador/v0/check_ready', body: 'serin is ready and waiting\n' },
  {
    name: 'diagnostics',
    prefix: '/ambassador/v0/diag',
    body: 'This gateway shows its routes and problems to those who may read its API: try `serin get mappings` and `serin explain`.\n',
  },
]

/** The pages that `settings` asks for, on `virtualHosts`. Pure. */
export function probeRoutes(probes: Settings['probes'], virtualHosts: readonly string[]): readonly Route[] {
  return PAGES.filter(({ name }) => probes[name]).map((page) => probeRoute(page, virtualHosts))
}

/** Ids of all pages, asked for or not. */
export const PROBE_ROUTE_IDS: readonly string[] = PAGES.map(({ name }) => idOf(name))

function idOf(name: string): string {
  return `serin ${name}`
}

function probeRoute({ name, prefix, body }: Page, virtualHosts: readonly string[]): Route {
  const origin = { kind: 'Module', namespace: 'serin-system', name: 'ambassador' }
  return {
    id: idOf(name),
    virtualHosts,
    rank: [PRECEDENCE, prefix.length, 0, 0, prefix, 'GET'],
    match: { path: { kind: 'prefix', value: prefix }, headers: [], query: [] },
    split: {
      by: { kind: 'random' },
      destinations: [
        {
          mapping: `serin-system/${name}`,
          version: name,
          share: SHARE_WHOLE,
          caseSensitive: true,
          action: { kind: 'respond', status: 200, body, reason: name },
          origin,
        },
      ],
    },
    origin,
  }
}
