import type { Kind } from '../kinds.ts'

/**
 * Whether Kubernetes knows a kind through a CustomResourceDefinition: then strategic merge patches are refused, updates need a
 * resourceVersion, and items of lists carry their kind. Pure.
 */
export function isCustom({ group }: Kind): boolean {
  return group.includes('.') && !group.endsWith('.k8s.io') ? true : group === 'gateway.networking.k8s.io'
}
