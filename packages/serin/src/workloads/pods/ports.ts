import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { PORT_TRIES_MAX } from '../limits.ts'
import type { PodObject } from '../../resources/kubernetes/types.ts'
import { UNDECLARED, type PortMap } from '../endpoints/addresses.ts'

/**
 * Ports of this machine for pods. They are taken below the range from which the system takes those of outgoing connections, so that no
 * connection can sit on a port between the moment it was found free and the moment the pod's program listens on it.
 */
const FIRST_PORT = 20_000
/** From here on there are node ports of Services. */
const LAST_PORT = 29_999

export class PortAllocator {
  private readonly taken = new Set<number>()
  private readonly lastPort: number
  private next: number

  constructor() {
    this.lastPort = lastPortBelowEphemeral()
    // Several serins on one machine begin at different places.
    this.next = FIRST_PORT + Math.floor(Math.random() * (this.lastPort - FIRST_PORT))
  }

  /** A port for every containerPort of a pod, or one under `UNDECLARED` if it declares none; those it had if they are still free. */
  async allocate(pod: PodObject, before: PortMap): Promise<PortMap> {
    const declared = declaredPorts(pod)
    const names = declared.length === 0 ? [UNDECLARED] : declared.map(String)
    const map: Record<string, number> = {}
    for (const name of names) map[name] = (await this.again(before[name])) ?? (await this.free())
    return map
  }

  /** The ports of a pod that runs already. */
  keep(map: PortMap): void {
    for (const port of Object.values(map)) this.taken.add(port)
  }

  release(map: PortMap): void {
    for (const port of Object.values(map)) this.taken.delete(port)
  }

  private async again(port: number | undefined): Promise<number | undefined> {
    if (port === undefined || this.taken.has(port)) return undefined
    this.taken.add(port)
    if (await isFree(port)) return port
    this.taken.delete(port)
    return undefined
  }

  private async free(): Promise<number> {
    for (let tries = 0; tries < PORT_TRIES_MAX; tries += 1) {
      const port = this.next
      this.next = port >= this.lastPort ? FIRST_PORT : port + 1
      if (this.taken.has(port)) continue
      this.taken.add(port)
      if (await isFree(port)) return port
      this.taken.delete(port)
    }
    throw new Error(`no free port between ${String(FIRST_PORT)} and ${String(this.lastPort)}`)
  }
}

function declaredPorts(pod: PodObject): readonly number[] {
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
  return [...new Set(containers.flatMap((container) => container.ports ?? []).map((port) => port.containerPort))]
}

/** On every address: the program may listen on all of them. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

function lastPortBelowEphemeral(): number {
  try {
    const [first] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number)
    return first !== undefined && first > FIRST_PORT + 1_000 ? Math.min(first - 1, LAST_PORT) : LAST_PORT
  } catch {
    return LAST_PORT
  }
}
