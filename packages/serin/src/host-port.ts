/** `HOST:PORT` as people write it. */
import { createServer, type Server } from 'node:net'

export interface HostPort {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

/** Understands `127.0.0.1:6440`, `[::1]:6440`, `:6440` and `6440`; undefined for anything else. Pure. */
export function parseHostPort(text: string, defaultHost = '127.0.0.1'): HostPort | undefined {
  const match = /^(?:(?:\[([\da-fA-F:.]+)\]|([^:[\]]*)):)?(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const [, bracketed, plain, digits] = match
  const port = Number(digits)
  if (port > 65_535) return undefined
  const host = bracketed ?? plain ?? ''
  return { host: host === '' ? defaultHost : host, port }
}

/** The other way round. Pure. */
export function formatAddress({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Whether only this machine can reach it. Pure. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** Resolves to the port. */
export function listenOn(server: Server, { host, port }: HostPort): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

/** A port that nobody listens on now. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer()
  const port = await listenOn(server, { host, port: 0 })
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  return port
}
