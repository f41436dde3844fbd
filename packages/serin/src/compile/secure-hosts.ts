/** Hosts with their certificates. */
import { downstreamContext } from '../gateway/tls-context.ts'
import type { UpstreamTls } from '../model/cluster.ts'
import type { DownstreamTls } from '../model/listener.ts'
import type { HostSpec, TlsContextSpec } from '../resources/ambassador/types.ts'
import type { Diagnostic } from '../resources/diagnostic.ts'
import { Host, Secret, TLSContext } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import type { ObjectsOf } from './context.ts'
import { FALLBACK_HOST, type HostPlan, readHost } from './hosts.ts'
import { Reader } from './reader.ts'
import { byName, keyOf, originOf, Report } from './report.ts'
import { checkSpec } from './spec.ts'
import {
  downstreamTls,
  FALLBACK_SECRET,
  type ReadFile,
  secretsByKey,
  type TlsContextPlan,
  type TlsSources,
  upstreamTls,
} from './tls.ts'

export interface SecureHosts {
  /** The same list as before where nothing in it changed. */
  readonly hosts: readonly HostPlan[]
  readonly upstreamTls: ReadonlyMap<string, UpstreamTls>
  readonly diagnostics: readonly Diagnostic[]
}

/** Keeps the last certificate that could be used: a Secret that goes bad takes no Host down. */
export class HostTable {
  readonly #readFile: ReadFile
  readonly #gatewayNamespace: string
  readonly #hosts = new Reader<HostPlan, undefined>(Host, (object, _, report) => {
    const spec = checkSpec<HostSpec>(Host, object, report)
    return spec === undefined ? undefined : readHost(object, spec, report)
  })
  readonly #contexts = new Reader<TlsContextPlan, undefined>(TLSContext, (object, _, report) => {
    const spec = checkSpec<TlsContextSpec>(TLSContext, object, report)
    return spec === undefined ? undefined : { object, spec }
  })
  #secured = new Map<string, HostPlan>()
  #upstream = new Map<string, UpstreamTls>()
  #list: readonly HostPlan[] = []

  constructor(gatewayNamespace: string, readFile: ReadFile) {
    this.#gatewayNamespace = gatewayNamespace
    this.#readFile = readFile
  }

  read(of: ObjectsOf): SecureHosts {
    const contexts = this.#contexts.read(byName(of(TLSContext)), undefined)
    const hosts = this.#hosts.read(byName(of(Host)), undefined)
    const sources: TlsSources = {
      secrets: secretsByKey(of(Secret)),
      contexts: firstByName(contexts.plans),
      readFile: this.#readFile,
    }
    const diagnostics = [...hosts.diagnostics, ...contexts.diagnostics]
    const upstream = this.#readUpstream(sources, diagnostics)
    const given = of(Host).length === 0 ? [fallbackHost(sources, this.#gatewayNamespace)] : hosts.plans
    const secured = given.map((plan) => this.#secure(plan, sources, diagnostics))
    this.#secured = new Map(secured.map((plan) => [plan.virtualHost.name, plan]))
    const same = secured.length === this.#list.length && secured.every((plan, index) => plan === this.#list[index])
    if (!same) this.#list = secured
    return { hosts: this.#list, upstreamTls: upstream, diagnostics }
  }

  #readUpstream(sources: TlsSources, diagnostics: Diagnostic[]): ReadonlyMap<string, UpstreamTls> {
    const next = new Map<string, UpstreamTls>()
    for (const [name, plan] of sources.contexts) {
      const report = new Report(originOf(plan.object))
      const before = this.#upstream.get(name)
      const tls = upstreamTls(plan, sources, report) ?? (report.failed ? before : undefined)
      diagnostics.push(...report.diagnostics)
      if (tls !== undefined) next.set(name, before !== undefined && isEqual(before, tls) ? before : tls)
    }
    return (this.#upstream = next)
  }

  #secure(plan: HostPlan, sources: TlsSources, diagnostics: Diagnostic[]): HostPlan {
    const report = new Report(originOf(plan.object))
    const before = this.#secured.get(plan.virtualHost.name)
    const read = downstreamTls(plan.object, (plan.object.spec ?? {}) as HostSpec, sources, report)
    const usable = read === undefined || isUsable(read, before?.virtualHost.tls, report) ? read : undefined
    const tls = usable ?? (report.failed ? before?.virtualHost.tls : undefined)
    diagnostics.push(...report.diagnostics)
    const secured = withTls(plan, tls)
    return before !== undefined && before.object === plan.object && isEqual(before.virtualHost, secured.virtualHost)
      ? before
      : secured
  }
}

/** Whether OpenSSL takes it: cipher suites, curves, the CA and the list of revoked certificates are texts until then. */
function isUsable(tls: DownstreamTls, before: DownstreamTls | undefined, report: Report): boolean {
  if (before !== undefined && isEqual(before, tls)) return true
  if (downstreamContext(tls) !== null) return true
  report.error('bad-tls-settings', 'OpenSSL does not take these TLS settings', {
    path: ['spec', 'tls'],
    expected: "cipher suites and curves by OpenSSL's names, and PEM in the Secrets",
  })
  return false
}

function withTls(plan: HostPlan, tls: DownstreamTls | undefined): HostPlan {
  return tls === undefined ? plan : { ...plan, virtualHost: { ...plan.virtualHost, tls } }
}

function isEqual(left: object, right: object): boolean {
  return JSON.stringify(left) === JSON.stringify(right)
}

function firstByName(plans: readonly TlsContextPlan[]): Map<string, TlsContextPlan> {
  const result = new Map<string, TlsContextPlan>()
  for (const plan of plans) if (!result.has(plan.object.metadata.name)) result.set(plan.object.metadata.name, plan)
  return result
}

/** Without any Host everything is served, as Emissary does: by TLS where its self-signed certificate is there, in cleartext where not. */
function fallbackHost(sources: TlsSources, namespace: string): HostPlan {
  if (!sources.secrets.has(`${namespace}/${FALLBACK_SECRET}`)) return FALLBACK_HOST
  const { object } = FALLBACK_HOST
  const host: KubeObject = {
    ...object,
    metadata: { name: object.metadata.name, namespace },
    spec: { hostname: '*', tlsSecret: { name: FALLBACK_SECRET } } satisfies HostSpec,
  }
  const virtualHost = {
    ...FALLBACK_HOST.virtualHost,
    name: keyOf(host),
    insecure: 'redirect' as const,
    origin: originOf(host),
  }
  return { ...FALLBACK_HOST, object: host, virtualHost, namespace }
}
