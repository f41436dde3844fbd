/**
 * The rules that a Kubernetes API server keeps for every object, whatever its kind (API conventions, "Metadata"; generic
 * registry): what a create, an update and a delete make of it. Pure: the clock and the identity are arguments.
 */
import { isDeepStrictEqual } from 'node:util'
import type { KubeObject, ObjectMeta } from '../resources/object.ts'
import type { Kind } from '../resources/kinds.ts'
import { isCustom } from '../resources/kubernetes/custom.ts'
import { rulesOf } from '../resources/kubernetes/rules.ts'
import { StoreError, type DeleteOptions, type StoreErrorReason } from './store.ts'

/** Kubernetes' alphabet of generated names: no vowels, nothing that looks like something else. */
const NAME_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'
const RANDOM_CHARS = 5
const GENERATED_BASE_CHARS_MAX = 58
const POD_GRACE_SECONDS = 30

const IMMORTAL_NAMESPACES = ['default', 'kube-system', 'kube-public']

const FOREGROUND_FINALIZER = 'foregroundDeletion'
const ORPHAN_FINALIZER = 'orphan'

/** Kinds whose `metadata.generation` counts changes of what is wanted. */
const WITHOUT_GENERATION = new Set([
  '/Namespace',
  '/Node',
  '/Service',
  '/ConfigMap',
  '/Secret',
  '/Event',
  '/Endpoints',
  '/ServiceAccount',
  'autoscaling/HorizontalPodAutoscaler',
  'coordination.k8s.io/Lease',
])

export interface Clock {
  readonly now: Date
  readonly uid: string
}

export function timestamp(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z')
}

export function generatedName(base: string): string {
  let suffix = ''
  for (let index = 0; index < RANDOM_CHARS; index += 1) {
    suffix += NAME_ALPHABET.charAt(Math.floor(Math.random() * NAME_ALPHABET.length))
  }
  return base.slice(0, GENERATED_BASE_CHARS_MAX) + suffix
}

/** The order in which Kubernetes writes metadata; error messages show whole objects. */
const METADATA_ORDER: readonly (keyof ObjectMeta)[] = [
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
]

export function inOrder(metadata: ObjectMeta): ObjectMeta {
  return pick(metadata, METADATA_ORDER) as ObjectMeta
}

/** What is stored when `input` is created. The name is already there. */
export function created(kind: Kind, input: KubeObject, { now, uid }: Clock): KubeObject {
  const meta = input.metadata
  if (meta.resourceVersion !== undefined && meta.resourceVersion !== '' && meta.resourceVersion !== '0') {
    throw new StoreError('Unknown', 'resourceVersion should not be set on objects to be created')
  }
  const metadata: ObjectMeta = {
    ...meta,
    uid,
    creationTimestamp: timestamp(now),
    ...(hasGeneration(kind) ? { generation: 1 } : {}),
  }
  if (!hasGeneration(kind)) delete metadata.generation
  delete metadata.resourceVersion
  delete metadata.deletionTimestamp
  delete metadata.deletionGracePeriodSeconds
  const object: KubeObject = { ...input, metadata: inOrder(metadata) }
  if (kind.subresources.includes('status')) delete object.status
  return object
}

export interface UpdateContext {
  readonly subresource?: 'status' | 'scale' | undefined
  /** Made from the current object: another uid in it is a mistake, not a sign of another object. */
  readonly isPatch?: boolean
}

/** What is stored when `input` replaces `current`; `remove` when it was the last thing that held a deleted object. */
export function updated(
  kind: Kind,
  current: KubeObject,
  input: KubeObject,
  { subresource, isPatch = false }: UpdateContext,
): { readonly object: KubeObject; readonly remove: boolean } {
  checkVersion(kind, current, input.metadata, isPatch)
  const was = current.metadata
  const metadata: ObjectMeta = {
    ...input.metadata,
    name: was.name,
    ...pick(was, [
      'uid',
      'creationTimestamp',
      'generation',
      'deletionTimestamp',
      'deletionGracePeriodSeconds',
      'generateName',
    ]),
  }
  for (const field of [
    'namespace',
    'generation',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'generateName',
  ] as const) {
    if (was[field] === undefined) delete metadata[field]
  }
  if (was.namespace !== undefined) metadata.namespace = was.namespace
  metadata.resourceVersion = was.resourceVersion ?? ''
  const object = merged(kind, current, { ...input, metadata }, subresource)
  if (hasGeneration(kind) && hasNewGeneration(kind, object, current)) {
    object.metadata.generation = (was.generation ?? 0) + 1
  }
  return { object, remove: isReleased(kind, object) }
}

