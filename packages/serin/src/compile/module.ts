/** The Module named `ambassador`: settings of the whole gateway, and what Mappings inherit. */
import type { CircuitBreakers, Cluster } from '../model/cluster.ts'
import type { CorsPolicy, HashKey, RetryPolicy } from '../model/destination.ts'
import type { LabelSpecifierSpec } from '../resources/ambassador/types.ts'
import { DEFAULT_SETTINGS, type Settings } from '../model/settings.ts'
import type { KubeObject } from '../resources/object.ts'
import type { Report } from './report.ts'

export interface ModuleConfig {
  readonly settings: Settings
  /** What a Mapping has where it does not say otherwise. */
  readonly resolver: string
  readonly loadBalancer?: { readonly balance: Cluster['balance']; readonly hash?: HashKey }
  readonly timeoutMs: number
  readonly clusterIdleTimeoutMs?: number
  readonly clusterMaxConnectionLifetimeMs?: number
  readonly retry?: RetryPolicy
  readonly circuitBreakers?: CircuitBreakers
  readonly cors?: CorsPolicy
  readonly keepalive?: NonNullable<Cluster['keepalive']>
  /** `defaults.httpmapping`. */
  readonly mappingDefaults: Readonly<Record<string, unknown>>
  readonly addLinkerdHeaders: boolean
  readonly useGatewayNamespace: boolean
  readonly defaultLabelDomain: string
  /** By domain. */
  readonly defaultLabels: Readonly<Record<string, readonly LabelSpecifierSpec[]>>
}

export const REQUEST_TIMEOUT_MS = 3000

export const DEFAULT_MODULE: ModuleConfig = {
  settings: DEFAULT_SETTINGS,
  resolver: 'kubernetes-service',
  timeoutMs: REQUEST_TIMEOUT_MS,
  mappingDefaults: {},
  addLinkerdHeaders: false,
  useGatewayNamespace: false,
  defaultLabelDomain: 'ambassador',
  defaultLabels: {},
}
