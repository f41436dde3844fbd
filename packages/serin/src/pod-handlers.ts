/** What `api/` asks of pods, answered by `workloads/`, which begins after the API. */
import type { MetricsHandlers } from './api/metrics.ts'
import type { PodHandlers } from './api/pods.ts'
import { StoreError } from './store/store.ts'
import type { PodAccess, UsageAccess } from './workloads/pods/access.ts'

/** `access` is asked at each call. */
export function podHandlers(access: () => PodAccess | undefined): PodHandlers {
  const now = (): PodAccess => {
    const found = access()
    if (found === undefined) throw new StoreError('ServiceUnavailable', 'no kubelet is running here')
    return found
  }
  return {
    log: (pod, options) => now().log(pod, options),
    exec: (pod, options) => now().exec(pod, options),
    connect: (pod, port) => now().connect(pod, port),
    addressOf: (pod, port) => now().addressOf(pod, port),
  }
}

export function usageHandlers(access: () => UsageAccess | undefined): MetricsHandlers {
  return {
    pod: (pod) => access()?.pod(pod),
    node: () => access()?.node() ?? { cpuCores: 0, memoryBytes: 0 },
  }
}
