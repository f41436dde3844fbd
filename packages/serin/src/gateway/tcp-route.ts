/** TCPMappings of one Listener: whose connections they take, and the versions that share them. */
import type { TcpRoute } from '../model/route.ts'
import type { Meter } from '../metrics/meter.ts'
import type { ClusterState } from './cluster-state.ts'
import type { DestinationNeeds } from './compiled-destination.ts'
import { Turns, type WorkerPlace } from './split.ts'

export interface CompiledTcpDestination {
  /** null: the Snapshot lacks it. */
  readonly cluster: ClusterState | null
  readonly share: number
  readonly meter: Meter
}

export class CompiledTcpRoute {
  readonly route: TcpRoute
  private readonly destinations: readonly CompiledTcpDestination[]
  private readonly turns: Turns

  constructor(route: TcpRoute, needs: DestinationNeeds, place: WorkerPlace) {
    this.route = route
    this.destinations = route.destinations.map(({ cluster, share, mapping, version }) => ({
      cluster: needs.cluster(cluster),
      share,
      meter: needs.meter(mapping, version),
    }))
    this.turns = new Turns(
      route.destinations.map(({ share }) => share),
      place,
    )
  }

  /** For the next connection; null where shares leave something over. */
  choose(): CompiledTcpDestination | null {
    const number = this.turns.next()
    let cumulative = 0
    for (const destination of this.destinations) {
      cumulative += destination.share
      if (number < cumulative) return destination
    }
    return null
  }
}

/** By server name, lower case; `*` takes what no other does. */
export type TcpTable = ReadonlyMap<string, CompiledTcpRoute>

export const ANY_NAME = '*'

/** Null: the port has none. */
export function tcpTable(routes: Iterable<CompiledTcpRoute>, port: number): TcpTable | null {
  const table = new Map<string, CompiledTcpRoute>()
  for (const compiled of routes) {
    if (compiled.route.port === port) table.set(compiled.route.sni?.toLowerCase() ?? ANY_NAME, compiled)
  }
  return table.size === 0 ? null : table
}

/** The exact name, then its longest `*.suffix`, then whatever there is. */
export function findTcpRoute(table: TcpTable, serverName: string): CompiledTcpRoute | null {
  const exact = table.get(serverName)
  if (exact) return exact
  for (let dot = serverName.indexOf('.'); dot >= 0; dot = serverName.indexOf('.', dot + 1)) {
    const found = table.get(`*${serverName.slice(dot)}`)
    if (found) return found
  }
  return table.get(ANY_NAME) ?? null
}
