/**
 * The door of the data plane: starts workers, gives every one of them the Snapshots, replaces those that die, and sums up what they count.
 *
 * Workers share the listening sockets: the supervisor binds, each worker listens and accepts on the same socket. So a connection costs no
 * hop, and what waits in the kernel's queue when a worker dies is taken by another (docs/decisions/0021).
 */
import { availableParallelism } from 'node:os'
import { diff, type SnapshotDelta } from '../model/diff.ts'
import type { Listener } from '../model/listener.ts'
import { EMPTY_SNAPSHOT, type Snapshot } from '../model/snapshot.ts'
import { type Series, Totals } from '../metrics/sample.ts'
import { DEFAULT_LIMITS, type Limits } from '../wire/limits.ts'
import { bindTcp, type BoundSocket } from './listening-socket.ts'
import { WorkerChild, type WorkerStatus } from './worker-child.ts'

export type { WorkerStatus } from './worker-child.ts'

export interface GatewayOptions {
  /** Worker processes; default: the number of cores. */
  readonly workers?: number
  /** Where Listeners without an address of their own are bound; default 127.0.0.1. */
  readonly bind?: string
  readonly limits?: Partial<Limits>
  /** File of the access log, 1 for standard output; default: none. */
  readonly accessLog?: string | number
  /** Further flags of Node for the workers: `--cpu-prof`, `--max-old-space-size=512`. */
  readonly execArgv?: readonly string[]
  /** Told what a person should know: a worker died, a port is taken. */
  readonly onNotice?: (text: string) => void
}

export interface ListeningAddress {
  readonly name: string
  readonly address: string
  /** The real one, where the Listener asks for port 0. */
  readonly port: number
  /** Why nobody listens there: `EADDRINUSE`. */
  readonly error?: string
}

export interface Applied {
  readonly revision: number
  readonly listening: readonly ListeningAddress[]
}

export interface DrainOptions {
  /** What is under way then is cut off. */
  readonly withinMs: number
}

export interface Gateway {
  /**
   * Gives the Snapshot to every worker; resolves when each live worker has acknowledged it (one that dies counts: its replacement starts
   * with the newest). Calls are ordered.
   */
  apply(snapshot: Snapshot): Promise<Applied>
  /** The counts of all workers, living and dead, summed up; for `prometheusText`. */
  collect(): Promise<readonly Series[]>
  status(): readonly WorkerStatus[]
  /** Opens the access log's file anew, after it was renamed. */
  reopenLog(): void
  /** Stops accepting, finishes what is under way, ends the workers within the limit. */
  drain(options: DrainOptions): Promise<void>
}

/** Starts the workers. They take traffic with the first Snapshot. @throws when a worker does not start */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const supervisor = new Supervisor(options)
  await supervisor.start()
  return supervisor
}

/** A worker that does not tell its counts in this time is left out of the sum. */
const COLLECT_MS_MAX = 1000

class Supervisor implements Gateway {
  private readonly children: WorkerChild[] = []
  private readonly sockets: Map<string, BoundSocket> = new Map<string, BoundSocket>()
  private readonly totals: Totals = new Totals()
  private readonly bind: string
  private readonly count: number
  private readonly options: GatewayOptions
  private snapshot: Snapshot = EMPTY_SNAPSHOT
  private applying: Promise<unknown> = Promise.resolve()
  private lastDelta: { readonly before: Snapshot; readonly after: Snapshot; readonly delta: SnapshotDelta } | null =
    null

  constructor(options: GatewayOptions) {
    this.options = options
    this.bind = options.bind ?? '127.0.0.1'
    this.count = options.workers ?? availableParallelism()
  }

  async start(): Promise<void> {
    const { accessLog = null, onNotice = silent } = this.options
    const limits = { ...DEFAULT_LIMITS, ...this.options.limits }
    for (let index = 0; index < this.count; index++) {
      this.children.push(
        new WorkerChild({
          place: { index, count: this.count },
          limits,
          accessLog,
          execArgv: this.options.execArgv ?? [],
          onNotice,
          onSample: (worker, sample) => this.totals.apply(worker, sample),
          onGone: (worker) => this.totals.workerGone(worker),
          // A replacement takes the newest Snapshot and all sockets.
          onStarted: (child) => this.give(child),
        }),
      )
    }
    await Promise.all(this.children.map((child) => child.start()))
    const dead = this.children.find((child) => child.status().state !== 'serving')
    if (!dead) return
    await this.drain({ withinMs: 0 })
    throw new Error(`worker ${dead.status().index} does not start`)
  }

