/** Which groups, versions and resources there are: the old documents and the aggregated one. Pure. */
import { createHash } from 'node:crypto'
import { KINDS, type Kind } from '../resources/kinds.ts'
import { REFUSED } from './refused.ts'
import { METRICS_GROUP, REVIEWS, servedGroups, type GroupVersion } from './route.ts'

const STORED_VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const SUBRESOURCE_VERBS = ['get', 'patch', 'update']

/** One entry of an APIResourceList. */
interface ApiResource {
  readonly name: string
  readonly singularName: string
  readonly namespaced: boolean
  readonly group?: string
  readonly version?: string
  readonly kind: string
  readonly verbs: readonly string[]
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly storageVersionHash?: string
}

const groupVersionOf = ({ group, version }: GroupVersion): string => (group === '' ? version : `${group}/${version}`)

/** `/api`. */
export function apiVersions(address: string): unknown {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
  }
}

/** What this server has of what not every server has. */
export interface Extras {
  readonly metrics: boolean
}

const isServed = (group: string, { metrics }: Extras): boolean => metrics || group !== METRICS_GROUP

/** `/apis`. */
export function groupList(extras: Extras): unknown {
  const groups = [...servedGroups().keys()].filter((group) => group !== '' && isServed(group, extras)).map(groupEntry)
  return { kind: 'APIGroupList', apiVersion: 'v1', groups }
}

/** `/apis/GROUP`. */
export function apiGroup(group: string): unknown {
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(group) }
}

function groupEntry(group: string): { name: string; versions: unknown[]; preferredVersion: unknown } {
  const versions = [...(servedGroups().get(group) ?? [])].map((version) => ({
    groupVersion: groupVersionOf({ group, version }),
    version,
  }))
  return { name: group, versions, preferredVersion: versions[0] }
}

/** `/api/v1`, `/apis/GROUP/VERSION`. */
export function resourceList(groupVersion: GroupVersion): unknown {
  return {
    kind: 'APIResourceList',
    // The core group's list has no apiVersion in Kubernetes; clients do not mind either way.
    ...(groupVersion.group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: groupVersionOf(groupVersion),
    resources: resourcesOf(groupVersion),
  }
}

function resourcesOf({ group, version }: GroupVersion): ApiResource[] {
  if (group === 'metrics.k8s.io') return metricsResources()
  const kinds = KINDS.filter((kind) => kind.group === group && [kind.version, ...kind.otherVersions].includes(version))
  const reviews = REVIEWS.filter((review) => review.group === group).map(
    ({ plural, kind, namespaced }): ApiResource => ({
      name: plural,
      singularName: kind.toLowerCase(),
      namespaced,
      kind,
      verbs: ['create'],
    }),
  )
  const refused = REFUSED.filter((kind) => kind.group === group && kind.version === version)
  return [...[...kinds, ...refused].flatMap((kind) => [mainResource(kind), ...subresources(kind)]), ...reviews].sort(
    (a, b) => (a.name < b.name ? -1 : 1),
  )
}

function mainResource(kind: Kind): ApiResource {
  return {
    name: kind.plural,
    singularName: kind.singular,
    namespaced: kind.namespaced,
    kind: kind.kind,
    verbs: verbsOf(kind),
    ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
    ...(kind.categories.length === 0 ? {} : { categories: kind.categories }),
    storageVersionHash: storageVersionHash(kind),
  }
}

/** Namespaces are not deleted by the collection. */
function verbsOf(kind: Kind): readonly string[] {
  if (kind.group === '' && kind.kind === 'Namespace') return STORED_VERBS.filter((verb) => verb !== 'deletecollection')
  return STORED_VERBS
}

function subresources(kind: Kind): ApiResource[] {
  const base = { singularName: '', namespaced: kind.namespaced }
  const found: ApiResource[] = kind.subresources.map((subresource) =>
    subresource === 'scale'
      ? {
          ...base,
          name: `${kind.plural}/scale`,
          group: 'autoscaling',
          version: 'v1',
          kind: 'Scale',
          verbs: SUBRESOURCE_VERBS,
        }
      : { ...base, name: `${kind.plural}/${subresource}`, kind: kind.kind, verbs: SUBRESOURCE_VERBS },
  )
  if (kind.group === '' && kind.kind === 'Namespace') {
    found.push({ ...base, name: 'namespaces/finalize', kind: 'Namespace', verbs: ['update'] })
  }
  if (kind.group === '' && kind.kind === 'Pod') found.push(...podSubresources(base))
  return found
}

function podSubresources(base: { singularName: string; namespaced: boolean }): ApiResource[] {
  return [
    { ...base, name: 'pods/attach', kind: 'PodAttachOptions', verbs: ['create', 'get'] },
    { ...base, name: 'pods/binding', kind: 'Binding', verbs: ['create'] },
    { ...base, name: 'pods/eviction', group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
    { ...base, name: 'pods/exec', kind: 'PodExecOptions', verbs: ['create', 'get'] },
    { ...base, name: 'pods/log', kind: 'Pod', verbs: ['get'] },
    { ...base, name: 'pods/portforward', kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
  ]
}

function metricsResources(): ApiResource[] {
  const verbs = ['get', 'list']
  return [
    { name: 'nodes', singularName: '', namespaced: false, kind: 'NodeMetrics', verbs },
    { name: 'pods', singularName: '', namespaced: true, kind: 'PodMetrics', verbs },
  ]
}

/** First eight octets of SHA-256 of `GROUP/VERSION/KIND`, as Kubernetes computes it. */
function storageVersionHash({ group, version, kind }: Kind): string {
  return createHash('sha256').update(`${group}/${version}/${kind}`).digest().subarray(0, 8).toString('base64')
}

/** `/api` and `/apis` for clients that ask for everything at once. */
export function aggregated(which: 'api' | 'apis', version: string, extras: Extras): unknown {
  const groups = [...servedGroups()].filter(
    ([group]) => (group === '') === (which === 'api') && isServed(group, extras),
  )
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(([group, versions]) => ({
      metadata: group === '' ? { creationTimestamp: null } : { name: group, creationTimestamp: null },
      versions: [...versions].map((served) => ({
        version: served,
        resources: aggregatedResources({ group, version: served }),
        freshness: 'Current',
      })),
    })),
  }
}

function aggregatedResources(groupVersion: GroupVersion): unknown[] {
  const resources = resourcesOf(groupVersion)
  const main = resources.filter(({ name }) => !name.includes('/'))
  return main.map((resource) => {
    const below = resources.filter(({ name }) => name.startsWith(`${resource.name}/`))
    return {
      resource: resource.name,
      responseKind: responseKind(resource, groupVersion),
      scope: resource.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: resource.singularName,
      verbs: resource.verbs,
      ...(resource.shortNames === undefined ? {} : { shortNames: resource.shortNames }),
      ...(resource.categories === undefined ? {} : { categories: resource.categories }),
      ...(below.length === 0
        ? {}
        : {
            subresources: below.map((subresource) => ({
              subresource: subresource.name.slice(resource.name.length + 1),
              responseKind: responseKind(subresource, groupVersion),
              verbs: subresource.verbs,
            })),
          }),
    }
  })
}

function responseKind(resource: ApiResource, { group, version }: GroupVersion): unknown {
  return { group: resource.group ?? group, version: resource.version ?? version, kind: resource.kind }
}
