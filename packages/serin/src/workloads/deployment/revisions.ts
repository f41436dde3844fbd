import { fenceposts, replicasOf } from '../percent.ts'
import { canonicalText, safeHash } from '../canonical.ts'
import { controllerReference } from '../owners.ts'
import { REVISION_HISTORY_CHARACTERS_MAX } from '../limits.ts'
import type { DeploymentObject, PodTemplate, ReplicaSetObject } from '../../resources/kubernetes/types.ts'

/**
 * Which ReplicaSet belongs to which revision of a Deployment, and what the controller writes on it. Pure.
 * Source: Kubernetes' Deployment controller, as recorded (rules 1.2 and 1.9 of the reference).
 */

const HASH_LABEL = 'pod-template-hash'
const PREFIX = 'deployment.kubernetes.io/'
export const REVISION: string = `${PREFIX}revision`
const REVISION_HISTORY = `${PREFIX}revision-history`
export const DESIRED_REPLICAS: string = `${PREFIX}desired-replicas`
export const MAX_REPLICAS: string = `${PREFIX}max-replicas`

/** What the configuration of a Deployment's pods was (config-restart.ts). */
export const CONFIG_HASH = 'serin.dev/config-hash'

/** Annotations of a Deployment that are its own business and not its ReplicaSets'. */
const NOT_COPIED: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
  CONFIG_HASH,
])

type Annotations = Record<string, string>

export function revisionOf(object: DeploymentObject | ReplicaSetObject): number {
  return Number(object.metadata.annotations?.[REVISION] ?? 0) || 0
}

/** Oldest first; of the same second, by name. */
export function byCreation(left: ReplicaSetObject, right: ReplicaSetObject): number {
  const order = (left.metadata.creationTimestamp ?? '').localeCompare(right.metadata.creationTimestamp ?? '')
  return order !== 0 ? order : left.metadata.name.localeCompare(right.metadata.name)
}

/** The oldest ReplicaSet that runs the Deployment's template. */
export function currentReplicaSet(
  deployment: DeploymentObject,
  replicaSets: readonly ReplicaSetObject[],
): ReplicaSetObject | undefined {
  const wanted = templateText(deployment.spec.template)
  return replicaSets.toSorted(byCreation).find((replicaSet) => templateText(replicaSet.spec.template) === wanted)
}

/** Two templates with the same text are the same revision. */
export function templateText(template: PodTemplate): string {
  const { [HASH_LABEL]: _hash, ...labels } = template.metadata?.labels ?? {}
  return canonicalText({ ...template, metadata: { ...template.metadata, labels } })
}

/** A ReplicaSet for the Deployment's template, of size 0 and with nothing written on it yet. */
export function newReplicaSet(deployment: DeploymentObject): ReplicaSetObject {
  const { template, selector, minReadySeconds } = deployment.spec
  const collisions = deployment.status?.collisionCount
  const hash = safeHash(`${templateText(template)}${collisions === undefined ? '' : String(collisions)}`)
  const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash }
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      ...(deployment.metadata.namespace === undefined ? {} : { namespace: deployment.metadata.namespace }),
      labels,
      annotations: {},
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas: 0,
      ...(minReadySeconds === undefined || minReadySeconds === 0 ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  }
}

/** The size of the Deployment that the ReplicaSet was last told. */
export function sizeAnnotations(deployment: DeploymentObject): Annotations {
  const replicas = replicasOf(deployment.spec)
  return {
    [DESIRED_REPLICAS]: String(replicas),
    [MAX_REPLICAS]: String(replicas + fenceposts(deployment.spec).surge),
  }
}

/** The current ReplicaSet as it has to be: with the Deployment's annotations and the highest revision. Same object if it is so. */
export function asCurrent(
  deployment: DeploymentObject,
  replicaSet: ReplicaSetObject,
  revision: number,
): ReplicaSetObject {
  const before = replicaSet.metadata.annotations ?? {}
  const annotations = { ...before, ...copiedAnnotations(deployment), ...revisionAnnotations(before, revision) }
  const minReadySeconds = deployment.spec.minReadySeconds ?? 0
  const same =
    canonicalText(annotations) === canonicalText(before) && (replicaSet.spec.minReadySeconds ?? 0) === minReadySeconds
  if (same) return replicaSet
  return {
    ...replicaSet,
    metadata: { ...replicaSet.metadata, annotations },
    spec: { ...replicaSet.spec, minReadySeconds },
  }
}

function copiedAnnotations(deployment: DeploymentObject): Annotations {
  const entries = Object.entries(deployment.metadata.annotations ?? {})
  return Object.fromEntries(entries.filter(([name]) => !NOT_COPIED.has(name)))
}

/** A ReplicaSet that comes back gets a new number; the old ones are kept in a list. */
function revisionAnnotations(before: Annotations, revision: number): Annotations {
  const old = before[REVISION]
  if (old !== undefined && Number(old) >= revision) return {}
  if (old === undefined) return { [REVISION]: String(revision) }
  const history = [...(before[REVISION_HISTORY]?.split(',') ?? []), old].filter((entry) => entry !== '')
  while (history.join(',').length > REVISION_HISTORY_CHARACTERS_MAX) history.shift()
  return { [REVISION]: String(revision), [REVISION_HISTORY]: history.join(',') }
}
