import { readFileSync } from 'node:fs'
import type { PodObject } from '../../resources/kubernetes/types.ts'
import { isOrdinary, messageOf } from '../room.ts'
import { PRESSURE_BYTES_MIN, PRESSURE_LOOK_MS, PRESSURE_PAUSE_MS } from '../limits.ts'
import type { UsageAccess } from './access.ts'
import type { KubeletContext } from './context.ts'
import { isActive } from './facts.ts'
import { memoryBytes } from './quantity.ts'

/**
 * When the machine's memory runs short, one pod after the other goes, before the kernel takes whom it likes: in good order, like any pod that is
 * deleted, so that no request fails. Source: Kubernetes, "Node-pressure Eviction": who uses more than it asked for goes first.
 */
export function watchPressure(
  context: KubeletContext,
  { usage, available = availableBytes }: { readonly usage: UsageAccess; readonly available?: () => number | undefined },
): { stop(): void } {
  let restUntil = 0
  const timer = setInterval(() => {
    const left = available()
    if (left === undefined || left >= PRESSURE_BYTES_MIN || Date.now() < restUntil) return
    const victim = victimOf(
      context.room.pods.list().filter((pod) => pod.spec.nodeName === context.nodeName),
      usage,
    )
    if (victim === undefined) return
    restUntil = Date.now() + PRESSURE_PAUSE_MS
    void evict(context, victim, left)
  }, PRESSURE_LOOK_MS)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}

/** Of those that run, the one that is farthest above its request. Pure. */
export function victimOf(pods: readonly PodObject[], usage: UsageAccess): PodObject | undefined {
  const measured = pods.filter(isActive).flatMap((pod) => {
    const used = usage.pod(pod)?.reduce((sum, entry) => sum + entry.usage.memoryBytes, 0)
    const asked = pod.spec.containers.reduce((sum, container) => sum + (memoryBytes(container, 'requests') ?? 0), 0)
    return used === undefined ? [] : [{ pod, above: used - asked }]
  })
  return measured.toSorted((left, right) => right.above - left.above)[0]?.pod
}

async function evict({ room, events, log }: KubeletContext, pod: PodObject, left: number): Promise<void> {
  const message = `The node was low on resource: memory. Threshold quantity: ${String(PRESSURE_BYTES_MIN)}, available: ${String(left)}.`
  events.tell({ about: pod, type: 'Warning', reason: 'Evicted', message })
  try {
    await room.pods.delete(pod)
  } catch (error) {
    if (!isOrdinary(error)) log('warn', `evicting pod ${pod.metadata.name}: ${messageOf(error)}`)
  }
}

/** Undefined where the system does not say. */
function availableBytes(): number | undefined {
  try {
    const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
  } catch {
    // Not Linux.
    return undefined
  }
}
