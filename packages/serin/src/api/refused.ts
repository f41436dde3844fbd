/**
 * Kinds that people know from Kubernetes and that nothing here acts on: they are found, their lists are empty, and making one is
 * refused with the reason, which is kinder than not knowing them.
 */
import { apiVersionOf, type Kind } from '../resources/kinds.ts'
import { StoreError } from '../store/store.ts'

export interface RefusedKind extends Kind {
  /** What to do instead; a sentence. */
  readonly instead: string
}

const refused = (
  group: string,
  name: string,
  plural: string,
  instead: string,
  extra: Partial<Pick<Kind, 'shortNames' | 'categories' | 'subresources' | 'namespaced'>> = {},
): RefusedKind => ({
  group,
  version: 'v1',
  kind: name,
  plural,
  singular: name.toLowerCase(),
  shortNames: [],
  categories: [],
  namespaced: true,
  subresources: [],
  otherVersions: [],
  instead,
  ...extra,
})

const REPLICAS = 'use a Deployment; every replica here keeps its files where its volumes say'
const NO_BATCH = 'run the command itself, or `kubectl exec` it in a pod'
const NO_ACCESS = 'access is by the tokens in the data directory, with the fixed roles admin, viewer and gateway'

const HOST_FILES = 'use a hostPath or emptyDir volume'
const NO_QUOTA = 'one machine has no quotas between namespaces; limits of containers are kept'

export const REFUSED: readonly RefusedKind[] = [
  refused('', 'LimitRange', 'limitranges', NO_QUOTA, { shortNames: ['limits'] }),
  refused('', 'PersistentVolume', 'persistentvolumes', HOST_FILES, { shortNames: ['pv'], namespaced: false }),
  refused('', 'PersistentVolumeClaim', 'persistentvolumeclaims', HOST_FILES, { shortNames: ['pvc'] }),
  refused('', 'ReplicationController', 'replicationcontrollers', 'use a Deployment', {
    shortNames: ['rc'],
    categories: ['all'],
  }),
  refused('', 'ResourceQuota', 'resourcequotas', NO_QUOTA, { shortNames: ['quota'] }),
  refused('networking.k8s.io', 'NetworkPolicy', 'networkpolicies', 'everything here is on loopback addresses', {
    shortNames: ['netpol'],
  }),
  refused(
    'policy',
    'PodDisruptionBudget',
    'poddisruptionbudgets',
    'one node is never drained; rolling updates keep maxUnavailable',
    {
      shortNames: ['pdb'],
    },
  ),
  refused('apps', 'ControllerRevision', 'controllerrevisions', 'revisions of a Deployment are its ReplicaSets'),
  refused('apps', 'DaemonSet', 'daemonsets', 'there is one node: use a Deployment with one replica', {
    shortNames: ['ds'],
    categories: ['all'],
    subresources: ['status'],
  }),
  refused('apps', 'StatefulSet', 'statefulsets', REPLICAS, {
    shortNames: ['sts'],
    categories: ['all'],
    subresources: ['scale', 'status'],
  }),
  refused('batch', 'CronJob', 'cronjobs', NO_BATCH, {
    shortNames: ['cj'],
    categories: ['all'],
    subresources: ['status'],
  }),
  refused('batch', 'Job', 'jobs', NO_BATCH, { categories: ['all'], subresources: ['status'] }),
  refused('rbac.authorization.k8s.io', 'ClusterRole', 'clusterroles', NO_ACCESS, { namespaced: false }),
  refused('rbac.authorization.k8s.io', 'ClusterRoleBinding', 'clusterrolebindings', NO_ACCESS, { namespaced: false }),
  refused('rbac.authorization.k8s.io', 'Role', 'roles', NO_ACCESS),
  refused('rbac.authorization.k8s.io', 'RoleBinding', 'rolebindings', NO_ACCESS),
]

/** An empty list of a refused kind. */
export function emptyList(kind: RefusedKind, resourceVersion: string): unknown {
  return { kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind), metadata: { resourceVersion }, items: [] }
}

export function refusal(kind: RefusedKind, name: string): StoreError {
  const qualified = kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`
  return new StoreError(
    'Forbidden',
    `${qualified} ${JSON.stringify(name)} is forbidden: serin has no controller for a ${kind.kind}, so nothing would come of it: ${kind.instead}`,
    { details: { name, group: kind.group, kind: kind.plural } },
  )
}
