/**
 * One TCP connection, as little as HTTP needs of it. `tcp.ts` speaks to libuv's handle directly (the fast way), `stream-link.ts`
 * wraps any Duplex (TLS).
 */
import type { OutBuffer } from './out-buffer.ts'

export interface LinkOwner {
  /** buffer[0, length) holds what arrived; valid only during the call. */
  onOctets(buffer: Buffer, length: number): void
  /** The peer's FIN: nothing more will arrive. */
  onEnd(): void
  /** All that was written has been taken by the kernel. Only after a write that had to wait. */
  onDrained(): void
  /** The connection is gone; nothing follows. `code` is '' after our own `destroy`, else like ECONNRESET. */
  onClosed(code: string): void
}

export interface Link {
  owner: LinkOwner
  /** The peer's address; IPv4 in its own form. */
  readonly peerAddress: string
  /**
   * After `onEnd`: whether it was a RST and no FIN. libuv tells a RST that comes together with the last octets as an end; for a body that ends with its
   * connection that is the difference between whole and cut off (RFC 9112 §8).
   */
  wasReset(): boolean
  /** Octets that the kernel has not taken yet. */
  readonly waitingBytes: number
  readonly reading: boolean
  /** Sends out[0, position) and empties it; memory that could not be sent at once is kept and `out` renewed. */
  write(out: OutBuffer): void
  /** Sends all of a buffer that nobody will change. */
  writeOctets(octets: Uint8Array): void
  pause(): void
  resume(): void
  /** Sends a FIN after what was written. */
  end(): void
  /** Closes at once; what waits is lost. The owner hears nothing more. */
  destroy(): void
  /** Closes with a RST, so that the peer cannot take what it has for complete. */
  reset(): void
}
