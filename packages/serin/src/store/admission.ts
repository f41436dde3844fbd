/** The built-in kinds' rules as the store runs them inside a write: defaults, addresses, validation. */
import { Namespace, Service, type Kind } from '../resources/kinds.ts'
import type { KubeObject, ObjectMeta } from '../resources/object.ts'
import { validateMetadataUpdate } from '../resources/kubernetes/metadata.ts'
import { sentence, type FieldProblem } from '../resources/kubernetes/problems.ts'
import { rulesOf } from '../resources/kubernetes/rules.ts'
import { allocate, parseRange, takenBy, CLUSTER_IP_RANGE } from '../resources/kubernetes/service-allocation.ts'
import type { ServiceObject } from '../resources/kubernetes/types.ts'
import { notFound, qualifiedPlural } from './registry.ts'
import { StoreError, type ObjectKey, type WriteOptions } from './store.ts'

/** Rules that run inside a write, in this order. They may change the object they are given; they throw StoreErrors. */
export interface Admission {
  /** What was written, completed: one form of everything, defaults. `current`: what an update replaces. */
  prepare(kind: Kind, input: KubeObject, current: KubeObject | undefined, context: AdmissionContext): void
  /** What only the server sets on a new object; refuses what is not right. */
  create(kind: Kind, object: KubeObject, context: AdmissionContext): void
  /** Refuses what is not right. `given`: the metadata as the writer sent it. */
  update(kind: Kind, object: KubeObject, current: KubeObject, given: ObjectMeta, context: AdmissionContext): void
}

export interface AdmissionContext {
  readonly options: WriteOptions
  /** The newest state, with writes that are on their way to the disk. */
  find(kind: Kind, key: ObjectKey): KubeObject | undefined
  all(kind: Kind): Iterable<KubeObject>
}

export interface AdmissionOptions {
  /** For Services' addresses; default 127.96.0.0/12. */
  readonly clusterIpRange?: string
}

/** Throws a plain Error for a range that is none. */
export function kubernetesAdmission({ clusterIpRange = CLUSTER_IP_RANGE }: AdmissionOptions = {}): Admission {
  parseRange(clusterIpRange)
  return {
    prepare(kind, input, current, { options }) {
      if (options.subresource === 'status') return
      const rules = rulesOf(kind)
      rules.convert?.(input)
      if (current !== undefined) rules.prepareUpdate?.(input, current)
      rules.defaults?.(input)
    },
    create(kind, object, context) {
      if (kind.namespaced) checkNamespace(kind, object, context)
      const rules = rulesOf(kind)
      rules.prepareCreate?.(object)
      const problems = rules.validate?.(object) ?? []
      if (problems.length === 0 && kind === Service)
        problems.push(...allocateAddresses(object, undefined, context, clusterIpRange))
      refuse(kind, object, problems)
      for (const warning of rules.warnings?.(object) ?? []) context.options.onWarning?.(warning)
    },
    update(kind, object, current, given, context) {
      const isStatus = context.options.subresource === 'status'
      const rules = rulesOf(kind)
      const problems = [
        ...validateMetadataUpdate(given, current.metadata),
        ...(isStatus
          ? (rules.validateStatus?.(object) ?? [])
          : [...(rules.validate?.(object) ?? []), ...(rules.validateUpdate?.(object, current) ?? [])]),
      ]
      if (problems.length === 0 && kind === Service && !isStatus) {
        problems.push(...allocateAddresses(object, current, context, clusterIpRange))
      }
      refuse(kind, object, problems)
      if (!isStatus) for (const warning of rules.warnings?.(object) ?? []) context.options.onWarning?.(warning)
    },
  }
}

/** What the Service itself has now counts as free. */
function allocateAddresses(
  object: KubeObject,
  current: KubeObject | undefined,
  context: AdmissionContext,
  range: string,
): FieldProblem[] {
  const others = [...context.all(Service)].filter(({ metadata }) => metadata.uid !== current?.metadata.uid)
  return allocate(object as ServiceObject, takenBy(others as ServiceObject[]), range)
}

function checkNamespace(kind: Kind, { metadata }: KubeObject, context: AdmissionContext): void {
  const name = metadata.namespace ?? ''
  const namespace = context.find(Namespace, { name })
  if (namespace === undefined) throw notFound(Namespace, name)
  if (namespace.metadata.deletionTimestamp === undefined) return
  throw new StoreError(
    'Forbidden',
    `${qualifiedPlural(kind)} ${JSON.stringify(metadata.name)} is forbidden: unable to create new content in namespace ${name} because it is being terminated`,
    {
      details: {
        name: metadata.name,
        ...(kind.group === '' ? {} : { group: kind.group }),
        kind: kind.plural,
        causes: [
          {
            reason: 'NamespaceTerminating',
            message: `namespace ${name} is being terminated`,
            field: 'metadata.namespace',
          },
        ],
      },
    },
  )
}

function refuse(kind: Kind, { metadata }: KubeObject, problems: readonly FieldProblem[]): void {
  if (problems.length > 0) throw invalidObject(kind, metadata.name, problems)
}

/** 422 with all that is wrong. */
function invalidObject(kind: Kind, name: string, problems: readonly FieldProblem[]): StoreError {
  const qualified = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`
  return new StoreError('Invalid', `${qualified} ${JSON.stringify(name ?? '')} is invalid: ${sentence(problems)}`, {
    details: {
      ...(name === undefined || name === '' ? {} : { name }),
      ...(kind.group === '' ? {} : { group: kind.group }),
      kind: kind.kind,
      causes: problems,
    },
  })
}
