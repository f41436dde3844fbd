/** Reviews: questions about access that are created, answered and forgotten (`kubectl auth can-i`, `kubectl auth whoami`). Pure. */
import type { KubeObject } from '../resources/object.ts'
import { StoreError } from '../store/store.ts'
import { isAllowed, type Attributes, type User } from './access.ts'

interface ResourceAttributes {
  readonly verb?: string
  readonly group?: string
  readonly resource?: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
}

interface ReviewSpec {
  readonly resourceAttributes?: ResourceAttributes
  readonly nonResourceAttributes?: { readonly verb?: string; readonly path?: string }
  readonly user?: string
  readonly groups?: readonly string[]
  readonly namespace?: string
}

/** Throws StoreError `BadRequest`, `Invalid`. */
export function review(plural: string, user: User, body: unknown): KubeObject {
  const given = (typeof body === 'object' && body !== null ? body : {}) as Partial<KubeObject>
  const spec = (given.spec ?? {}) as ReviewSpec
  const group = plural === 'selfsubjectreviews' ? 'authentication.k8s.io' : 'authorization.k8s.io'
  const base = {
    apiVersion: `${group}/v1`,
    metadata: { ...given.metadata } as KubeObject['metadata'],
  }
  switch (plural) {
    case 'selfsubjectaccessreviews':
      return { ...base, kind: 'SelfSubjectAccessReview', spec, status: access(user, spec) }
    case 'subjectaccessreviews':
    case 'localsubjectaccessreviews': {
      const kind = plural === 'subjectaccessreviews' ? 'SubjectAccessReview' : 'LocalSubjectAccessReview'
      return { ...base, kind, spec, status: access(subjectOf(spec), spec) }
    }
    case 'selfsubjectrulesreviews':
      return { ...base, kind: 'SelfSubjectRulesReview', spec: {}, status: rules(user) }
    default:
      return {
        ...base,
        kind: 'SelfSubjectReview',
        status: { userInfo: { username: user.name, groups: user.groups } },
      }
  }
}

function subjectOf({ user = '', groups = [] }: ReviewSpec): User {
  return { name: user, groups, role: groups.includes('system:masters') ? 'admin' : 'none' }
}

function access(user: User, spec: ReviewSpec): { readonly allowed: boolean } {
  return { allowed: isAllowed(user, attributesOf(spec)) }
}

function attributesOf({ resourceAttributes, nonResourceAttributes }: ReviewSpec): Attributes {
  if (nonResourceAttributes !== undefined) {
    return { type: 'path', verb: nonResourceAttributes.verb ?? '', path: nonResourceAttributes.path ?? '' }
  }
  if (resourceAttributes === undefined) {
    throw new StoreError(
      'Invalid',
      '.authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
    )
  }
  const { verb = '', group = '', resource = '', subresource, namespace, name } = resourceAttributes
  return {
    type: 'resource',
    verb,
    group,
    plural: resource,
    ...(subresource === undefined || subresource === '' ? {} : { subresource }),
    ...(namespace === undefined || namespace === '' ? {} : { namespace }),
    ...(name === undefined || name === '' ? {} : { name }),
  }
}

function rules(user: User): unknown {
  const all = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }
  const reading = { verbs: ['get', 'list', 'watch'], apiGroups: ['*'], resources: ['*'] }
  const resourceRules = user.role === 'admin' ? [all] : user.role === 'none' ? [] : [reading]
  const nonResourceRules =
    user.role === 'admin'
      ? [{ verbs: ['*'], nonResourceURLs: ['*'] }]
      : [{ verbs: ['get'], nonResourceURLs: ['/version', '/livez', '/readyz', '/healthz'] }]
  return { resourceRules, nonResourceRules, incomplete: false }
}
