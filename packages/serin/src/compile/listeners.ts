/** Listeners with the Hosts they serve. */
import type { Listener, VirtualHost } from '../model/listener.ts'
import type { TcpRoute } from '../model/route.ts'
import type { Diagnostic } from '../resources/diagnostic.ts'
import { bindsHost, type HostPlan, type ListenerPlan } from './hosts.ts'
import { byName, Report } from './report.ts'

export interface BoundListeners {
  readonly listeners: readonly Listener[]
  readonly virtualHosts: readonly VirtualHost[]
  /** Those that a Listener can serve. */
  readonly tcpRoutes: readonly TcpRoute[]
  readonly diagnostics: readonly Diagnostic[]
}

/** One Listener a port, the first by name; one Host a domain, the last by name: both as Emissary does. Pure. */
export function bindListeners(
  plans: readonly ListenerPlan[],
  hosts: readonly HostPlan[],
  tcpRoutes: readonly TcpRoute[],
): BoundListeners {
  const binder = new Binder(hosts, tcpRoutes)
  const planOf = new Map(plans.map((plan) => [plan.object, plan]))
  for (const object of byName(plans.map((plan) => plan.object))) binder.bind(planOf.get(object)!)
  binder.addTcpListeners()
  return binder.result()
}

class Binder {
  readonly #hosts: readonly HostPlan[]
  readonly #tcpRoutes: readonly TcpRoute[]
  readonly #byPort = new Map<number, ListenerPlan>()
  readonly #listeners: Listener[] = []
  readonly #virtualHosts = new Map<string, VirtualHost>()
  readonly #diagnostics: Diagnostic[] = []

  constructor(hosts: readonly HostPlan[], tcpRoutes: readonly TcpRoute[]) {
    this.#hosts = hosts
    this.#tcpRoutes = tcpRoutes
  }

  bind(plan: ListenerPlan): void {
    const { port, protocol } = plan.listener
    const report = new Report(plan.listener.origin)
    const taken = this.#byPort.get(port)
    if (taken !== undefined) {
      report.error(
        'duplicate-port',
        `Listener "${taken.object.metadata.name}" listens on port ${port} already; this one is not used`,
        {
          path: ['spec', 'port'],
        },
      )
    } else {
      this.#byPort.set(port, plan)
      const served = hostsOf(plan, this.#hosts)
      const hasTcp = this.#tcpRoutes.some((route) => route.port === port)
      const isHttp = protocol === 'http' || protocol === 'https'
      if (isHttp ? served.length > 0 || hasTcp : hasTcp) this.#add(plan.listener, served)
      else {
        const what = isHttp ? 'Host is served on' : 'TCPMapping is for'
        report.error('no-hosts', `no ${what} port ${port}, so nothing listens there`, {
          path: ['spec', isHttp ? 'hostBinding' : 'port'],
        })
      }
    }
    this.#diagnostics.push(...report.diagnostics)
  }

  #add(listener: Listener, served: readonly HostPlan[]): void {
    for (const { virtualHost } of served) this.#virtualHosts.set(virtualHost.name, virtualHost)
    this.#listeners.push({ ...listener, virtualHosts: served.map(({ virtualHost }) => virtualHost.name) })
  }

  /** A TCPMapping needs no Listener: it opens its port itself. */
  addTcpListeners(): void {
    const ports = new Map<number, TcpRoute[]>()
    for (const route of this.#tcpRoutes) {
      if (this.#byPort.has(route.port)) continue
      const routes = ports.get(route.port)
      if (routes === undefined) ports.set(route.port, [route])
      else routes.push(route)
    }
    for (const [port, routes] of [...ports].toSorted(([left], [right]) => left - right)) {
      const protocol = routes.some(({ sni }) => sni !== undefined) ? 'tls' : 'tcp'
      const [{ origin, address } = routes[0]!] = routes
      this.#add(
        {
          name: `tcp-${port}`,
          port,
          ...(address !== undefined && { address }),
          protocol,
          securityModel: 'secure',
          trustedHops: 0,
          proxyProtocol: false,
          virtualHosts: [],
          statsPrefix: `ingress_${protocol}_${port}`,
          origin,
        },
        protocol === 'tls' ? this.#hosts.filter(({ virtualHost }) => virtualHost.tls !== undefined) : [],
      )
    }
  }

  result(): BoundListeners {
    return {
      listeners: this.#listeners,
      virtualHosts: [...this.#virtualHosts.values()],
      tcpRoutes: this.#tcpRoutes.filter((route) => !this.#isShadowed(route)),
      diagnostics: this.#diagnostics,
    }
  }

  /** On a port that speaks HTTP a TCPMapping without a server name could never be told from HTTP. */
  #isShadowed(route: TcpRoute): boolean {
    const protocol = this.#byPort.get(route.port)?.listener.protocol
    if (route.sni !== undefined || (protocol !== 'http' && protocol !== 'https')) return false
    const report = new Report(route.origin)
    report.error('port-speaks-http', `port ${route.port} belongs to an HTTP Listener; this TCPMapping is not used`, {
      path: ['spec', 'port'],
      notes: ['with both, Emissary could use nothing of the whole configuration'],
    })
    this.#diagnostics.push(...report.diagnostics)
    return true
  }
}

function hostsOf(plan: ListenerPlan, hosts: readonly HostPlan[]): readonly HostPlan[] {
  const byDomain = new Map<string, HostPlan>()
  for (const host of hosts) if (bindsHost(plan, host)) byDomain.set(host.virtualHost.hostname, host)
  // Nothing on an insecure Listener could be answered by a Host that rejects what is insecure.
  const { securityModel, protocol } = plan.listener
  const answers = ({ virtualHost }: HostPlan): boolean =>
    securityModel !== 'insecure' ||
    virtualHost.insecure !== 'reject' ||
    (protocol === 'https' && virtualHost.tls !== undefined)
  return [...byDomain.values()].filter(answers)
}
