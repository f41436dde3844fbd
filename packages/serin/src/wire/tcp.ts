/**
 * TCP straight on libuv's handle, below `net.Socket`: per request it saves two stream state machines, their ticks and objects
 * (docs/internals/performance.md has the figures; docs/decisions/0020 the reasons and the risk).
 *
 * All links of a process read into one static buffer: libuv reads when data is there, and the owner is done with it, or has
 * copied what it keeps, before the call returns.
 */
import { getSystemErrorName } from 'node:util'
import type { Link, LinkOwner } from './link.ts'
import { type OutBuffer, recycle } from './out-buffer.ts'

/** What Node's `process.binding('tcp_wrap')` and `('stream_wrap')` give; stable since Node 12. */
export interface TcpHandle {
  link: TcpLink | undefined
  onread: (this: TcpHandle) => void
  onconnection: ((this: TcpHandle, status: number, client: TcpHandle) => void) | undefined
  readonly fd: number
  /** Octets that the kernel has not taken yet. */
  readonly writeQueueSize: number
  listen(backlog: number): number
  connect(request: ConnectRequest, address: string, port: number): number
  connect6(request: ConnectRequest, address: string, port: number): number
  getsockname(out: SocketName): number
  getpeername(out: SocketName): number
  setNoDelay(on: boolean): number
  setKeepAlive(on: boolean, seconds: number): number
  useUserBuffer(buffer: Buffer): void
  readStart(): number
  readStop(): number
  writeBuffer(request: WriteRequest, buffer: Uint8Array): number
  shutdown(request: ShutdownRequest): number
  reset(done: () => void): number
  close(done?: () => void): void
  ref(): void
  unref(): void
}

export interface SocketName {
  address?: string
  port?: number
  family?: string
}

interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number, handle: TcpHandle) => void
  /** Keeps the memory alive until libuv has read it. */
  octets: Uint8Array
  /** What may be used again then. */
  memory: Buffer | null
}

interface ShutdownRequest {
  oncomplete: () => void
}

interface ConnectRequest {
  oncomplete: (this: ConnectRequest, status: number, handle: TcpHandle) => void
}

interface TcpBinding {
  readonly TCP: new (type: number) => TcpHandle
  readonly TCPConnectWrap: new () => ConnectRequest
  readonly constants: { readonly SOCKET: number; readonly SERVER: number }
}

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest
  readonly ShutdownWrap: new () => ShutdownRequest
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
  readonly kBytesWritten: number
  readonly kLastWriteWasAsync: number
}

const { binding } = process as unknown as { readonly binding: (name: string) => unknown }
const { TCP, TCPConnectWrap, constants } = binding('tcp_wrap') as TcpBinding
const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = binding(
  'stream_wrap',
) as StreamBinding

/** What one read can bring, from any connection: large bodies cost less per octet the fewer times a peer is woken (docs/internals/performance.md). */
export const READ_BYTES: number = 256 * 1024
/** Whole buffers that may be lent to writes that wait, in all; beyond, each waits in a copy of its own length. */
const LENT_BYTES_MAX = 64 * 1024 * 1024
let lentBytes = 0
const READ_BUFFER = Buffer.allocUnsafeSlow(READ_BYTES)
const UV_EOF = -4095

/** An unsent request object: only a write that has to wait uses it up. */
let spareWrite = new WriteWrap()

export class TcpLink implements Link {
  /** Set before it is read from. */
  owner!: LinkOwner
  reading = false
  private writes = 0
  private readonly handle: TcpHandle
  private address: string | null = null
  private state: 'open' | 'write-failed' | 'ended' | 'closed' = 'open'
  private sawEnd = false

  constructor(handle: TcpHandle) {
    this.handle = handle
    handle.link = this
    handle.onread = onRead
    handle.useUserBuffer(READ_BUFFER)
  }

  get waitingBytes(): number {
    return this.writes === 0 ? 0 : this.handle.writeQueueSize
  }

  get peerAddress(): string {
    if (this.address === null) {
      const name: SocketName = {}
      this.address = this.handle.getpeername(name) === 0 ? plainAddress(name.address ?? '') : ''
    }
    return this.address
  }

  /** A connection that was reset has no peer any more; one whose peer sent a FIN still has. */
  wasReset(): boolean {
    return this.handle.getpeername({}) !== 0
  }

  write(out: OutBuffer): void {
    const length = out.position
    if (length === 0) return
    const octets = out.view()
    if (this.state !== 'open') out.position = 0
    // What follows a write that waits will wait too.
    else if (this.writes > 0 || lentBytes >= LENT_BYTES_MAX) {
      this.send(copyOf(octets), null)
      out.position = 0
    } else if (this.send(octets, out.recycles ? out.buffer : null)) out.renew()
    else out.position = 0
  }

