/** A request of the gateway's own to one of its Clusters (authorization over HTTP), with its whole answer. */
import type { ClientConnection, ResponseHandler } from '../wire/client-connection.ts'
import { FAULTS, type Fault } from '../wire/fault.ts'
import type { Head } from '../wire/head.ts'
import type { Limits } from '../wire/limits.ts'
import { OutBuffer } from '../wire/out-buffer.ts'
import { Timer, type TimerWheel } from '../wire/timer-wheel.ts'
import type { ClusterState } from './cluster-state.ts'
import type { ConnectionSeeker, EndpointState } from './endpoint.ts'

export interface SideAnswer {
  readonly status: number
  /** In their order; names in lower case. */
  readonly fields: readonly (readonly [string, string])[]
  readonly body: Buffer
  /** After the body. */
  readonly trailers: readonly (readonly [string, string])[]
}

export interface SideNeeds {
  readonly limits: Limits
  readonly wheel: TimerWheel
}

export interface SideRequestOptions {
  readonly cluster: ClusterState
  /** This one, of the cluster's: a question about itself, which is not counted among its requests. */
  readonly endpoint?: EndpointState
  /** The whole request. */
  readonly octets: Buffer
  readonly timeoutMs: number
  readonly needs: SideNeeds
  /** Called once; null: no whole answer came in time. */
  readonly done: (answer: SideAnswer | null) => void
}

export class SideRequest implements ResponseHandler, ConnectionSeeker {
  private readonly options: SideRequestOptions
  private readonly timer: Timer = new Timer(this)
  private readonly startTime: number
  private endpoint: EndpointState | null = null
  private upstream: ClientConnection | null = null
  private connecting = false
  private over = false
  private tries = 0
  private status = 0
  private fields: (readonly [string, string])[] = []
  private body: Buffer[] = []
  private bodyBytes = 0
  private trailers = ''

  constructor(options: SideRequestOptions) {
    this.options = options
    const { needs, timeoutMs, cluster } = options
    this.startTime = needs.wheel.time
    if (!options.endpoint) cluster.meter.started()
    if (timeoutMs > 0) needs.wheel.set(this.timer, timeoutMs)
  }

  /** Not in the constructor: `done` may be called before this returns. */
  start(): void {
    this.tries++
    const { cluster } = this.options
    const endpoint = this.options.endpoint ?? (cluster.isFull ? null : cluster.pick())
    if (endpoint === null) {
      this.end(null)
      return
    }
    this.endpoint = endpoint
    endpoint.take()
    // A second try takes no pooled connection: another one may be closing too.
    const idle = this.tries === 1 ? endpoint.takeIdle() : null
    if (idle !== null) this.onConnection(idle)
    else {
      this.connecting = true
      endpoint.open(this)
    }
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    if (this.over) return
    this.giveUp()
    this.over = true
    this.count()
  }

  onConnection(connection: ClientConnection): void {
    this.connecting = false
    this.upstream = connection
    const { octets } = this.options
    connection.begin(this, octets.subarray(0, 5).toString('latin1') === 'HEAD ')
    const out = new OutBuffer(octets.length)
    out.octets(octets)
    connection.write(out)
    connection.requestComplete()
  }

  onNoConnection(): void {
    this.connecting = false
    this.end(null)
  }

  onResponse(head: Head): void {
    if (head.status < 200) return
    this.status = head.status
    for (let index = 0; index < head.fieldCount; index++) {
      const name = head.buffer.toString('latin1', head.nameStart(index), head.nameEnd(index)).toLowerCase()
      this.fields.push([name, head.value(index)])
    }
  }

  onResponseBody(buffer: Buffer, start: number, end: number): void {
    this.bodyBytes += end - start
    if (this.bodyBytes <= this.options.needs.limits.bufferedBytesMax)
      this.body.push(Buffer.from(buffer.subarray(start, end)))
  }

  onResponseEnd(): void {
    const { status, fields, body, trailers } = this
    this.upstream = null
    this.end({ status, fields, body: Buffer.concat(body), trailers: fieldsIn(trailers) })
  }

  onUpstreamFault(fault: Fault): void {
    const reused = this.upstream !== null && this.upstream.requests > 1 && !this.upstream.responseBegun
    this.upstream = null
    this.releaseEndpoint()
    if (reused && fault === FAULTS.upstreamClosed && this.tries === 1) this.start()
    else this.end(null)
  }

  onTimer(): void {
    this.giveUp()
    this.end(null)
  }

  onResponseComplete(): void {
    this.trailers = this.upstream?.trailers ?? ''
  }
  onResponseReadDone(): void {
    // nothing is passed on
  }
  onUpstreamDrained(): void {
    // nothing waits
  }

  private giveUp(): void {
    if (this.connecting) this.endpoint?.withdraw(this)
    this.connecting = false
    this.upstream?.abandon()
    this.upstream = null
  }

  private releaseEndpoint(): void {
    this.endpoint?.release()
    this.endpoint = null
  }

  private end(answer: SideAnswer | null): void {
    if (this.over) return
    this.over = true
    this.count()
    this.options.done(answer)
  }

  private count(): void {
    const { needs, cluster } = this.options
    this.releaseEndpoint()
    needs.wheel.remove(this.timer)
    if (!this.options.endpoint)
      cluster.meter.ended(this.status, needs.wheel.time - this.startTime, 0, this.bodyBytes, 0)
  }
}

function fieldsIn(lines: string): (readonly [string, string])[] {
  return lines
    .split('\r\n')
    .filter((line) => line.includes(':'))
    .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()] as const)
}
