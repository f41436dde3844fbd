import type { ServiceObject } from '../../resources/kubernetes/types.ts'
import { keyOf, parseKey } from '../cache.ts'
import { EventRecorder } from '../events.ts'
import { LISTEN_RETRY_MS } from '../limits.ts'
import { WorkQueue } from '../queue.ts'
import { isOrdinary, messageOf, type Controller, type Room } from '../room.ts'
import { AddressRange } from './addresses.ts'
import { Forwarder } from './forwarder.ts'
import { listeningsOf, targetsOf, type Listening } from './targets.ts'

/**
 * Services as people of this machine reach them: a forwarder on every cluster IP, node port and load balancer's address. An address of a
 * load balancer comes from a range of loopback addresses, unless there is none.
 */
export interface ServiceOptions {
  /** Node ports are opened here. */
  readonly nodeAddress: string
  /** Of load balancers; undefined leaves them pending. */
  readonly balancers: AddressRange | undefined
  /** False: statuses are kept, but nothing listens (runtime `none`: there is nobody to forward to). */
  readonly listens: boolean
}

export function startServiceController(room: Room, options: ServiceOptions): Controller {
  const events = new EventRecorder({
    store: room.store,
    component: 'serin-services',
    onError: (error) => room.log('warn', `service event: ${messageOf(error)}`),
  })
  const services = new Services(room, options, events)
  const queue = new WorkQueue({
    sync: (key) => services.sync(key),
    onError: (key, error) => {
      if (!isOrdinary(error)) room.log('warn', `service ${key}: ${messageOf(error)}`)
    },
  })
  room.services.onChange(({ object }) => queue.add(keyOf(object)))
  return {
    isIdleIn: (namespace) => queue.isIdleIn(namespace) && events.isIdleIn(namespace),
    stop: async () => {
      await queue.stop()
      services.stop()
      await events.flushed()
    },
  }
}

class Services {
  private readonly room: Room
  private readonly options: ServiceOptions
  private readonly events: EventRecorder
  private readonly forwarders = new Map<string, Forwarder>()
  /** Addresses that could not be opened: told once. */
  private readonly failed = new Set<string>()

  constructor(room: Room, options: ServiceOptions, events: EventRecorder) {
    this.room = room
    this.options = options
    this.events = events
  }

  async sync(key: string): Promise<number | undefined> {
    await this.room.services.caughtUp()
    const service = this.room.services.get(parseKey(key))
    if (service !== undefined) await this.giveBalancer(service)
    if (!this.options.listens) return undefined
    const wanted = service === undefined ? [] : listeningsOf(service, this.options.nodeAddress)
    this.close(key, wanted)
    const complete = await this.open(wanted, service)
    return complete ? undefined : LISTEN_RETRY_MS
  }

  stop(): void {
    for (const forwarder of this.forwarders.values()) forwarder.stop({ now: true })
    this.forwarders.clear()
  }

  private close(key: string, wanted: readonly Listening[]): void {
    for (const [id, forwarder] of this.forwarders) {
      if (forwarder.listening.service !== key) continue
      const same = wanted.find(({ address, port }) => `${address}:${String(port)}` === id)
      if (same !== undefined) {
        forwarder.update(same)
        continue
      }
      forwarder.stop({ now: false })
      this.forwarders.delete(id)
    }
  }

  private async open(wanted: readonly Listening[], service: ServiceObject | undefined): Promise<boolean> {
    let complete = true
    for (const listening of wanted) {
      const id = `${listening.address}:${String(listening.port)}`
      if (this.forwarders.has(id)) continue
      const forwarder = new Forwarder(listening, ({ service: key, portName }) =>
        targetsOf(this.room.slicesOf(key), portName),
      )
      try {
        await forwarder.start()
        this.forwarders.set(id, forwarder)
        this.failed.delete(id)
      } catch (error) {
        complete = false
        if (service !== undefined) this.tellFailure(service, id, error)
      }
    }
    return complete
  }

  private tellFailure(about: ServiceObject, id: string, error: unknown): void {
    if (this.failed.has(id)) return
    this.failed.add(id)
    const code = (error as NodeJS.ErrnoException).code ?? ''
    const why: Readonly<Record<string, string>> = {
      EADDRINUSE: 'another program listens there',
      EADDRNOTAVAIL: 'this machine does not have that address (Linux has all of 127.0.0.0/8)',
      EACCES: 'ports below 1024 need a privilege here',
    }
    const message = `cannot listen on ${id}: ${why[code] ?? messageOf(error)}; tried again every ${String(LISTEN_RETRY_MS / 1000)} s`
    this.events.tell({ about, type: 'Warning', reason: 'ListenFailed', message })
  }

  private async giveBalancer(service: ServiceObject): Promise<void> {
    const { balancers } = this.options
    const present = service.status?.loadBalancer?.ingress ?? []
    const wants = service.spec.type === 'LoadBalancer' && service.spec.loadBalancerClass === undefined
    if (balancers === undefined || wants === present.length > 0) return
    const taken = this.room.services
      .list()
      .flatMap((other) => (other.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []))
    const ip = wants ? balancers.next(new Set(taken), keyOf(service)) : undefined
    const loadBalancer = ip === undefined ? {} : { ingress: [{ ip, ipMode: 'VIP' }] }
    await this.room.services.updateStatus({ ...service, status: { ...service.status, loadBalancer } })
  }
}