  apply(snapshot: Snapshot): Promise<Applied> {
    const applied = this.applying.then(() => this.applyNow(snapshot))
    this.applying = applied.catch(silent)
    return applied
  }

  private async applyNow(snapshot: Snapshot): Promise<Applied> {
    this.renameSockets(snapshot.listeners)
    const listening = snapshot.listeners.map((listener) => this.bindListener(listener))
    this.snapshot = snapshot
    await Promise.all(this.children.map((child) => this.give(child)))
    this.closeUnused(snapshot)
    return { revision: snapshot.revision, listening: listening.map((address) => this.withListenError(address)) }
  }

  /** Brings one worker to the Snapshot of now, sockets included. Whatever is sent is sent at once, so two calls cannot mix. */
  private async give(child: WorkerChild): Promise<void> {
    const { snapshot } = this
    const wanted = new Set(snapshot.listeners.map((listener) => listener.name))
    const before = child.given
    child.given = snapshot
    const planned = before === snapshot ? Promise.resolve() : child.plan(this.delta(before, snapshot))
    await planned
    await child.listenOn([...this.sockets.values()].filter((socket) => wanted.has(socket.name)))
  }

  /** Workers mostly need the same one. */
  private delta(before: Snapshot, after: Snapshot): SnapshotDelta {
    if (this.lastDelta?.before !== before || this.lastDelta.after !== after) {
      this.lastDelta = { before, after, delta: diff(before, after) }
    }
    return this.lastDelta.delta
  }

  /** A Listener that is called otherwise now, on the same port, takes over the socket: no connection is refused meanwhile. */
  private renameSockets(listeners: readonly Listener[]): void {
    const names = new Set(listeners.map(({ name }) => name))
    for (const { name, port, address = this.bind } of listeners) {
      if (this.sockets.has(name)) continue
      const left = [...this.sockets.values()].find(
        (socket) => !names.has(socket.name) && socket.address === address && socket.wantedPort === port && port !== 0,
      )
      if (!left) continue
      this.sockets.delete(left.name)
      this.sockets.set(name, { ...left, name })
    }
  }

  private bindListener(listener: Listener): ListeningAddress {
    const address = listener.address ?? this.bind
    const known = this.sockets.get(listener.name)
    if (known && known.address === address && known.wantedPort === listener.port) return known
    known?.close()
    this.sockets.delete(listener.name)
    const socket = bindTcp(listener.name, address, listener.port)
    if ('error' in socket) {
      this.options.onNotice?.(
        `cannot listen on ${address}:${listener.port} (Listener ${listener.name}): ${socket.error}`,
      )
      return { name: listener.name, address, port: listener.port, error: socket.error }
    }
    this.sockets.set(listener.name, socket)
    return socket
  }

  private withListenError(listening: ListeningAddress): ListeningAddress {
    const { name, address, port } = listening
    const error =
      listening.error ?? this.children.map((child) => child.listenErrors.get(name)).find((text) => text !== undefined)
    return { name, address, port, ...(error !== undefined && { error }) }
  }

  private closeUnused(snapshot: Snapshot): void {
    const wanted = new Set(snapshot.listeners.map((listener) => listener.name))
    for (const [name, socket] of this.sockets) {
      if (wanted.has(name)) continue
      socket.close()
      this.sockets.delete(name)
    }
  }

  async collect(): Promise<readonly Series[]> {
    await Promise.all(this.children.map((child) => child.collect(COLLECT_MS_MAX)))
    return this.totals.series(Date.now())
  }

  status(): readonly WorkerStatus[] {
    return this.children.map((child) => child.status())
  }

  reopenLog(): void {
    for (const child of this.children) child.reopenLog()
  }

  async drain({ withinMs }: DrainOptions): Promise<void> {
    // As long as anybody holds a socket, the kernel accepts on it.
    for (const socket of this.sockets.values()) socket.close()
    this.sockets.clear()
    await Promise.all(this.children.map((child) => child.drain(withinMs)))
  }
}

function silent(): void {
  // nobody asked to be told
}
