/** How far the rollout of a Deployment is. */
import type { DeploymentObject } from '../resources/kubernetes/types.ts'

export type RolloutProgress =
  | { readonly kind: 'waiting'; readonly message: string }
  | { readonly kind: 'complete'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string }

/** What `rollout status` says about a Deployment as it is now. Pure. */
export function rolloutProgress(name: string, deployment: DeploymentObject): RolloutProgress {
  const { spec, status = {} } = deployment
  const waiting = (message: string): RolloutProgress => ({ kind: 'waiting', message })
  if ((deployment.metadata.generation ?? 0) > (status.observedGeneration ?? 0)) {
    return waiting('Waiting for deployment spec update to be observed...')
  }
  const progressing = status.conditions?.find((condition) => condition.type === 'Progressing')
  if (progressing?.reason === 'ProgressDeadlineExceeded') {
    return { kind: 'failed', message: `deployment "${name}" exceeded its progress deadline` }
  }
  const start = `Waiting for deployment "${name}" rollout to finish:`
  const wanted = spec.replicas ?? 1
  const updated = status.updatedReplicas ?? 0
  const all = status.replicas ?? 0
  const available = status.availableReplicas ?? 0
  if (updated < wanted) return waiting(`${start} ${updated} out of ${wanted} new replicas have been updated...`)
  if (all > updated) return waiting(`${start} ${all - updated} old replicas are pending termination...`)
  if (available < updated) return waiting(`${start} ${available} of ${updated} updated replicas are available...`)
  return { kind: 'complete', message: `deployment "${name}" successfully rolled out` }
}
