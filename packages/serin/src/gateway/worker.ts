/** One worker: takes Plans and listening handles, accepts, and tells what it counted. Where it runs is not its business. */
import { AccessLog } from '../metrics/access-log.ts'
import { AccessFormatError, compileJsonFormat, compileTextFormat, type FormatAccess } from '../metrics/access-format.ts'
import type { Settings } from '../model/settings.ts'
import { listenTcp, type TcpHandle } from '../wire/tcp.ts'
import { DataPlane, type ListenerState } from './data-plane.ts'
import { Exchange } from './exchange.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import { PlanEdit, sweepMeters } from './plan.ts'

/** Connections that wait to be accepted, per Listener (the kernel's somaxconn caps it). */
const BACKLOG = 4096
/** How often a worker tells what it counted, unasked: what it had counted at most so long ago survives its death. */
const SAMPLE_MS = 1000
/** How often meters that nobody uses any more are looked for. */
const SWEEP_MS = 60_000

export class Worker {
  dataPlane: DataPlane | null = null
  private readonly send: (message: FromWorker) => void
  private readonly listeners: Map<string, { readonly handle: TcpHandle; readonly state: ListenerState }> = new Map<
    string,
    { readonly handle: TcpHandle; readonly state: ListenerState }
  >()
  private edit: PlanEdit | null = null
  private accessLogTo: string | number | null = null
  private sampling: NodeJS.Timeout | undefined
  private sweeping: NodeJS.Timeout | undefined

  constructor(send: (message: FromWorker) => void) {
    this.send = send
  }

  /** Does what the supervisor asks. `handle` comes with `listen` only. */
  receive(message: ToWorker, handle: TcpHandle | undefined): void {
    switch (message.kind) {
      case 'configure':
        this.configure(message)
        break
      case 'plan-begin':
        this.edit = new PlanEdit(this.plane.plan, this.plane)
        this.edit.setClusters(message.clusters.set, message.clusters.removed)
        this.edit.removeRoutes(message.removedRoutes)
        break
      case 'plan-routes':
        this.edit?.setRoutes(message.routes)
        this.send({ kind: 'plan-progress', at: message.at })
        break
      case 'plan-commit':
        void this.commit(message)
        break
      case 'listen':
        if (handle) this.listen(message.name, message.port, handle)
        break
      case 'unlisten':
        this.unlisten(message.name)
        break
      case 'collect':
        this.tell(message.id)
        break
      case 'reopen-log':
        this.plane.accessLog?.reopen()
        break
      case 'drain':
        void this.drain(message.withinMs)
        break
    }
  }

  /**
   * Takes no new connection, answers what is under way with `Connection: close`, and ends what is left when the time is over.
   */
  async drain(withinMs: number): Promise<void> {
    for (const name of this.listeners.keys()) this.close(name)
    if (this.dataPlane) {
      this.dataPlane.draining = true
      for (const connection of this.dataPlane.connections) connection.stop()
      for (const guest of this.dataPlane.guests) guest.stop()
      await this.emptied(withinMs)
      for (const connection of this.dataPlane.connections) connection.destroy()
      for (const guest of this.dataPlane.guests) guest.destroy()
      await this.dataPlane.accessLog?.close()
      this.tell(-1)
    }
    clearInterval(this.sampling)
    clearInterval(this.sweeping)
    this.send({ kind: 'drained' })
  }

  private get plane(): DataPlane {
    if (!this.dataPlane) throw new Error('a worker is configured before anything else')
    return this.dataPlane
  }

  private configure({ place, limits, accessLog }: Extract<ToWorker, { kind: 'configure' }>): void {
    this.accessLogTo = accessLog
    this.dataPlane = new DataPlane({ place, limits, newExchange: (plane) => new Exchange(plane) })
    this.sampling = setInterval(() => this.tell(-1), SAMPLE_MS)
    this.sampling.unref()
    this.sweeping = setInterval(() => this.sweep(), SWEEP_MS)
    this.sweeping.unref()
    this.send({ kind: 'ready' })
  }

  private async commit(message: Extract<ToWorker, { kind: 'plan-commit' }>): Promise<void> {
    const { plane, edit } = this
    if (!edit) return
    this.edit = null
    plane.plan = edit.commit(message)
    // Settings that are the default's are no change to an empty Plan, but the log is to be opened for them too.
    if (message.settings || !plane.accessLog) this.openLog(plane.plan.settings)
    for (const [name, { state }] of this.listeners) {
      const plan = plane.plan.listeners.get(name)
      if (plan) state.plan = plan
    }
    await Promise.all([...plane.plan.clusters.values()].map((cluster) => cluster.ready()))
    this.send({ kind: 'applied', revision: message.revision })
  }

  private listen(name: string, port: number, handle: TcpHandle): void {
    const plan = this.plane.plan.listeners.get(name)
    if (!plan || this.plane.draining) {
      handle.close()
      return
    }
    this.close(name)
    const state: ListenerState = { plan, port }
    const error = listenTcp(handle, BACKLOG, (client) => this.plane.accept(client, state))
    if (error === '') this.listeners.set(name, { handle, state })
    else handle.close()
    this.send({ kind: 'listening', name, error: error === '' ? null : error })
  }

  /** The Listener is gone: its connections end after the answers that are due. */
  private unlisten(name: string): void {
    const state = this.listeners.get(name)?.state
    this.close(name)
    if (state) this.plane.stopConnectionsOf(state)
  }

  private close(name: string): void {
    this.listeners.get(name)?.handle.close()
    this.listeners.delete(name)
  }

  private emptied(withinMs: number): Promise<void> {
    const { connections, guests } = this.plane
    return new Promise((resolve) => {
      const until = performance.now() + withinMs
      const check = setInterval(() => {
        if (connections.size + guests.size > 0 && performance.now() < until) return
        clearInterval(check)
        resolve()
      }, 10)
    })
  }

  private openLog({ accessLog }: Settings): void {
    if (this.accessLogTo === null) return
    const before = this.plane.accessLog
    this.plane.accessLog = new AccessLog({ to: this.accessLogTo, format: formatOf(accessLog), meter: this.plane.meter })
    // Closing only writes what is pending.
    void before?.close()
  }

  private sweep(): void {
    if (this.dataPlane) sweepMeters(this.dataPlane.plan, this.dataPlane.registry)
  }

  private tell(id: number): void {
    const { dataPlane } = this
    if (dataPlane)
      this.send({
        kind: 'sample',
        id,
        sample: dataPlane.registry.sample(),
        connections: dataPlane.connections.size + dataPlane.guests.size,
      })
  }
}

/** A format that does not compile has been reported by the compiler; here the default stands in for it. */
function formatOf({ format, template }: Settings['accessLog']): FormatAccess {
  try {
    if (format === 'json') return compileJsonFormat(typeof template === 'object' ? template : undefined)
    return compileTextFormat(typeof template === 'string' ? template : undefined)
  } catch (error) {
    if (!(error instanceof AccessFormatError)) throw error
    return format === 'json' ? compileJsonFormat() : compileTextFormat()
  }
}
