import type { Cluster } from './cluster.ts'
import type { Listener, VirtualHost } from './listener.ts'
import type { Route, TcpRoute } from './route.ts'
import type { Settings } from './settings.ts'
import type { Snapshot } from './snapshot.ts'

/** What changed between two Snapshots; small when little changed. JSON, so it can be sent to a worker. */
export interface SnapshotDelta {
  readonly from: number
  readonly revision: number
  readonly listeners: Changes<Listener>
  readonly virtualHosts: Changes<VirtualHost>
  readonly routes: Changes<Route>
  readonly tcpRoutes: Changes<TcpRoute>
  readonly clusters: Changes<Cluster>
  readonly settings?: Settings
}

export interface Changes<T> {
  readonly set: readonly T[]
  /** Keys (name or id) of what is gone. */
  readonly removed: readonly string[]
}

/** Compares by identity first (see Snapshot), so the cost is a walk over references. Pure. */
export function diff(before: Snapshot, after: Snapshot): SnapshotDelta {
  return {
    from: before.revision,
    revision: after.revision,
    listeners: changes(before.listeners, after.listeners, (listener) => listener.name),
    virtualHosts: changes(before.virtualHosts, after.virtualHosts, (host) => host.name),
    routes: changes(before.routes, after.routes, (route) => route.id),
    tcpRoutes: changes(before.tcpRoutes, after.tcpRoutes, (route) => route.id),
    clusters: changes(before.clusters, after.clusters, (cluster) => cluster.name),
    ...(before.settings !== after.settings && { settings: after.settings }),
  }
}

function changes<T extends object>(before: readonly T[], after: readonly T[], keyOf: (item: T) => string): Changes<T> {
  if (before === after) return { set: [], removed: [] }
  const known = new Set<T>(before)
  const keys = new Set<string>()
  for (const item of after) keys.add(keyOf(item))
  const set = after.filter((item) => !known.has(item))
  const removed = before.map(keyOf).filter((key) => !keys.has(key))
  return { set, removed }
}
