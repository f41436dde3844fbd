/** Kinds that are read and written in more than one version, and stored in one. Pure. */
import { convertOlder } from '../resources/ambassador/older.ts'
import { apiVersionOf, type Kind } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { autoscalerFromV2, autoscalerToV2 } from '../resources/kubernetes/autoscaler-versions.ts'

export function toStored(kind: Kind, version: string, object: KubeObject): KubeObject {
  if (version === kind.version) return object
  const converted = kind.kind === 'HorizontalPodAutoscaler' ? autoscalerToV2(object) : convertOlder(object)
  return { ...converted, apiVersion: apiVersionOf(kind) }
}

export function fromStored(kind: Kind, version: string, object: KubeObject): KubeObject {
  if (version === kind.version) return object
  const converted = kind.kind === 'HorizontalPodAutoscaler' ? autoscalerFromV2(object) : object
  return { ...converted, apiVersion: apiVersionOf({ ...kind, version }) }
}
