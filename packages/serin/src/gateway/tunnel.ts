/** Octets both ways after a 101 (RFC 9110 §7.8): read no faster than the other side takes them, ended together. */
import type { ClientConnection, UpstreamTunnel } from '../wire/client-connection.ts'
import { FAULTS, type Fault } from '../wire/fault.ts'
import type { Limits } from '../wire/limits.ts'
import type { OutBuffer } from '../wire/out-buffer.ts'
import type { ClientTunnel, ServerConnection } from '../wire/server-connection.ts'
import { Timer, type TimerWheel } from '../wire/timer-wheel.ts'

/** What a tunnel borrows from its worker. */
export interface TunnelContext {
  readonly limits: Limits
  readonly wheel: TimerWheel
  readonly toClient: OutBuffer
  readonly toUpstream: OutBuffer
}

/** Told once, when both connections are gone. `fault`: null where both sides ended it. */
export type OnTunnelEnd = (bytesIn: number, bytesOut: number, fault: Fault | null) => void

export class Tunnel implements ClientTunnel, UpstreamTunnel {
  private bytesIn = 0
  private bytesOut = 0
  private ends = 0
  private closed = false
  private readonly context: TunnelContext
  private readonly client: ServerConnection
  private readonly upstream: ClientConnection
  private readonly onEnd: OnTunnelEnd
  private readonly idleTimer: Timer = new Timer({ onTimer: () => this.close(FAULTS.streamIdle) })

  constructor(context: TunnelContext, client: ServerConnection, upstream: ClientConnection, onEnd: OnTunnelEnd) {
    this.context = context
    this.client = client
    this.upstream = upstream
    this.onEnd = onEnd
  }

  /** Takes both connections over. The 101 lies in `toClient`; what the upstream sent behind it follows. */
  begin(): void {
    const { toClient } = this.context
    this.client.becomeTunnel(this)
    const first = this.upstream.becomeTunnel(this)
    toClient.reserve(first.length)
    toClient.copy(first, 0, first.length)
    this.bytesOut += first.length
    this.client.write(toClient)
    this.touch()
  }

  onClientOctets(buffer: Buffer, length: number): void {
    const { toUpstream, limits } = this.context
    this.touch()
    this.bytesIn += length
    toUpstream.copy(buffer, 0, length)
    this.upstream.write(toUpstream)
    if (this.upstream.link.waitingBytes > limits.bufferedBytesMax) this.client.link.pause()
  }

  onUpstreamOctets(buffer: Buffer, length: number): void {
    const { toClient, limits } = this.context
    this.touch()
    this.bytesOut += length
    toClient.copy(buffer, 0, length)
    this.client.write(toClient)
    if (this.client.link.waitingBytes > limits.bufferedBytesMax) this.upstream.link.pause()
  }

  onClientDrained(): void {
    this.upstream.link.resume()
  }

  onUpstreamDrained(): void {
    this.client.link.resume()
  }

  onClientEnd(): void {
    this.upstream.link.end()
    if (++this.ends === 2) this.close(null)
  }

  onUpstreamEnd(): void {
    this.client.link.end()
    if (++this.ends === 2) this.close(null)
  }

  onClientGone(fault: Fault): void {
    this.close(fault)
  }

  onUpstreamGone(): void {
    this.close(null)
  }

  private touch(): void {
    const { tunnelIdleMs } = this.context.limits
    if (tunnelIdleMs > 0) this.context.wheel.set(this.idleTimer, tunnelIdleMs)
  }

  private close(fault: Fault | null): void {
    if (this.closed) return
    this.closed = true
    this.context.wheel.remove(this.idleTimer)
    this.client.destroy()
    this.upstream.destroy()
    this.onEnd(this.bytesIn, this.bytesOut, fault)
  }
}
