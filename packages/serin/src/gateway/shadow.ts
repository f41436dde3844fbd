/**
 * A copy of a request for a shadow Mapping: sent beside the real one, its answer thrown away. It never holds up the real request:
 * what a slow shadow does not take is dropped with it.
 */
import type { Shadow } from '../model/destination.ts'
import { SHARE_WHOLE } from '../model/split.ts'
import type { ClientConnection, ResponseHandler } from '../wire/client-connection.ts'
import type { Head } from '../wire/head.ts'
import type { Limits } from '../wire/limits.ts'
import { octetsOf } from '../wire/octets.ts'
import { OutBuffer } from '../wire/out-buffer.ts'
import { Timer, type TimerWheel } from '../wire/timer-wheel.ts'
import type { ClusterState } from './cluster-state.ts'
import type { ConnectionSeeker, EndpointState } from './endpoint.ts'

const HEAD_BYTES = 1024

export interface ShadowNeeds {
  readonly limits: Limits
  readonly wheel: TimerWheel
}

/** The shadow of a Route's version, and how many requests it gets. */
export interface CompiledShadow {
  readonly shadow: Shadow
  readonly cluster: ClusterState | null
  readonly timeoutMs: number
}

/** Starts the copy of the request whose head is `head`[0, length); null: this one has none. */
export function castShadow(
  { shadow, cluster, timeoutMs }: CompiledShadow,
  head: OutBuffer,
  peer: string,
  needs: ShadowNeeds,
): ShadowRequest | null {
  if (cluster === null || Math.random() * SHARE_WHOLE >= shadow.share) return null
  const endpoint = cluster.isFull ? null : cluster.pick()
  if (endpoint === null) return null
  const text = shadowHead(head.buffer.toString('latin1', 0, head.position), peer)
  return new ShadowRequest({ cluster, endpoint, text, timeoutMs, needs })
}

/** As Envoy marks it: `-shadow` behind the host's name, before the port; one more hop; internal. Pure. */
export function shadowHead(head: string, peer: string): string {
  return head
    .replace(/\r\nhost: (.*?)(:\d*)?\r\n/iu, '\r\nhost: $1-shadow$2\r\n')
    .replace(/\r\nx-forwarded-for: (.*)\r\n/iu, `\r\nx-forwarded-for: $1,${peer}\r\n`)
    .replace(/\r\n\r\n$/u, '\r\nx-envoy-internal: true\r\n\r\n')
}

interface ShadowParts {
  readonly cluster: ClusterState
  readonly endpoint: EndpointState
  readonly text: string
  readonly timeoutMs: number
  readonly needs: ShadowNeeds
}

export class ShadowRequest implements ResponseHandler, ConnectionSeeker {
  private state: 'connecting' | 'sent' | 'over' = 'connecting'
  private readonly out: OutBuffer = new OutBuffer(HEAD_BYTES)
  private readonly cluster: ClusterState
  private readonly endpoint: EndpointState
  private readonly needs: ShadowNeeds
  private readonly timeoutMs: number
  private readonly timer: Timer = new Timer(this)
  private readonly toHead: boolean
  private readonly startTime: number
  private upstream: ClientConnection | null = null
  private complete = false
  private status = 0

  constructor({ cluster, endpoint, text, timeoutMs, needs }: ShadowParts) {
    this.cluster = cluster
    this.endpoint = endpoint
    this.needs = needs
    this.timeoutMs = timeoutMs
    this.toHead = text.startsWith('HEAD ')
    this.startTime = needs.wheel.time
    cluster.meter.started()
    const head = octetsOf(text)
    this.append(head, 0, head.length)
    endpoint.take()
    const idle = endpoint.takeIdle()
    if (idle !== null) this.onConnection(idle)
    else endpoint.open(this)
  }

  /** Octets of the body, framed as the real request's. */
  append(buffer: Uint8Array, start: number, end: number): void {
    if (this.state === 'over') return
    const waiting = this.out.position + (this.upstream?.link.waitingBytes ?? 0)
    if (waiting + end - start > this.needs.limits.bufferedBytesMax) {
      this.abandon()
      return
    }
    this.out.reserve(end - start)
    this.out.copy(buffer, start, end)
  }

  /** Sends what has been gathered. `complete`: it was all. */
  flush(complete: boolean): void {
    this.complete = complete
    if (this.state !== 'sent' || this.upstream === null) return
    if (this.out.position > 0) this.upstream.write(this.out)
    if (!complete) return
    this.upstream.requestComplete()
    if (this.timeoutMs > 0) this.needs.wheel.set(this.timer, this.timeoutMs)
  }

  /** The real request ended before it was whole. */
  abandon(): void {
    if (this.state === 'over') return
    if (this.state === 'connecting') this.endpoint.withdraw(this)
    const { upstream } = this
    this.over()
    upstream?.abandon()
  }

  onConnection(connection: ClientConnection): void {
    this.state = 'sent'
    this.upstream = connection
    connection.begin(this, this.toHead)
    this.flush(this.complete)
  }

  onNoConnection(): void {
    this.over()
  }

  onResponse(head: Head): void {
    if (head.status >= 200) this.status = head.status
    else if (head.status === 101) this.abandon()
  }

  onResponseEnd(): void {
    this.over()
  }

  onUpstreamFault(): void {
    this.over()
  }

  onTimer(): void {
    this.abandon()
  }

  onResponseBody(): void {
    // thrown away
  }
  onResponseComplete(): void {
    // thrown away
  }
  onResponseReadDone(): void {
    // thrown away
  }
  onUpstreamDrained(): void {
    // nobody waits for it
  }

  private over(): void {
    if (this.state === 'over') return
    this.state = 'over'
    this.upstream = null
    this.needs.wheel.remove(this.timer)
    this.endpoint.release()
    this.cluster.meter.ended(this.status, this.needs.wheel.time - this.startTime, 0, 0, 0)
  }
}