  writeOctets(octets: Uint8Array): void {
    if (octets.length > 0 && this.state === 'open') this.send(octets, null)
  }

  /** True if libuv still reads the memory. */
  private send(octets: Uint8Array, memory: Buffer | null): boolean {
    const request = spareWrite
    const error = this.handle.writeBuffer(request, octets)
    if (error !== 0) {
      this.writeFailed(error)
      return false
    }
    if (streamBaseState[kLastWriteWasAsync] === 0) return false
    spareWrite = new WriteWrap()
    request.oncomplete = onWritten
    request.octets = octets
    request.memory = memory
    if (memory !== null) lentBytes += memory.length
    this.writes++
    return true
  }

  /** The read side finds out by itself, after what the peer said last; if nobody reads, that is the end. */
  private writeFailed(error: number): void {
    if (this.state === 'closed') return
    this.state = 'write-failed'
    if (!this.reading) process.nextTick(closedBy, this, getSystemErrorName(error))
  }

  /** Called by libuv. */
  written(status: number): void {
    this.writes--
    if (this.state === 'closed') return
    if (status !== 0) this.writeFailed(status)
    else if (this.writes === 0) this.owner.onDrained()
  }

  resume(): void {
    if (this.reading || this.sawEnd || this.state === 'closed') return
    this.reading = true
    const error = this.handle.readStart()
    if (error !== 0) process.nextTick(closedBy, this, getSystemErrorName(error))
  }

  pause(): void {
    if (!this.reading || this.state === 'closed') return
    this.reading = false
    this.handle.readStop()
  }

  end(): void {
    if (this.state !== 'open') return
    this.state = 'ended'
    const request = new ShutdownWrap()
    request.oncomplete = nothing
    this.handle.shutdown(request)
  }

  destroy(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.reading = false
    this.handle.link = undefined
    this.handle.close()
  }

  reset(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.reading = false
    this.handle.link = undefined
    if (this.handle.reset(nothing) !== 0) this.handle.close()
  }

  /** A trusted proxy says who is behind it. */
  claim(address: string): void {
    this.address = address
  }

  /** Stops reading and gives the handle away; nothing more is heard here. */
  release(): TcpHandle {
    this.pause()
    this.state = 'closed'
    this.handle.link = undefined
    return this.handle
  }

  setNoDelay(): void {
    this.handle.setNoDelay(true)
  }

  setKeepAlive(seconds: number): void {
    this.handle.setKeepAlive(true, seconds)
  }

  /** Called by libuv: an error, or FIN. */
  ended(error: number): void {
    this.reading = false
    this.sawEnd = true
    if (error === UV_EOF) this.owner.onEnd()
    else closedBy(this, getSystemErrorName(error))
  }

  get isClosed(): boolean {
    return this.state === 'closed'
  }
}

function onRead(this: TcpHandle): void {
  const { link } = this
  if (link === undefined) return
  const length = streamBaseState[kReadBytesOrError]!
  if (length > 0) link.owner.onOctets(READ_BUFFER, length)
  else if (length < 0) link.ended(length)
}

function onWritten(this: WriteRequest, status: number, handle: TcpHandle): void {
  const { memory } = this
  if (memory !== null) {
    lentBytes -= memory.length
    recycle(memory)
  }
  handle.link?.written(status)
}

function closedBy(link: TcpLink, code: string): void {
  if (link.isClosed) return
  link.destroy()
  link.owner.onClosed(code)
}

function copyOf(octets: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(octets.length)
  copy.set(octets)
  return copy
}

function nothing(): void {
  // libuv wants a callback
}

/** `::ffff:1.2.3.4` is 1.2.3.4. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/**
 * Opens a connection. `connected` is called with 0 or libuv's error; an error known at once comes back as the return value
 * (a name like EADDRNOTAVAIL).
 */
export function connectTcp(
  address: string,
  port: number,
  owner: LinkOwner,
  connected: (link: TcpLink, error: number) => void,
): TcpLink | string {
  const handle = new TCP(constants.SOCKET)
  const link = new TcpLink(handle)
  link.owner = owner
  const request = new TCPConnectWrap()
  request.oncomplete = (status) => {
    if (!link.isClosed) connected(link, status)
  }
  const error = address.includes(':') ? handle.connect6(request, address, port) : handle.connect(request, address, port)
  if (error === 0) {
    link.setNoDelay()
    return link
  }
  link.destroy()
  return getSystemErrorName(error)
}

/** Accepts on a bound handle. Returns the name of an error, or ''. */
export function listenTcp(handle: TcpHandle, backlog: number, accepted: (client: TcpHandle) => void): string {
  handle.onconnection = (status, client) => {
    if (status === 0) accepted(client)
  }
  // Accepted sockets inherit it on Linux: one system call less for each.
  handle.setNoDelay(true)
  const error = handle.listen(backlog)
  return error === 0 ? '' : getSystemErrorName(error)
}