/** The halves of an object that a subresource may write. */
function merged(
  kind: Kind,
  current: KubeObject,
  input: KubeObject,
  subresource: 'status' | 'scale' | undefined,
): KubeObject {
  if (subresource === 'status') {
    const object: KubeObject = { ...current, metadata: statusMetadata(kind, current.metadata, input.metadata) }
    delete object.status
    return input.status === undefined ? object : { ...object, status: input.status }
  }
  if (!kind.subresources.includes('status')) return input
  const object: KubeObject = { ...input }
  delete object.status
  return current.status === undefined ? object : { ...object, status: current.status }
}

/** A write of the status leaves the rest of the metadata alone, but for Pods and Nodes' annotations and managedFields. */
function statusMetadata(kind: Kind, was: ObjectMeta, input: ObjectMeta): ObjectMeta {
  const metadata: ObjectMeta = { ...was }
  if (input.managedFields !== undefined) metadata.managedFields = input.managedFields
  if (kind.group === '' || kind.group === 'apps') {
    if (input.annotations !== undefined) metadata.annotations = input.annotations
    if (input.finalizers !== undefined) metadata.finalizers = input.finalizers
    if (kind.group === '' && input.labels !== undefined) metadata.labels = input.labels
  }
  return metadata
}

export type Deletion =
  | { readonly action: 'remove' }
  /** Marked and kept until its finalizers or its grace period are done. */
  | { readonly action: 'mark'; readonly object: KubeObject }
  /** It was marked before and nothing changes. */
  | { readonly action: 'nothing' }

export function deleted(kind: Kind, current: KubeObject, options: DeleteOptions, now: Date): Deletion {
  checkPreconditions(kind, current, options)
  const meta = current.metadata
  if (kind.group === '' && kind.kind === 'Namespace' && IMMORTAL_NAMESPACES.includes(meta.name)) {
    throw about(
      'Forbidden',
      kind,
      meta.name,
      `namespaces ${JSON.stringify(meta.name)} is forbidden: this namespace may not be deleted`,
    )
  }
  const finalizers = finalizersAfter(meta.finalizers ?? [], options.propagation)
  const grace = graceSeconds(kind, current, options)
  const held = finalizers.length > 0 || holdsContent(kind, current)
  if (!held && grace === 0) return { action: 'remove' }
  const finalizersChanged = !isDeepStrictEqual(finalizers, meta.finalizers ?? [])
  if (meta.deletionTimestamp !== undefined) {
    const left = meta.deletionGracePeriodSeconds ?? 0
    if (grace >= left && !finalizersChanged) return { action: 'nothing' }
    const shorter = Math.min(grace, left)
    return { action: 'mark', object: marked(kind, current, finalizers, { seconds: shorter, now, first: false }) }
  }
  return { action: 'mark', object: marked(kind, current, finalizers, { seconds: grace, now, first: true }) }
}

function marked(
  kind: Kind,
  current: KubeObject,
  finalizers: string[],
  { seconds, now, first }: { readonly seconds: number; readonly now: Date; readonly first: boolean },
): KubeObject {
  const metadata: ObjectMeta = {
    ...current.metadata,
    deletionTimestamp: timestamp(new Date(now.getTime() + seconds * 1000)),
    deletionGracePeriodSeconds: seconds,
    ...(finalizers.length === 0 ? {} : { finalizers }),
  }
  if (finalizers.length === 0) delete metadata.finalizers
  if (first && metadata.generation !== undefined && metadata.generation > 0) metadata.generation += 1
  const object: KubeObject = { ...current, metadata }
  if (kind.group === '' && kind.kind === 'Namespace') {
    object.status = { ...(current.status as object | undefined), phase: 'Terminating' }
    delete metadata.deletionGracePeriodSeconds
  }
  return object
}

/** A namespace stays until its content is gone and its `spec.finalizers` were taken away. */
function holdsContent(kind: Kind, object: KubeObject): boolean {
  if (kind.group !== '' || kind.kind !== 'Namespace') return false
  const spec = object.spec as { readonly finalizers?: readonly string[] } | undefined
  return (spec?.finalizers?.length ?? 0) > 0
}

function finalizersAfter(finalizers: readonly string[], propagation: DeleteOptions['propagation']): string[] {
  if (propagation === undefined) return [...finalizers]
  const others = finalizers.filter((finalizer) => finalizer !== FOREGROUND_FINALIZER && finalizer !== ORPHAN_FINALIZER)
  if (propagation === 'Foreground') return [...others, FOREGROUND_FINALIZER]
  return propagation === 'Orphan' ? [...others, ORPHAN_FINALIZER] : others
}

/** Only Pods go gracefully; one that was never given to a node, or has ended, goes at once. */
function graceSeconds(kind: Kind, current: KubeObject, options: DeleteOptions): number {
  if (kind.group !== '' || kind.kind !== 'Pod') return 0
  const spec = current.spec as
    | { readonly nodeName?: string; readonly terminationGracePeriodSeconds?: number }
    | undefined
  const status = current.status as { readonly phase?: string } | undefined
  if (spec?.nodeName === undefined || spec.nodeName === '') return 0
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0
  const wantedSeconds = options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? POD_GRACE_SECONDS
  return wantedSeconds < 0 ? 1 : wantedSeconds
}

