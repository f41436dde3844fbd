/** Counts pods at every change: how few were ready, how many there were. */
import { Pod } from '../resources/kinds.ts'
import type { PodObject } from '../resources/kubernetes/types.ts'
import { readKubeconfig } from '../store/kubeconfig.ts'
import { pathOf } from '../store/remote.ts'
import { Client } from './client.ts'
import { linesOf } from '../store/lines.ts'

export interface PodWatch {
  /** What was seen since it began. */
  stop(): Promise<{ readonly readyMin: number; readonly podsMax: number }>
}

/** Counts, as a Deployment does, the pods of the default namespace that are not on their way out. */
export async function watchPods(kubeconfig: string): Promise<PodWatch> {
  const client = new Client(readKubeconfig(kubeconfig), kubeconfig)
  const path = pathOf(Pod, { namespace: 'default' })
  const list = await client.json<{ metadata: { resourceVersion: string }; items: PodObject[] }>(path)
  const pods = new Map(list.items.map((pod) => [pod.metadata.name, pod]))
  const seen = { readyMin: Infinity, podsMax: 0 }
  const count = (): void => {
    const living = [...pods.values()].filter((pod) => pod.metadata.deletionTimestamp === undefined)
    seen.readyMin = Math.min(seen.readyMin, living.filter(isReady).length)
    seen.podsMax = Math.max(seen.podsMax, living.length)
  }
  count()
  const stopped = new AbortController()
  const body = client.stream(path, {
    query: { watch: 'true', resourceVersion: list.metadata.resourceVersion },
    signal: stopped.signal,
  })
  const done = (async () => {
    for await (const line of linesOf(body)) {
      const { type, object } = JSON.parse(line) as { type: string; object: PodObject }
      if (type === 'DELETED') pods.delete(object.metadata.name)
      else if (type !== 'BOOKMARK') pods.set(object.metadata.name, object)
      count()
    }
  })()
  return {
    stop: async () => {
      stopped.abort()
      await done
      client.close()
      return seen
    },
  }
}

function isReady(pod: PodObject): boolean {
  return pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true
}
