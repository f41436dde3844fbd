/** One connection of a TCPMapping: octets both ways between a client and an endpoint, in either direction as fast as the slower side. */
import { CELL } from '../metrics/cells.ts'
import { FLAG } from '../metrics/flags.ts'
import type { Link, LinkOwner } from '../wire/link.ts'
import { connectTcp } from '../wire/tcp.ts'
import { connectTls } from '../wire/tls.ts'
import { Timer } from '../wire/timer-wheel.ts'
import type { ClusterState } from './cluster-state.ts'
import type { DataPlane, Guest, ListenerState } from './data-plane.ts'
import type { EndpointState } from './endpoint.ts'
import type { CompiledTcpDestination, CompiledTcpRoute } from './tcp-route.ts'
import { upstreamContext } from './tls-context.ts'

/** Envoy's idle timeout of its TCP proxy. */
const IDLE_MS = 3_600_000

export class TcpProxy implements Guest {
  readonly listener: ListenerState
  readonly peerAddress: string
  readonly handedOver = false
  private readonly plane: DataPlane
  private readonly client: Link
  private readonly idleMs: number
  private readonly timer: Timer = new Timer(this)
  private readonly startTime: number
  private upstream: Link | null = null
  private destination: CompiledTcpDestination | null = null
  private endpoint: EndpointState | null = null
  private connected = false
  private over = false
  private flags = 0
  private bytesIn = 0
  private bytesOut = 0
  private ends = 0
  private readonly first: Buffer | undefined

  /** `first`: what the client has sent already. */
  constructor(plane: DataPlane, listener: ListenerState, client: Link, route: CompiledTcpRoute, first?: Buffer) {
    this.first = first
    this.plane = plane
    this.listener = listener
    this.client = client
    client.pause()
    this.peerAddress = client.peerAddress
    this.idleMs = route.route.idleTimeoutMs ?? IDLE_MS
    this.startTime = plane.wheel.time
    client.owner = {
      onOctets: (buffer, length) => this.forward(this.upstream!, client, buffer, length, true),
      onEnd: () => this.oneEnded(this.upstream),
      onDrained: () => this.upstream?.resume(),
      onClosed: () => this.close(FLAG.DC),
    }
    plane.addGuest(this)
    this.connect(route)
  }

  /** A connection of unknown protocol cannot be asked to end: it goes on to the end of the drain. */
  stop(): void {
    if (!this.connected) this.close(FLAG.LR)
  }

  destroy(): void {
    this.close(FLAG.LR)
  }

  onTimer(): void {
    this.close(this.connected ? FLAG.SI : FLAG.UF)
  }

  private connect(route: CompiledTcpRoute): void {
    this.destination = route.choose()
    this.destination?.meter.started()
    const cluster = this.destination?.cluster ?? null
    cluster?.meter.started()
    const endpoint = cluster?.pick() ?? null
    if (cluster === null || endpoint === null) this.close(cluster === null ? FLAG.NC : FLAG.UH)
    else if (cluster.conduct.connections >= cluster.conduct.limits.connectionsMax) {
      cluster.meter.count(CELL.pendingOverflows)
      this.close(FLAG.UO)
    } else this.open(cluster, endpoint)
  }

  private open(cluster: ClusterState, endpoint: EndpointState): void {
    this.endpoint = endpoint
    endpoint.take()
    cluster.conduct.connections++
    if (cluster.cluster.connectTimeoutMs > 0) this.plane.wheel.set(this.timer, cluster.cluster.connectTimeoutMs)
    const { address, port } = endpoint.endpoint
    const { tls } = cluster.cluster
    const done = (link: Link, error: number): void => this.opened(cluster, link, error)
    const owner = this.upstreamOwner()
    if (!tls) {
      const link = connectTcp(address, port, owner, done)
      if (typeof link === 'string') this.connectFailed(cluster)
      else this.upstream = link
      return
    }
    const secureContext = upstreamContext(tls)
    if (secureContext === null) this.connectFailed(cluster)
    else {
      const options = { secureContext, serverName: tls.sni ?? '', verify: tls.verify, alpn: tls.alpn }
      this.upstream = connectTls(address, port, options, owner, done)
    }
  }

  private upstreamOwner(): LinkOwner {
    return {
      onOctets: (buffer, length) => this.forward(this.client, this.upstream!, buffer, length, false),
      onEnd: () => this.oneEnded(this.client),
      onDrained: () => this.client.resume(),
      onClosed: () => this.close(FLAG.UC),
    }
  }

  private opened(cluster: ClusterState, link: Link, error: number): void {
    this.plane.wheel.touch()
    if (this.over) {
      link.destroy()
      return
    }
    if (error !== 0) {
      this.connectFailed(cluster)
      return
    }
    this.connected = true
    this.touchIdle()
    link.resume()
    const { first } = this
    if (first && first.length > 0) this.forward(link, this.client, first, first.length, true)
    this.client.resume()
  }

  private connectFailed(cluster: ClusterState): void {
    cluster.meter.count(CELL.connectFailures)
    this.close(FLAG.UF)
  }

  private forward(to: Link, from: Link, buffer: Buffer, length: number, inward: boolean): void {
    this.plane.wheel.touch()
    this.touchIdle()
    if (inward) this.bytesIn += length
    else this.bytesOut += length
    const out = inward ? this.plane.toUpstream : this.plane.toClient
    out.reserve(length)
    out.copy(buffer, 0, length)
    to.write(out)
    if (to.waitingBytes > this.plane.limits.bufferedBytesMax) from.pause()
  }

  /** One side has said all; the other may still speak. */
  private oneEnded(other: Link | null): void {
    other?.end()
    if (++this.ends === 2) this.close(0)
  }

  private touchIdle(): void {
    if (this.idleMs > 0) this.plane.wheel.set(this.timer, this.idleMs)
  }

  private close(flags: number): void {
    if (this.over) return
    this.over = true
    this.flags |= flags
    const { plane, destination, endpoint } = this
    plane.wheel.remove(this.timer)
    const cluster = destination?.cluster ?? null
    if (endpoint !== null) {
      endpoint.release()
      cluster!.conduct.connections--
    }
    this.closeLink(this.upstream)
    this.closeLink(this.client)
    const durationMs = plane.wheel.time - this.startTime
    for (const meter of [destination?.meter, cluster?.meter])
      meter?.ended(0, durationMs, this.bytesIn, this.bytesOut, this.flags)
    plane.removeGuest(this)
  }

  /** What was written goes out first. */
  private closeLink(link: Link | null): void {
    if (link === null) return
    if (link.waitingBytes === 0) {
      link.destroy()
      return
    }
    link.owner = { ...SILENT, onDrained: () => link.destroy() }
    link.end()
  }
}

const SILENT: LinkOwner = {
  onOctets() {
    // the connection is over
  },
  onEnd() {
    // the connection is over
  },
  onDrained() {
    // the connection is over
  },
  onClosed() {
    // the connection is over
  },
}
