import { connect } from 'node:net'
import { Pod } from '../../resources/kinds.ts'
import type { PodObject } from '../../resources/kubernetes/types.ts'
import { StoreError, type ObjectKey } from '../../store/store.ts'
import { USAGE_MS_MIN } from '../limits.ts'
import { readLog } from '../runtimes/log-file.ts'
import { existsSync } from 'node:fs'
import type { ContainerUsage, PodAccess, PodUsage } from './access.ts'
import type { ContainerWorker } from './container.ts'
import type { KubeletContext } from './context.ts'
import type { PodWorker } from './pod.ts'
import { loadRecord, logPath } from './records.ts'

/** What people ask of running pods: the kubelet's own little API. */

type Workers = ReadonlyMap<string, PodWorker>

export function createPodAccess(context: KubeletContext, workers: Workers): PodAccess {
  const usage = new UsageMeter(workers)
  return {
    logs: async (key, options) => {
      const pod = podOf(context, key)
      const name = containerName(pod, options.container)
      const worker = workers.get(pod.metadata.uid ?? '')?.worker(name)
      return readLog(
        logFileOf(context, pod, name, { worker, previous: options.previous === true }),
        options,
        () => worker?.program === undefined,
      )
    },
    exec: async (key, options) => {
      const pod = podOf(context, key)
      const name = containerName(pod, options.container)
      const program = workers.get(pod.metadata.uid ?? '')?.worker(name)?.program
      if (program === undefined) throw new StoreError('BadRequest', `container not found ("${name}")`)
      return program.exec(options)
    },
    portForward: (key, containerPort) => {
      const pod = podOf(context, key)
      const worker = workers.get(pod.metadata.uid ?? '')
      if (worker === undefined || worker.programs().length === 0) {
        throw new StoreError(
          'BadRequest',
          `unable to forward port because pod is not running. Current status=${pod.status?.phase ?? 'Pending'}`,
        )
      }
      return new Promise((resolve, reject) => {
        const socket = connect({ host: context.podIP, port: worker.portOf(containerPort), allowHalfOpen: true })
        socket.once('connect', () => resolve(socket))
        socket.once('error', reject)
      })
    },
    usage: () => usage.measure(),
  }
}

function podOf({ room }: KubeletContext, key: ObjectKey): PodObject {
  const pod = room.pods.get(key)
  if (pod !== undefined) return pod
  throw new StoreError('NotFound', `pods "${key.name}" not found`, { details: { name: key.name, kind: Pod.plural } })
}

function containerName(pod: PodObject, wanted: string | undefined): string {
  const main = pod.spec.containers.map(({ name }) => name)
  const init = (pod.spec.initContainers ?? []).map(({ name }) => name)
  const { name } = pod.metadata
  if (wanted === undefined || wanted === '') {
    const annotated = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container']
    if (annotated !== undefined && main.includes(annotated)) return annotated
    const [only, ...others] = main
    if (only !== undefined && others.length === 0) return only
    const initNames = init.length === 0 ? '' : ` or one of the init containers: [${init.join(' ')}]`
    throw new StoreError(
      'BadRequest',
      `a container name must be specified for pod ${name}, choose one of: [${main.join(' ')}]${initNames}`,
    )
  }
  if ([...main, ...init].includes(wanted)) return wanted
  throw new StoreError('BadRequest', `container ${wanted} is not valid for pod ${name}`)
}

function logFileOf(
  context: KubeletContext,
  pod: PodObject,
  container: string,
  { worker, previous }: { worker: ContainerWorker | undefined; previous: boolean },
): string {
  const uid = pod.metadata.uid ?? ''
  const attempts = worker?.attempts ?? loadRecord(context.directory, uid)?.containers[container]?.attempt ?? 0
  // While nothing runs, the life before is the present one: that is what people want to see of a program that crashes.
  const current = worker?.program === undefined ? Math.max(0, attempts - 1) : attempts
  const file = logPath(context.directory, uid, container, previous ? current - 1 : current)
  if (previous && !existsSync(file)) {
    const message = `previous terminated container "${container}" in pod "${pod.metadata.name}" not found`
    throw new StoreError('BadRequest', message)
  }
  if (worker?.view.phase.name === 'waiting' && attempts === 0 && !existsSync(file)) {
    const { reason } = worker.view.phase
    const message = `container "${container}" in pod "${pod.metadata.name}" is waiting to start: ${reason}`
    throw new StoreError('BadRequest', message)
  }
  return file
}

interface Sample {
  readonly at: number
  readonly cpuMs: number
}

/** Processor time is a difference between two looks; asked more often than is good, the last answer stands. */
class UsageMeter {
  private readonly workers: Workers
  private samples = new Map<string, Sample>()
  private last: { readonly at: number; readonly usage: Promise<readonly PodUsage[]> } | undefined

  constructor(workers: Workers) {
    this.workers = workers
  }

  measure(): Promise<readonly PodUsage[]> {
    const now = Date.now()
    if (this.last !== undefined && now - this.last.at < USAGE_MS_MIN) return this.last.usage
    const usage = this.look()
    this.last = { at: now, usage }
    return usage
  }

  private async look(): Promise<readonly PodUsage[]> {
    const samples = new Map<string, Sample>()
    const pods = await Promise.all([...this.workers.values()].map((worker) => this.pod(worker, samples)))
    this.samples = samples
    return pods.filter((pod) => pod.containers.length > 0)
  }

  private async pod(worker: PodWorker, samples: Map<string, Sample>): Promise<PodUsage> {
    const { name, namespace = '' } = worker.object.metadata
    const containers: ContainerUsage[] = []
    let windowMs = 0
    for (const { container, program } of worker.programs()) {
      const usage = await program.usage()
      if (usage === undefined) continue
      const id = `${worker.uid}/${container}/${program.id}`
      const at = Date.now()
      const before = this.samples.get(id) ?? { at: startOf(worker, container) ?? at - 1, cpuMs: 0 }
      windowMs = Math.max(1, at - before.at)
      samples.set(id, { at, cpuMs: usage.cpuMs })
      const cpuMillicores = Math.round(((usage.cpuMs - before.cpuMs) / windowMs) * 1000)
      containers.push({ name: container, cpuMillicores, memoryBytes: usage.memoryBytes })
    }
    return { namespace, name, at: Date.now(), windowMs, containers }
  }
}

function startOf(worker: PodWorker, container: string): number | undefined {
  const phase = worker.worker(container)?.view.phase
  return phase?.name === 'running' ? phase.startedAt : undefined
}
