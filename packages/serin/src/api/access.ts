/** Who asks, and what they may: bearer tokens, impersonation by administrators, and a fixed set of roles instead of RBAC. Pure. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { StoreError } from '../store/store.ts'
import type { Route, Verb } from './route.ts'

/** What a token may do. There is no RBAC: these are the roles there are. */
export type Role =
  /** Everything. */
  | 'admin'
  /** Reads everything but Secrets. */
  | 'viewer'
  /** Reads everything (Secrets for TLS), writes the status of the gateway's kinds, Leases and Events. */
  | 'gateway'

export interface ApiToken {
  readonly token: string
  readonly user: string
  readonly role: Role
}

export interface User {
  readonly name: string
  readonly groups: readonly string[]
  readonly role: Role | 'none'
}

const ANONYMOUS: User = { name: 'system:anonymous', groups: ['system:unauthenticated'], role: 'none' }

/** What is asked, in the words of a SubjectAccessReview. */
export type Attributes =
  | {
      readonly type: 'resource'
      readonly verb: string
      readonly group: string
      readonly plural: string
      readonly subresource?: string
      readonly namespace?: string
      readonly name?: string
    }
  | { readonly type: 'path'; readonly verb: string; readonly path: string }

const READING: readonly string[] = ['get', 'list', 'watch']
/** Open to everybody, as in Kubernetes. */
const PUBLIC_PATHS: readonly string[] = ['/healthz', '/livez', '/readyz', '/version']
/** Open to everybody with a name. */
const DISCOVERY_PATHS: readonly RegExp[] = [/^\/api$/, /^\/api\/v1$/, /^\/apis(\/|$)/, /^\/openapi(\/|$)/]
const GATEWAY_WRITES: readonly { readonly group: string; readonly plural?: string; readonly subresource?: string }[] = [
  { group: 'getambassador.io', subresource: 'status' },
  { group: 'networking.k8s.io', subresource: 'status' },
  { group: 'gateway.networking.k8s.io', subresource: 'status' },
  { group: 'coordination.k8s.io', plural: 'leases' },
  { group: '', plural: 'events' },
  { group: 'events.k8s.io', plural: 'events' },
]

/** Throws StoreError `Unauthorized` for credentials that are none, `Forbidden` for an impersonation that is not allowed. */
export function authenticate(headers: IncomingHttpHeaders, tokens: readonly ApiToken[]): User {
  const user = bearer(headers.authorization, tokens)
  const impersonated = headers['impersonate-user']
  if (typeof impersonated !== 'string') return user
  if (user.role !== 'admin') {
    throw forbidden(user, { type: 'resource', verb: 'impersonate', group: '', plural: 'users', name: impersonated })
  }
  const groups = [headers['impersonate-group'] ?? []].flat()
  return {
    name: impersonated,
    groups: [...groups, ...(groups.includes('system:authenticated') ? [] : ['system:authenticated'])],
    role: groups.includes('system:masters') ? 'admin' : 'none',
  }
}

function bearer(authorization: string | undefined, tokens: readonly ApiToken[]): User {
  if (authorization === undefined || authorization === '') return ANONYMOUS
  const [, given] = /^Bearer +(\S+)$/i.exec(authorization) ?? []
  // Every token is compared, by digests of one length: the time says nothing about any of them.
  const match = given === undefined ? undefined : tokens.filter(({ token }) => same(token, given))[0]
  if (match === undefined) throw new StoreError('Unauthorized', 'Unauthorized')
  return {
    name: match.user,
    groups: [...(match.role === 'admin' ? ['system:masters'] : []), 'system:authenticated'],
    role: match.role,
  }
}

function same(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())
}

/** Throws StoreError `Forbidden`, worded as Kubernetes does. */
export function authorize(user: User, attributes: Attributes): void {
  if (!isAllowed(user, attributes)) throw forbidden(user, attributes)
}

export function isAllowed(user: User, attributes: Attributes): boolean {
  if (user.role === 'admin') return true
  if (attributes.type === 'path') {
    if (!READING.includes(attributes.verb)) return false
    const { path } = attributes
    if (PUBLIC_PATHS.some((open) => path === open || path.startsWith(`${open}/`))) return true
    return user !== ANONYMOUS && (user.role !== 'none' || DISCOVERY_PATHS.some((pattern) => pattern.test(path)))
  }
  if (user === ANONYMOUS) return false
  const { group, plural, subresource, verb } = attributes
  if (verb === 'create' && plural.startsWith('selfsubject')) return true
  if (user.role === 'viewer') return READING.includes(verb) && plural !== 'secrets' && !isConnection(subresource)
  if (user.role !== 'gateway') return false
  if (READING.includes(verb)) return !isConnection(subresource)
  return GATEWAY_WRITES.some(
    (rule) =>
      rule.group === group &&
      (rule.plural === undefined || rule.plural === plural) &&
      (rule.subresource === undefined || rule.subresource === subresource),
  )
}

function isConnection(subresource: string | undefined): boolean {
  return subresource === 'exec' || subresource === 'attach' || subresource === 'portforward'
}

export function attributesOf(route: Route, verb: Verb, method: string, path: string): Attributes {
  switch (route.type) {
    case 'resource':
      return {
        type: 'resource',
        verb: verb === 'connect' ? (method === 'GET' ? 'get' : 'create') : verb,
        group: route.kind.group,
        plural: route.kind.plural,
        ...(route.subresource === undefined ? {} : { subresource: route.subresource }),
        ...(route.namespace === undefined ? {} : { namespace: route.namespace }),
        ...(route.name === undefined ? {} : { name: route.name }),
      }
    case 'refused':
      return {
        type: 'resource',
        verb: method === 'GET' ? 'get' : 'create',
        group: route.kind.group,
        plural: route.kind.plural,
        ...(route.namespace === undefined ? {} : { namespace: route.namespace }),
      }
    case 'review':
      return { type: 'resource', verb, group: route.group, plural: route.plural }
    case 'metrics':
      return {
        type: 'resource',
        verb,
        group: 'metrics.k8s.io',
        plural: route.resource,
        ...(route.namespace === undefined ? {} : { namespace: route.namespace }),
      }
    case 'discovery':
    case 'document':
    case 'no-resource':
    case 'not-found':
      return { type: 'path', verb: method.toLowerCase(), path }
  }
}

function forbidden(user: User, attributes: Attributes): StoreError {
  if (attributes.type === 'path') {
    return new StoreError(
      'Forbidden',
      `forbidden: User ${JSON.stringify(user.name)} cannot ${attributes.verb} path ${JSON.stringify(attributes.path)}`,
      { details: {} },
    )
  }
  const { verb, group, plural, subresource, namespace, name } = attributes
  const qualified = group === '' ? plural : `${plural}.${group}`
  const resource = subresource === undefined ? plural : `${plural}/${subresource}`
  const scope = namespace === undefined ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`
  const subject = name === undefined ? qualified : `${qualified} ${JSON.stringify(name)}`
  return new StoreError(
    'Forbidden',
    `${subject} is forbidden: User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(group)} ${scope}`,
    {
      details: {
        ...(name === undefined ? {} : { name }),
        ...(group === '' ? {} : { group }),
        kind: plural,
      },
    },
  )
}
