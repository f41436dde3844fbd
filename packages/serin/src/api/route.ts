/** What a request is about: from its method and path to a verb and a resource, or a document. Pure. */
import { KINDS, type Kind } from '../resources/kinds.ts'
import { REFUSED, type RefusedKind } from './refused.ts'

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection' | 'connect'

export interface ResourceRoute {
  readonly type: 'resource'
  readonly kind: Kind
  /** The version in the path: the stored one or one of `otherVersions`. */
  readonly version: string
  readonly namespace?: string
  readonly name?: string
  readonly subresource?: string
  /** The deprecated `/watch/` in the path. */
  readonly watchPath: boolean
}

export type Route =
  | ResourceRoute
  /** `/api`, `/apis`, `/apis/GROUP`, `/apis/GROUP/VERSION`. */
  | { readonly type: 'discovery'; readonly group?: string; readonly version?: string }
  /** Reviews: kinds that are only created and never stored. */
  | { readonly type: 'review'; readonly group: string; readonly plural: string; readonly namespace?: string }
  | {
      readonly type: 'metrics'
      readonly resource: 'pods' | 'nodes'
      readonly namespace?: string
      readonly name?: string
    }
  /** A kind of Kubernetes that nothing here acts on. */
  | {
      readonly type: 'refused'
      readonly kind: RefusedKind
      readonly namespace?: string
      readonly name?: string
      readonly watchPath: boolean
    }
  | { readonly type: 'document'; readonly path: string }
  /** In a group and version we serve: answered with a Status. */
  | { readonly type: 'no-resource' }
  /** Nothing of ours: answered as the mux of a Kubernetes API server does. */
  | { readonly type: 'not-found' }

export interface GroupVersion {
  readonly group: string
  readonly version: string
}

export const REVIEWS: readonly {
  readonly group: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
}[] = [
  {
    group: 'authorization.k8s.io',
    plural: 'localsubjectaccessreviews',
    kind: 'LocalSubjectAccessReview',
    namespaced: true,
  },
  {
    group: 'authorization.k8s.io',
    plural: 'selfsubjectaccessreviews',
    kind: 'SelfSubjectAccessReview',
    namespaced: false,
  },
  {
    group: 'authorization.k8s.io',
    plural: 'selfsubjectrulesreviews',
    kind: 'SelfSubjectRulesReview',
    namespaced: false,
  },
  { group: 'authorization.k8s.io', plural: 'subjectaccessreviews', kind: 'SubjectAccessReview', namespaced: false },
  { group: 'authentication.k8s.io', plural: 'selfsubjectreviews', kind: 'SelfSubjectReview', namespaced: false },
]

export const METRICS_GROUP = 'metrics.k8s.io'

/** Groups with nothing but reviews or metrics, and their versions. */
const OTHER_GROUPS: readonly GroupVersion[] = [
  { group: 'authentication.k8s.io', version: 'v1' },
  { group: 'authorization.k8s.io', version: 'v1' },
  { group: METRICS_GROUP, version: 'v1beta1' },
]

const byPlural = new Map<string, Kind>()
for (const kind of KINDS) {
  for (const version of [kind.version, ...kind.otherVersions]) {
    byPlural.set(`${kind.group}/${version}/${kind.plural}`, kind)
  }
}
const versionsOfGroup = new Map<string, Set<string>>()
for (const kind of KINDS) {
  const versions = versionsOfGroup.get(kind.group) ?? new Set()
  versionsOfGroup.set(kind.group, versions)
  for (const version of [kind.version, ...kind.otherVersions]) versions.add(version)
}
for (const { group, version } of [...OTHER_GROUPS, ...REFUSED]) {
  const versions = versionsOfGroup.get(group) ?? new Set()
  versionsOfGroup.set(group, versions.add(version))
}

/** The groups served, with their versions, the preferred one first. */
export function servedGroups(): ReadonlyMap<string, ReadonlySet<string>> {
  return versionsOfGroup
}

/** `path` without the query; decoded piece by piece. Throws URIError for bad escapes. */
export function route(path: string): Route {
  const parts = path.split('/').slice(1).map(decodeURIComponent)
  if (parts.length > 1 && parts.at(-1) === '') parts.pop()
  const [first] = parts
  if (first === 'api') return apiRoute('', parts.slice(1))
  if (first === 'apis') {
    if (parts.length === 1) return { type: 'discovery' }
    const group = parts[1] ?? ''
    if (group === '' || !versionsOfGroup.has(group)) return { type: 'not-found' }
    return apiRoute(group, parts.slice(2))
  }
  return { type: 'document', path: parts.length === 0 ? '/' : `/${parts.join('/')}` }
}

function apiRoute(group: string, parts: readonly string[]): Route {
  const [version, ...rest] = parts
  if (version === undefined || version === '') {
    return group === '' ? { type: 'discovery', group: '' } : { type: 'discovery', group }
  }
  if (versionsOfGroup.get(group)?.has(version) !== true) return { type: 'no-resource' }
  if (rest.length === 0) return { type: 'discovery', group, version }
  const watchPath = rest[0] === 'watch'
  return resourceRoute({ group, version }, watchPath ? rest.slice(1) : rest, watchPath)
}

function resourceRoute({ group, version }: GroupVersion, parts: readonly string[], watchPath: boolean): Route {
  const inNamespace = parts[0] === 'namespaces' && parts.length > 2 && !isNamespaceSubresource(group, parts)
  const namespace = inNamespace ? parts[1] : undefined
  const [plural = '', name, ...subresource] = inNamespace ? parts.slice(2) : parts
  if (group === METRICS_GROUP) return metricsRoute(plural, namespace, name)
  if (REVIEWS.some((review) => review.group === group && review.plural === plural)) {
    return { type: 'review', group, plural, ...(namespace === undefined ? {} : { namespace }) }
  }
  const kind = byPlural.get(`${group}/${version}/${plural}`)
  const refused = REFUSED.find((entry) => entry.group === group && entry.version === version && entry.plural === plural)
  if (refused !== undefined) {
    const place = namespace === undefined || namespace === '' ? {} : { namespace }
    return { type: 'refused', kind: refused, watchPath, ...place, ...(name === undefined ? {} : { name }) }
  }
  if (kind === undefined || (inNamespace && !kind.namespaced)) return { type: 'no-resource' }
  return {
    type: 'resource',
    kind,
    version,
    watchPath,
    ...(namespace === undefined || namespace === '' ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(subresource.length === 0 ? {} : { subresource: subresource.join('/') }),
  }
}

/** `/api/v1/namespaces/NAME/status` is about the Namespace, not about a resource "status" in it. */
function isNamespaceSubresource(group: string, parts: readonly string[]): boolean {
  return group === '' && parts.length === 3 && (parts[2] === 'status' || parts[2] === 'finalize')
}

function metricsRoute(plural: string, namespace: string | undefined, name: string | undefined): Route {
  if (plural !== 'pods' && plural !== 'nodes') return { type: 'no-resource' }
  return {
    type: 'metrics',
    resource: plural,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  }
}
