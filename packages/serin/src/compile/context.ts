/** What Mappings are read in the light of: the Module, the resolvers, the rate limit's domain. */
import type { Diagnostic } from '../resources/diagnostic.ts'
import type { RateLimitServiceSpec } from '../resources/ambassador/types.ts'
import {
  ConsulResolver,
  DevPortal,
  KubernetesEndpointResolver,
  KubernetesServiceResolver,
  type Kind,
  LogService,
  Module,
  RateLimitService,
  TracingService,
} from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { rateLimitDomainOf } from './external.ts'
import type { MappingContext } from './mapping.ts'
import { DEFAULT_MODULE, type ModuleConfig, type ProbeRoute, readModule } from './module.ts'
import { byName, originOf, Report } from './report.ts'

export type ObjectsOf = (kind: Kind) => readonly KubeObject[]

const BUILT_IN_RESOLVERS: readonly (readonly [string, 'service' | 'endpoint'])[] = [
  ['kubernetes-service', 'service'],
  ['kubernetes-endpoint', 'endpoint'],
  ['endpoint', 'endpoint'],
]

/** Keeps one context as long as nothing in it changes: a new one means that every Mapping is read anew. */
export class ContextReader {
  readonly #gatewayNamespace: string
  #module:
    | {
        readonly object: KubeObject | undefined
        readonly config: ModuleConfig
        readonly diagnostics: readonly Diagnostic[]
      }
    | undefined
  #context: MappingContext | undefined
  #key = ''
  #probes: readonly KubeObject[] = []

  constructor(gatewayNamespace: string) {
    this.#gatewayNamespace = gatewayNamespace
  }

  read(of: ObjectsOf): {
    readonly context: MappingContext
    readonly probes: readonly KubeObject[]
    readonly diagnostics: readonly Diagnostic[]
  } {
    const module = this.#readModule(byName(of(Module)).find(({ metadata }) => metadata.name === 'ambassador'))
    const resolvers = new Map<string, 'service' | 'endpoint'>(BUILT_IN_RESOLVERS)
    for (const { metadata } of byName(of(KubernetesServiceResolver))) resolvers.set(metadata.name, 'service')
    for (const { metadata } of byName(of(KubernetesEndpointResolver))) resolvers.set(metadata.name, 'endpoint')
    const [rateLimit] = byName(of(RateLimitService))
    const rateLimitDomain =
      rateLimit === undefined ? undefined : rateLimitDomainOf((rateLimit.spec ?? {}) as RateLimitServiceSpec)
    const key = JSON.stringify([[...resolvers], rateLimitDomain])
    if (this.#context?.module !== module.config || this.#key !== key) {
      this.#key = key
      this.#context = {
        module: module.config,
        gatewayNamespace: this.#gatewayNamespace,
        resolvers,
        ...(rateLimitDomain !== undefined && { rateLimitDomain }),
      }
    }
    return { context: this.#context, probes: this.#probes, diagnostics: [...module.diagnostics, ...unsupported(of)] }
  }

  #readModule(object: KubeObject | undefined): {
    readonly config: ModuleConfig
    readonly diagnostics: readonly Diagnostic[]
  } {
    if (this.#module !== undefined && this.#module.object === object) return this.#module
    const report = object === undefined ? undefined : new Report(originOf(object))
    const config = object === undefined || report === undefined ? DEFAULT_MODULE : readModule(object, report)
    this.#probes = config.probes.map(probeMapping)
    this.#module = { object, config, diagnostics: report?.diagnostics ?? [] }
    return this.#module
  }
}

/** Emissary gives its own routes this precedence. */
const PROBE_PRECEDENCE = 1_000_000
const PROBE_TIMEOUT_MS = 10_000

function probeMapping({ name, prefix, service, rewrite }: ProbeRoute): KubeObject {
  return {
    apiVersion: 'getambassador.io/v3alpha1',
    kind: 'Mapping',
    metadata: { name: `internal-${name.replaceAll('_', '-')}`, namespace: 'default' },
    spec: { hostname: '*', prefix, service, rewrite, precedence: PROBE_PRECEDENCE, timeout_ms: PROBE_TIMEOUT_MS },
  }
}

interface Unsupported {
  readonly kind: Kind
  readonly severity: 'error' | 'warning'
  readonly because: string
}

/** Kinds that are read and stored, and do nothing here. */
export const UNSUPPORTED_KINDS: readonly Unsupported[] = [
  { kind: ConsulResolver, severity: 'error', because: 'there is no Consul client; name a Service or an address' },
  {
    kind: LogService,
    severity: 'error',
    because: "Envoy's access log protocol is not spoken; the access log goes to standard output",
  },
  { kind: TracingService, severity: 'warning', because: 'no traces are sent; trace headers pass through unchanged' },
  { kind: DevPortal, severity: 'warning', because: 'Emissary does not read it either; it belongs to Edge Stack' },
]

function unsupported(of: ObjectsOf): Diagnostic[] {
  return UNSUPPORTED_KINDS.flatMap(({ kind, severity, because }) =>
    byName(of(kind)).flatMap((object) => {
      const report = new Report(originOf(object))
      report[severity]('not-supported', `a ${kind.kind} does nothing here: ${because}`)
      return report.diagnostics
    }),
  )
}