/** True when a deleted object has nothing left that holds it. */
function isReleased(kind: Kind, object: KubeObject): boolean {
  const meta = object.metadata
  if (meta.deletionTimestamp === undefined) return false
  return (
    (meta.finalizers ?? []).length === 0 && (meta.deletionGracePeriodSeconds ?? 0) === 0 && !holdsContent(kind, object)
  )
}

function hasGeneration(kind: Kind): boolean {
  return !WITHOUT_GENERATION.has(`${kind.group}/${kind.kind}`)
}

function hasNewGeneration(kind: Kind, object: KubeObject, current: KubeObject): boolean {
  if (!isDeepStrictEqual(wanted(object), wanted(current))) return true
  if (rulesOf(kind).generation?.countsAnnotations !== true) return false
  return !isDeepStrictEqual(object.metadata.annotations ?? {}, current.metadata.annotations ?? {})
}

/** Everything but metadata and status. */
function wanted(object: KubeObject): Record<string, unknown> {
  const rest: Record<string, unknown> = { ...object }
  delete rest['metadata']
  delete rest['status']
  delete rest['apiVersion']
  delete rest['kind']
  return rest
}

/** A write that says which version it was made from. Throws StoreError `Conflict`. */
export function checkVersion(kind: Kind, current: KubeObject, meta: ObjectMeta, isPatch: boolean): void {
  const { resourceVersion, uid } = meta
  if (!isPatch && uid !== undefined && uid !== '' && uid !== current.metadata.uid)
    throw otherUid(kind, current.metadata, uid)
  if (resourceVersion === undefined || resourceVersion === '' || resourceVersion === current.metadata.resourceVersion)
    return
  throw conflict(
    kind,
    current.metadata.name,
    'the object has been modified; please apply your changes to the latest version and try again',
  )
}

function otherUid(kind: Kind, { name, namespace, uid }: ObjectMeta, given: string): StoreError {
  const resource = kind.group === '' && kind.kind === 'Service' ? 'services/specs' : kind.plural
  const key = [
    '/registry',
    ...(isCustom(kind) ? [kind.group] : []),
    resource,
    ...(namespace === undefined ? [] : [namespace]),
    name,
  ].join('/')
  return conflict(
    kind,
    name,
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${given}, UID in object meta: ${uid ?? ''}`,
  )
}

function checkPreconditions(kind: Kind, current: KubeObject, { preconditions }: DeleteOptions): void {
  const { uid, resourceVersion } = current.metadata
  if (preconditions?.uid !== undefined && preconditions.uid !== uid) {
    throw preconditionFailed(
      kind,
      current.metadata.name,
      `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid ?? ''}). The object might have been deleted and then recreated`,
    )
  }
  if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
    throw preconditionFailed(
      kind,
      current.metadata.name,
      `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion ?? ''}). The object might have been modified`,
    )
  }
}

/** Here Kubernetes names the kind where it has the resource elsewhere. */
function preconditionFailed(kind: Kind, name: string, why: string): StoreError {
  const qualified = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`
  return new StoreError('Conflict', `Operation cannot be fulfilled on ${qualified} ${JSON.stringify(name)}: ${why}`, {
    details: { name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.kind },
  })
}

/** `deployments.apps`, `pods`: how messages name a kind. */
export function qualifiedPlural(kind: Kind): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`
}

function details(kind: Kind, name: string): Readonly<Record<string, unknown>> {
  return { name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.plural }
}

function about(reason: StoreErrorReason, kind: Kind, name: string, text: string): StoreError {
  return new StoreError(reason, text, { details: details(kind, name) })
}

export function notFound(kind: Kind, name: string): StoreError {
  return about('NotFound', kind, name, `${qualifiedPlural(kind)} ${JSON.stringify(name)} not found`)
}

export function alreadyExists(kind: Kind, name: string): StoreError {
  return about('AlreadyExists', kind, name, `${qualifiedPlural(kind)} ${JSON.stringify(name)} already exists`)
}

function conflict(kind: Kind, name: string, why: string): StoreError {
  return about(
    'Conflict',
    kind,
    name,
    `Operation cannot be fulfilled on ${qualifiedPlural(kind)} ${JSON.stringify(name)}: ${why}`,
  )
}

function pick(meta: ObjectMeta, fields: readonly (keyof ObjectMeta)[]): Partial<ObjectMeta> {
  return Object.fromEntries(fields.filter((field) => meta[field] !== undefined).map((field) => [field, meta[field]]))
}
