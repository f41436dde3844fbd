import { mkdirSync } from 'node:fs'
import { hostname } from 'node:os'
import { Node } from '../../resources/kinds.ts'
import type { PodObject } from '../../resources/kubernetes/types.ts'
import { isGone } from '../cache.ts'
import { EventRecorder } from '../events.ts'
import { isOrdinary, messageOf } from '../room.ts'
import type { PodAccess, UsageAccess } from './access.ts'
import type { KubeletContext } from './context.ts'
import { isFinished } from './facts.ts'
import { createPodAccess } from './handlers.ts'
import { nodeObject } from './node.ts'
import { PodWorker } from './pod.ts'
import { watchPressure } from './pressure.ts'
import { startUsageMeter } from './usage.ts'
import { forgetPod, loadRecord, recordedPods, volumesDirectory } from './records.ts'
import { mountedNames, prepareVolumes } from './volumes.ts'

/** The kubelet's part: one worker for each pod of this machine, and those that an earlier control process left are taken over. */
export interface Kubelet {
  readonly access: PodAccess
  readonly usage: UsageAccess
  stop(options: { readonly keepPods: boolean }): Promise<void>
}

/** The name of this machine's Node. */
export function nodeNameOfHost(): string {
  const name = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, '-')
    .replaceAll(/^[-.]+|[-.]+$/g, '')
  return name === '' ? 'serin' : name
}

/** The room has to be synced. */
export async function startKubelet(context: KubeletContext): Promise<Kubelet> {
  mkdirSync(context.directory, { recursive: true, mode: 0o700 })
  await registerNode(context)
  const workers = new Map<string, PodWorker>()
  const placing: Placing = { binding: new Set(), events: placeEvents(context) }
  await clearStrays(context)
  const see = (pod: PodObject): void => {
    const uid = pod.metadata.uid ?? ''
    const worker = workers.get(uid)
    if (worker !== undefined) return worker.update(pod)
    if (isFinished(pod)) return buryFinished(context, pod)
    if ((pod.spec.nodeName ?? '') === '') return bind(context, placing, pod)
    if (pod.spec.nodeName !== context.nodeName) return
    const made = new PodWorker(context, pod)
    workers.set(uid, made)
    made.begin()
  }
  const lose = (pod: PodObject): void => {
    const worker = workers.get(pod.metadata.uid ?? '')
    workers.delete(pod.metadata.uid ?? '')
    void worker?.remove()
  }
  const stopWatching = context.room.pods.onChange(({ type, object }) =>
    type === 'DELETED' ? lose(object) : see(object),
  )
  for (const pod of context.room.pods.list()) see(pod)
  followConfiguration(context, workers)
  const usage = startUsageMeter(workers)
  const pressure = watchPressure(context, { usage })
  return {
    access: createPodAccess(context, workers),
    usage,
    stop: async ({ keepPods }) => {
      usage.stop()
      pressure.stop()
      stopWatching()
      await Promise.all([...workers.values()].map((worker) => (keepPods ? worker.release() : worker.shutDown())))
      await Promise.all([context.events.flushed(), placing.events.flushed()])
    },
  }
}

interface Placing {
  /** Uids of pods that are being placed. */
  readonly binding: Set<string>
  readonly events: EventRecorder
}

/** Told under the name that people know it by. */
function placeEvents({ room, log }: KubeletContext): EventRecorder {
  return new EventRecorder({
    store: room.store,
    component: 'default-scheduler',
    onError: (error) => log('warn', `placing event: ${messageOf(error)}`),
  })
}

/** Every pod without a place gets this machine. */
function bind(context: KubeletContext, { binding, events }: Placing, pod: PodObject): void {
  const { uid = '', name, namespace = '' } = pod.metadata
  if (binding.has(uid) || pod.metadata.deletionTimestamp !== undefined) return
  binding.add(uid)
  context.room.pods
    .update({ ...pod, spec: { ...pod.spec, nodeName: context.nodeName } })
    .then((bound) => {
      const message = `Successfully assigned ${namespace}/${name} to ${context.nodeName}`
      events.tell({ about: bound, reason: 'Scheduled', message })
    })
    .catch((error: unknown) => {
      if (!isOrdinary(error)) context.log('warn', `placing pod ${name}: ${messageOf(error)}`)
    })
    .finally(() => binding.delete(uid))
}

/** A control process ended between a pod's last status and the removal of its object. */
function buryFinished(context: KubeletContext, pod: PodObject): void {
  if (pod.metadata.deletionTimestamp === undefined || pod.spec.nodeName !== context.nodeName) return
  const bury = async (): Promise<void> => {
    await forgetPod(context.directory, pod.metadata.uid ?? '')
    await context.room.pods.delete(pod, { gracePeriodSeconds: 0 })
  }
  bury().catch((error: unknown) => {
    context.log('warn', `removing pod ${pod.metadata.name}: ${messageOf(error)}`)
  })
}

async function registerNode(context: KubeletContext): Promise<void> {
  const { store } = context.room
  const node = nodeObject(context.nodeName, context.hostIP, Date.now())
  const present = await store.get(Node, { name: context.nodeName })
  if (present === undefined) await store.create(Node, node, { fieldManager: 'kubelet' })
  const body = { status: node.status }
  await store.patch(
    Node,
    { name: context.nodeName },
    { type: 'merge', body },
    { subresource: 'status', fieldManager: 'kubelet' },
  )
}

/** What runs of pods that are not there any more, and what was started without being written down, is ended. */
async function clearStrays(context: KubeletContext): Promise<void> {
  const present = new Set(context.room.pods.list().map((pod) => pod.metadata.uid))
  const records = recordedPods(context.directory).map((uid) => [uid, loadRecord(context.directory, uid)] as const)
  const kept = records
    .filter(([uid]) => present.has(uid))
    .flatMap(([, record]) => Object.values(record?.containers ?? {}))
  await context.runtimes.endStrays(kept.flatMap(({ running }) => running?.record ?? []))
  for (const [uid] of records) if (!present.has(uid)) await forgetPod(context.directory, uid)
}

/** A change in a ConfigMap or Secret reaches the files of the pods that mount it. */
function followConfiguration(context: KubeletContext, workers: ReadonlyMap<string, PodWorker>): void {
  const { configMaps, secrets } = context.room
  const refresh = (which: 'configMaps' | 'secrets', namespace: string | undefined, name: string): void => {
    for (const { object: pod, uid } of workers.values()) {
      if (pod.metadata.namespace !== namespace || !mountedNames(pod)[which].includes(name)) continue
      try {
        prepareVolumes(pod, volumesDirectory(context.directory, uid), {
          configMap: (key) => configMaps.get({ namespace: namespace ?? '', name: key }),
          secret: (key) => secrets.get({ namespace: namespace ?? '', name: key }),
        })
      } catch (error) {
        // A ConfigMap that was deleted leaves the files as they are.
        if (!isGone(error)) context.log('info', `volumes of pod ${pod.metadata.name}: ${messageOf(error)}`)
      }
    }
  }
  configMaps.onChange(({ object }) => refresh('configMaps', object.metadata.namespace, object.metadata.name))
  secrets.onChange(({ object }) => refresh('secrets', object.metadata.namespace, object.metadata.name))
}
