/** What one Mapping says, read and checked by itself: before it is put in a group with others and given a share. */
import type { CircuitBreakers, Cluster, HealthCheck } from '../model/cluster.ts'
import type { Action, Forward } from '../model/destination.ts'
import type { RouteMatch } from '../model/match.ts'
import type { Origin } from '../model/origin.ts'
import type { Rank } from '../model/route.ts'
import type { SplitBy } from '../model/split.ts'
import type { KubeObject } from '../resources/object.ts'
import type { ServiceAddress } from './service.ts'

export interface MappingPlan {
  readonly object: KubeObject
  /** `namespace/name`. */
  readonly key: string
  /** Emissary's order of resources: `name.namespace`. */
  readonly orderKey: string
  readonly origin: Origin
  readonly match: RouteMatch
  /** Mappings with one key (and one set of Hosts by label) are versions of one Route. */
  readonly groupKey: string
  /** The glob or name that a Host has to overlap with; absent: only a Host's mappingSelector can choose this Mapping. */
  readonly hostGlob?: string
  readonly hostIsRegex: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly rank: Rank
  /** The fields in which versions of one Route must agree, as JSON by name; a field that is not set is not there. */
  readonly core: Readonly<Record<string, string>>
  /** Percent, as written; absent: shares what the others leave. */
  readonly weight?: number
  readonly role: Role
  readonly version: string
  readonly caseSensitive: boolean
  readonly split: SplitWishes
}

export type Role =
  /** `clusters`: the one it forwards to. `forward` has no shadow yet. */
  | { readonly kind: 'forward'; readonly cluster: ClusterPlan; readonly forward: Forward }
  | { readonly kind: 'redirect'; readonly action: Action }
  | { readonly kind: 'shadow'; readonly cluster: ClusterPlan; readonly share: number }

/** serin's annotations on a Mapping. */
export interface SplitWishes {
  readonly by?: SplitBy
  readonly overrideHeader?: string
  readonly tellVersion?: boolean
  readonly privateCache?: boolean
}

/** A cluster as Mappings ask for it; `clusters.ts` finds its endpoints. Two Mappings with one `name` ask for the same. */
export interface ClusterPlan {
  readonly name: string
  readonly statName: string
  readonly service: ServiceAddress
  readonly resolver: 'service' | 'endpoint'
  readonly protocol: Cluster['protocol']
  /** Name of a TLSContext, where one is given. */
  readonly tlsContext?: string
  readonly balance: Cluster['balance']
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs?: number
  readonly connectionLifetimeMs?: number
  readonly limits: CircuitBreakers
  readonly healthChecks: readonly HealthCheck[]
  readonly keepalive?: NonNullable<Cluster['keepalive']>
  readonly respectDnsTtl: boolean
  readonly logicalDns: boolean
  readonly origin: Origin
  /** Of two that ask for the same, the smaller one is named as the origin. */
  readonly orderKey: string
}
