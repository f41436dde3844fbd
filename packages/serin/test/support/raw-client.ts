/** A client that sends octets as they are and notes what comes back. */
import net from 'node:net'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'

export class RawClient {
  readonly socket: net.Socket
  /** latin1. */
  received = ''
  /** The peer's FIN, or an error, has come. */
  closed = false
  error: string | null = null
  private readonly chunks: string[] = []
  private waiters: (() => void)[] = []

  private constructor(socket: net.Socket, reading: boolean) {
    this.socket = socket
    socket.setNoDelay(true)
    if (reading) {
      socket.on('data', (octets: Buffer) => {
        this.chunks.push(octets.toString('latin1'))
        this.wake()
      })
    }
    socket.on('end', () => this.ended(null))
    socket.on('error', (error: NodeJS.ErrnoException) => this.ended(error.code ?? 'error'))
    socket.on('close', () => this.ended(this.error))
  }

  static async connect(
    port: number,
    options: { readonly reading?: boolean; readonly address?: string } = {},
  ): Promise<RawClient> {
    const socket = net.connect({ port, host: options.address ?? '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    return new RawClient(socket, options.reading ?? true)
  }

  async send(raw: string): Promise<void> {
    if (this.socket.destroyed || !this.socket.writable) return
    if (!this.socket.write(raw, 'latin1'))
      await Promise.race([once(this.socket, 'drain'), once(this.socket, 'close')]).catch(() => undefined)
  }

  /** Sends `raw` cut at `offsets`, with a pause between the parts. */
  async sendCut(raw: string, offsets: readonly number[], delayMs: number): Promise<void> {
    let from = 0
    for (const offset of [...offsets, raw.length]) {
      await this.send(raw.slice(from, offset))
      from = offset
      if (offset < raw.length && delayMs >= 0) await pause(delayMs)
      if (this.closed) return
    }
  }

  /** Waits until `done` holds, the connection is closed, or nothing has come for `quietMs`. */
  async settle(done: (received: string) => boolean, quietMs: number): Promise<void> {
    for (;;) {
      this.received = this.text()
      if (this.closed || done(this.received)) return
      const woken = new Promise<'woken'>((resolve) => {
        this.waiters.push(() => resolve('woken'))
      })
      const cancel = new AbortController()
      const quiet = pause(quietMs, 'quiet' as const, { signal: cancel.signal }).catch(() => 'quiet' as const)
      const what = await Promise.race([woken, quiet])
      cancel.abort()
      if (what === 'quiet') {
        this.received = this.text()
        return
      }
    }
  }

  destroy(): void {
    this.socket.destroy()
  }

  private text(): string {
    if (this.chunks.length > 1) this.chunks.splice(0, this.chunks.length, this.chunks.join(''))
    return this.chunks[0] ?? ''
  }

  private ended(error: string | null): void {
    if (error !== null) this.error = error
    this.closed = true
    this.wake()
  }

  private wake(): void {
    const waiters = this.waiters
    this.waiters = []
    for (const waiter of waiters) waiter()
  }
}
