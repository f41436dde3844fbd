/**
 * A bound socket that is given to workers. The supervisor itself never listens on it, so it never accepts.
 * `net._createServerHandle` is what `node:cluster` uses for the same purpose; there is no public way to bind without listening.
 */
import net from 'node:net'
import { getSystemErrorName } from 'node:util'
import type { SocketName, TcpHandle } from '../wire/tcp.ts'

export interface BoundSocket {
  readonly name: string
  readonly address: string
  /** What was asked for; 0 is any. */
  readonly wantedPort: number
  /** What it is. */
  readonly port: number
  readonly handle: TcpHandle
  close(): void
}

type CreateServerHandle = (
  address: string,
  port: number,
  addressType: 4 | 6,
  fd: number,
  flags: number,
) => TcpHandle | number

/** Binds, or says why not (`EADDRINUSE`). */
export function bindTcp(name: string, address: string, port: number): BoundSocket | { readonly error: string } {
  const create = (net as unknown as { readonly _createServerHandle: CreateServerHandle })._createServerHandle
  const handle = create(address, port, net.isIPv6(address) ? 6 : 4, -1, 0)
  if (typeof handle === 'number') return { error: getSystemErrorName(handle) }
  const bound: SocketName = {}
  // libuv keeps EADDRINUSE for later; asking for the name brings it out.
  const error = handle.getsockname(bound)
  if (error !== 0) {
    handle.close()
    return { error: getSystemErrorName(error) }
  }
  return { name, address, wantedPort: port, port: bound.port ?? port, handle, close: () => handle.close() }
}
