/** Listeners with the Hosts they serve. */
import type { Listener, VirtualHost } from '../model/listener.ts'
import type { Diagnostic } from '../resources/diagnostic.ts'
import { bindsHost, type HostPlan, type ListenerPlan } from './hosts.ts'
import { byName, Report } from './report.ts'

export interface BoundListeners {
  readonly listeners: readonly Listener[]
  readonly virtualHosts: readonly VirtualHost[]
  readonly diagnostics: readonly Diagnostic[]
}

/** One Listener a port, the first by name; one Host a domain, the last by name: both as Emissary does. Pure. */
export function bindListeners(plans: readonly ListenerPlan[], hosts: readonly HostPlan[]): BoundListeners {
  const diagnostics: Diagnostic[] = []
  const listeners: Listener[] = []
  const used = new Map<string, VirtualHost>()
  const byPort = new Map<number, ListenerPlan>()
  const planOf = new Map(plans.map((plan) => [plan.object, plan]))
  for (const plan of byName(plans.map(({ object }) => object)).map((object) => planOf.get(object)!)) {
    const { port } = plan.listener
    const report = new Report(plan.listener.origin)
    const taken = byPort.get(port)
    if (taken !== undefined) {
      report.error(
        'duplicate-port',
        `Listener "${taken.object.metadata.name}" listens on port ${port} already; this one is not used`,
        {
          path: ['spec', 'port'],
        },
      )
    } else {
      byPort.set(port, plan)
      const served = hostsOf(plan, hosts)
      for (const { virtualHost } of served) used.set(virtualHost.name, virtualHost)
      if (served.length > 0)
        listeners.push({ ...plan.listener, virtualHosts: served.map(({ virtualHost }) => virtualHost.name) })
      else if (plan.listener.protocol === 'http' || plan.listener.protocol === 'https') {
        report.error('no-hosts', `no Host is served on port ${port}, so nothing listens there`, {
          path: ['spec', 'hostBinding'],
        })
      }
    }
    diagnostics.push(...report.diagnostics)
  }
  return { listeners, virtualHosts: [...used.values()], diagnostics }
}

function hostsOf(plan: ListenerPlan, hosts: readonly HostPlan[]): readonly HostPlan[] {
  const byDomain = new Map<string, HostPlan>()
  for (const host of hosts) if (bindsHost(plan, host)) byDomain.set(host.virtualHost.hostname, host)
  // Nothing on an insecure Listener could be answered by a Host that rejects what is insecure.
  const answers = ({ virtualHost }: HostPlan): boolean =>
    plan.listener.securityModel !== 'insecure' || virtualHost.insecure !== 'reject'
  return [...byDomain.values()].filter(answers)
}
