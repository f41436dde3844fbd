import type { Cluster } from './cluster.ts'
import type { Listener, VirtualHost } from './listener.ts'
import type { Route, TcpRoute } from './route.ts'
import { DEFAULT_SETTINGS, type Settings } from './settings.ts'

/**
 * All that the data plane needs to know, frozen. Made by `compile/`, turned into a Plan by each worker.
 *
 * Objects keep their identity from one Snapshot to the next where nothing in them changed; `diff.ts` relies on it,
 * so that one changed Mapping of 5,000 costs one Route.
 */
export interface Snapshot {
  /** Grows with each compile; what a worker acknowledges. */
  readonly revision: number
  readonly listeners: readonly Listener[]
  readonly virtualHosts: readonly VirtualHost[]
  readonly routes: readonly Route[]
  readonly tcpRoutes: readonly TcpRoute[]
  readonly clusters: readonly Cluster[]
  readonly settings: Settings
}

export const EMPTY_SNAPSHOT: Snapshot = {
  revision: 0,
  listeners: [],
  virtualHosts: [],
  routes: [],
  tcpRoutes: [],
  clusters: [],
  settings: DEFAULT_SETTINGS,
}
