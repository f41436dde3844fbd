import { connect } from 'node:net'
import type { KubeObject } from '../../resources/object.ts'
import { StoreError } from '../../store/store.ts'
import { realPort } from '../endpoints/addresses.ts'
import { readLog } from '../runtimes/log-file.ts'
import type { PodObject } from '../../resources/kubernetes/types.ts'
import type { LogOptions, PodAccess } from './access.ts'
import type { ContainerWorker } from './container.ts'
import type { KubeletContext } from './context.ts'
import type { PodWorker } from './pod.ts'
import { loadRecord, logPath } from './records.ts'

/** What people ask of running pods: the kubelet's own little API. */

type Workers = ReadonlyMap<string, PodWorker>

export function createPodAccess(context: KubeletContext, workers: Workers): PodAccess {
  const workerOf = (pod: KubeObject): PodWorker | undefined => workers.get(pod.metadata.uid ?? '')
  return {
    log: (pod, options) => {
      const worker = workerOf(pod)?.worker(options.container)
      const { attempt, file } = logOf(context, pod, options, worker)
      const runtime = context.runtimes.of(worker?.containerId ?? '')
      const place = { podUid: pod.metadata.uid ?? '', name: options.container, attempt }
      return runtime?.log?.(place, options) ?? readLog(file, options, () => worker?.program === undefined)
    },
    exec: async (pod, { container, ...options }) => {
      const program = workerOf(pod)?.worker(container)?.program
      if (program === undefined) throw new StoreError('BadRequest', `container not found ("${container}")`)
      return program.exec(options)
    },
    connect: async (pod, containerPort) => {
      const worker = workerOf(pod)
      if (worker === undefined || worker.programs().length === 0) {
        const { phase = 'Pending' } = (pod as PodObject).status ?? {}
        throw new StoreError('BadRequest', `unable to forward port because pod is not running. Current status=${phase}`)
      }
      return new Promise((resolve, reject) => {
        const socket = connect({ host: context.podIP, port: worker.portOf(containerPort), allowHalfOpen: true })
        socket.once('connect', () => resolve(socket))
        socket.once('error', reject)
      })
    },
    addressOf: (pod, containerPort) => {
      // The API hands over what it read from the store under the kind Pod.
      const { spec } = pod as PodObject
      const port = containerPort ?? spec.containers.flatMap(({ ports }) => ports ?? [])[0]?.containerPort
      return port === undefined ? undefined : `${context.podIP}:${String(realPort(pod as PodObject, port))}`
    },
  }
}

/** Which life's log is meant, and its file. Throws StoreError `BadRequest` when there is none. */
function logOf(
  context: KubeletContext,
  pod: KubeObject,
  { container, previous }: LogOptions,
  worker: ContainerWorker | undefined,
): { readonly attempt: number; readonly file: string } {
  const uid = pod.metadata.uid ?? ''
  const attempts = worker?.attempts ?? loadRecord(context.directory, uid)?.containers[container]?.attempt ?? 0
  // While nothing runs, the life before is the present one: that is what people want to see of a program that crashes.
  const current = worker?.program === undefined ? Math.max(0, attempts - 1) : attempts
  if (previous && current === 0) {
    const message = `previous terminated container "${container}" in pod "${pod.metadata.name}" not found`
    throw new StoreError('BadRequest', message)
  }
  if (worker?.view.phase.name === 'waiting' && attempts === 0) {
    const { reason } = worker.view.phase
    const message = `container "${container}" in pod "${pod.metadata.name}" is waiting to start: ${reason}`
    throw new StoreError('BadRequest', message)
  }
  const attempt = previous ? current - 1 : current
  return { attempt, file: logPath(context.directory, uid, container, attempt) }
}
