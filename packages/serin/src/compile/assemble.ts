/** Keeps what did not change from one Snapshot to the next, down to the Snapshot itself. */
import { EMPTY_SNAPSHOT, type Snapshot } from '../model/snapshot.ts'

export class SnapshotKeeper {
  #snapshot: Snapshot = EMPTY_SNAPSHOT

  /** The Snapshot before where nothing changed, else a new one with the next revision. */
  keep(next: Omit<Snapshot, 'revision'>): Snapshot {
    const before = this.#snapshot
    const kept: Omit<Snapshot, 'revision'> = {
      listeners: keepList(
        before.listeners,
        keepItems(before.listeners, next.listeners, ({ name }) => name),
      ),
      virtualHosts: keepList(
        before.virtualHosts,
        keepItems(before.virtualHosts, next.virtualHosts, ({ name }) => name),
      ),
      routes: keepList(before.routes, next.routes),
      tcpRoutes: keepList(
        before.tcpRoutes,
        keepItems(before.tcpRoutes, next.tcpRoutes, ({ id }) => id),
      ),
      clusters: keepList(before.clusters, next.clusters),
      settings: keepItem(before.settings, next.settings),
    }
    const unchanged = (Object.keys(kept) as (keyof typeof kept)[]).every((name) => kept[name] === before[name])
    if (unchanged && before.revision > 0) return before
    return (this.#snapshot = { revision: before.revision + 1, ...kept })
  }
}

function keepList<T>(before: readonly T[], now: readonly T[]): readonly T[] {
  const same = before.length === now.length && before.every((item, index) => item === now[index])
  return same ? before : now
}

/** For short lists, whose items are made anew each time: one that is equal to the one before is the one before. */
function keepItems<T>(before: readonly T[], now: readonly T[], keyOf: (item: T) => string): readonly T[] {
  const known = new Map(before.map((item) => [keyOf(item), item]))
  return now.map((item) => {
    const old = known.get(keyOf(item))
    return old === undefined ? item : keepItem(old, item)
  })
}

function keepItem<T>(before: T, now: T): T {
  return before === now || JSON.stringify(before) === JSON.stringify(now) ? before : now
}
