/** The rules of the built-in kinds: what is filled in, what is refused. One table, which the store's admission goes through. */
import type { KubeObject } from '../object.ts'
import type { Kind } from '../kinds.ts'
import { AUTOSCALER_RULES } from './autoscaler-rules.ts'
import { CONFIG_MAP_RULES, SECRET_RULES } from './config-rules.ts'
import { DEFINITION_RULES } from './definition-rules.ts'
import { ENDPOINT_SLICE_RULES, ENDPOINTS_RULES } from './endpoint-rules.ts'
import { validateFinalizer, validateMetadata } from './metadata.ts'
import { admitPod, defaultPod, defaultPodSpec, qosClass } from './pod-defaults.ts'
import { podSpecWarnings, validatePod, validatePodUpdate } from './pod-validation.ts'
import { ipErrors } from './names.ts'
import { invalid, invalids, type FieldProblem } from './problems.ts'
import { SERVICE_RULES } from './service-rules.ts'
import { isCustom } from './custom.ts'
import type { KindRules } from './kind-rules.ts'
import type { EventObject, NamespaceObject, PodObject } from './types.ts'
import { DEPLOYMENT_RULES, REPLICA_SET_RULES } from './workload-rules.ts'

interface PodAddresses {
  readonly podIP?: string
  readonly podIPs?: readonly { readonly ip?: string }[]
}

const POD_RULES: KindRules<PodObject> = {
  convert(pod) {
    pod.spec ??= { containers: [] }
  },
  defaults(pod) {
    defaultPodSpec(pod.spec)
    defaultPod(pod)
    const { terminationGracePeriodSeconds: grace = 0 } = pod.spec
    if (grace < 0) pod.spec.terminationGracePeriodSeconds = 1
  },
  prepareCreate(pod) {
    admitPod(pod)
    pod.status = { phase: 'Pending', qosClass: qosClass(pod) }
  },
  validate: validatePod,
  validateStatus: ({ status }) => {
    const { podIP, podIPs = podIP === undefined ? [] : [{ ip: podIP }] } = (status ?? {}) as PodAddresses
    return podIPs.flatMap(({ ip = '' }, index) => invalids(`status.podIPs[${index}]`, ip, ipErrors(ip)))
  },
  validateUpdate: validatePodUpdate,
  warnings: ({ spec }) => podSpecWarnings(spec, 'spec'),
}

const NAMESPACE_RULES: KindRules<NamespaceObject> = {
  prepareCreate(namespace) {
    namespace.spec = { ...namespace.spec, finalizers: namespace.spec?.finalizers ?? ['kubernetes'] }
    namespace.status = { phase: 'Active' }
  },
  prepareUpdate(namespace, current) {
    // Only the finalize subresource may change it; the one who empties namespaces gives a list.
    namespace.spec ??= { finalizers: current.spec?.finalizers ?? [] }
  },
  defaults({ metadata }) {
    metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
  },
  validate: ({ metadata, spec }) => [
    ...validateMetadata(metadata, 'label'),
    ...(spec?.finalizers ?? []).flatMap((finalizer) => validateNamespaceFinalizer(finalizer)),
  ],
}

function validateNamespaceFinalizer(finalizer: string): FieldProblem[] {
  return validateFinalizer(finalizer, 'spec.finalizers').map((problem) => ({ ...problem, field: 'spec.finalizers' }))
}

const EVENT_RULES: KindRules<EventObject> = {
  validate: ({ metadata, involvedObject }) => [
    ...validateMetadata(metadata, 'subdomain'),
    ...((involvedObject?.namespace ?? 'default') === metadata.namespace
      ? []
      : [invalid('involvedObject.namespace', involvedObject?.namespace ?? '', 'does not match event.namespace')]),
  ],
}

const PLAIN_RULES: KindRules = { validate: ({ metadata }) => validateMetadata(metadata, 'subdomain') }
const LEASE_RULES: KindRules = {
  validate: ({ metadata, spec }) => {
    const { leaseDurationSeconds: seconds } = (spec ?? {}) as { readonly leaseDurationSeconds?: number }
    const problems = validateMetadata(metadata, 'subdomain')
    if (seconds !== undefined && seconds <= 0)
      problems.push(invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0'))
    return problems
  },
}

const CUSTOM_RULES: KindRules = {
  validate: (object) => [...validateCustomShape(object), ...validateMetadata(object.metadata, 'subdomain')],
}

function validateCustomShape(object: KubeObject): FieldProblem[] {
  return (['spec', 'status'] as const).flatMap((field) => {
    const value = object[field]
    if (value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value))) return []
    const type =
      value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value
    const message = `Invalid value: ${JSON.stringify(type)}: ${field} in body must be of type object: ${JSON.stringify(type)}`
    return [{ reason: 'FieldValueTypeInvalid', message, field }]
  })
}

/** Of any kind: a table whose functions take their kind's objects. */
type AnyRules = KindRules<never>

const RULES: Readonly<Record<string, AnyRules>> = {
  '/Namespace': NAMESPACE_RULES,
  '/Pod': POD_RULES,
  '/Service': SERVICE_RULES,
  '/ConfigMap': CONFIG_MAP_RULES,
  '/Secret': SECRET_RULES,
  '/Event': EVENT_RULES,
  '/Endpoints': ENDPOINTS_RULES,
  'apps/Deployment': DEPLOYMENT_RULES,
  'apps/ReplicaSet': REPLICA_SET_RULES,
  'discovery.k8s.io/EndpointSlice': ENDPOINT_SLICE_RULES,
  'coordination.k8s.io/Lease': LEASE_RULES,
  'autoscaling/HorizontalPodAutoscaler': AUTOSCALER_RULES,
  'apiextensions.k8s.io/CustomResourceDefinition': DEFINITION_RULES,
}

export function rulesOf(kind: Kind): KindRules {
  const own = RULES[`${kind.group}/${kind.kind}`] as KindRules | undefined
  return own ?? (isCustom(kind) ? CUSTOM_RULES : PLAIN_RULES)
}
