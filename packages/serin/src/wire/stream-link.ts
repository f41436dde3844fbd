/** A Link over any net.Socket or TLSSocket: what TLS needs. Slower than `tcp.ts`, with the same behaviour. */
import type { Socket } from 'node:net'
import type { Link, LinkOwner } from './link.ts'
import type { OutBuffer } from './out-buffer.ts'

export class StreamLink implements Link {
  owner: LinkOwner
  reading = false
  readonly peerAddress: string
  private readonly socket: Socket
  private closed = false

  /** `peerAddress`: where a trusted proxy has said who is behind it. */
  constructor(socket: Socket, owner: LinkOwner, peerAddress?: string) {
    this.socket = socket
    this.owner = owner
    const address = peerAddress ?? socket.remoteAddress ?? ''
    this.peerAddress = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
    socket.on('data', (octets: Buffer) => this.owner.onOctets(octets, octets.length))
    socket.on('end', () => this.owner.onEnd())
    socket.on('drain', () => this.owner.onDrained())
    socket.on('error', (error: NodeJS.ErrnoException) => this.lost(error.code ?? 'EPROTO'))
    socket.on('close', () => this.lost('ECONNRESET'))
    socket.pause()
  }

  get waitingBytes(): number {
    return this.socket.writableLength
  }

  /** A stream tells a RST as an error. */
  wasReset(): boolean {
    return false
  }

  write(out: OutBuffer): void {
    if (out.position > 0 && !this.closed) this.socket.write(Buffer.from(out.buffer.subarray(0, out.position)))
    out.position = 0
  }

  writeOctets(octets: Uint8Array): void {
    if (octets.length > 0 && !this.closed) this.socket.write(octets)
  }

  resume(): void {
    if (this.reading || this.closed) return
    this.reading = true
    this.socket.resume()
  }

  pause(): void {
    if (!this.reading || this.closed) return
    this.reading = false
    this.socket.pause()
  }

  end(): void {
    if (!this.closed) this.socket.end()
  }

  destroy(): void {
    this.closed = true
    this.socket.destroy()
  }

  reset(): void {
    this.closed = true
    this.socket.resetAndDestroy()
  }

  private lost(code: string): void {
    if (this.closed) return
    this.closed = true
    this.socket.destroy()
    this.owner.onClosed(code)
  }
}
