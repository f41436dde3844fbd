import { connect, createServer, type Server, type Socket } from 'node:net'
import { AFFINITY_CLIENTS_MAX, FORWARD_CONNECT_MS_MAX, FORWARD_CONNECTIONS_MAX, FORWARD_TRIES_MAX } from '../limits.ts'
import type { Listening, Target } from './targets.ts'

/**
 * One listening address of a Service: every TCP connection goes to one of its endpoints, in turn or, with affinity, to the same one for
 * the same client. Octets are passed on as they come; half-closed connections stay half-closed.
 */
export class Forwarder {
  private current: Listening
  private readonly targets: (listening: Listening) => readonly Target[]
  private readonly server: Server
  private readonly open = new Set<Socket>()
  private readonly clients = new Map<string, { readonly target: Target; readonly until: number }>()
  private turn = 0

  constructor(listening: Listening, targets: (listening: Listening) => readonly Target[]) {
    this.current = listening
    this.targets = targets
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.accept(client))
    this.server.maxConnections = FORWARD_CONNECTIONS_MAX
  }

  get listening(): Listening {
    return this.current
  }

  /** Another port of the Service, or another affinity, at the same address: nobody has to connect anew. */
  update(listening: Listening): void {
    this.current = listening
  }

  /** Throws the error of the socket: EADDRINUSE, EADDRNOTAVAIL, EACCES. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen({ host: this.current.address, port: this.current.port, exclusive: true }, () => {
        this.server.off('error', reject)
        // Nobody could do anything about an error of a listening socket.
        this.server.on('error', () => {})
        resolve()
      })
    })
  }

  /** Takes no more connections; those that are open end by themselves, or with `now`. */
  stop({ now }: { readonly now: boolean }): void {
    this.server.close()
    if (now) for (const socket of this.open) socket.destroy()
  }

  private accept(client: Socket): void {
    this.track(client)
    client.pause()
    void this.join(client)
  }

  private async join(client: Socket): Promise<void> {
    for (let tries = 0; tries < FORWARD_TRIES_MAX; tries += 1) {
      const target = this.choose(client.remoteAddress ?? '')
      if (target === undefined || client.destroyed) break
      const upstream = await open(target)
      if (upstream === undefined) {
        this.clients.delete(client.remoteAddress ?? '')
        continue
      }
      this.track(upstream)
      return pass(client, upstream)
    }
    // As a packet filter would answer: nobody is there.
    client.resetAndDestroy()
  }

  private choose(client: string): Target | undefined {
    const targets = this.targets(this.current)
    const { affinityMs } = this.current
    const now = Date.now()
    const known = this.clients.get(client)
    const same = targets.find((target) => target.address === known?.target.address && target.port === known.target.port)
    const chosen =
      known !== undefined && known.until > now && same !== undefined
        ? same
        : targets[this.turn++ % Math.max(1, targets.length)]
    if (affinityMs !== undefined && chosen !== undefined) this.remember(client, chosen, now + affinityMs)
    return chosen
  }

  private remember(client: string, target: Target, until: number): void {
    this.clients.delete(client)
    this.clients.set(client, { target, until })
    const [oldest] = this.clients.keys()
    if (this.clients.size > AFFINITY_CLIENTS_MAX && oldest !== undefined) this.clients.delete(oldest)
  }

  private track(socket: Socket): void {
    this.open.add(socket)
    socket.once('close', () => this.open.delete(socket))
  }
}

function open({ address, port }: Target): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true })
    const timer = setTimeout(() => fail(), FORWARD_CONNECT_MS_MAX)
    socket.once('error', fail)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', fail)
      resolve(socket)
    })
    function fail(): void {
      clearTimeout(timer)
      socket.destroy()
      resolve(undefined)
    }
  })
}

function pass(client: Socket, upstream: Socket): void {
  for (const [from, to] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    from.on('error', () => to.resetAndDestroy())
    from.once('close', (hadError) => {
      if (!hadError && !from.readableEnded) to.destroy()
    })
    from.pipe(to)
  }
  client.resume()
}
