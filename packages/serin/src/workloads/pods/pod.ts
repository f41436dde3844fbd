import type { Container, PodObject, PodStatus } from '../../resources/kubernetes/types.ts'
import { canonicalText } from '../canonical.ts'
import { isGone } from '../cache.ts'
import { PORTS_ANNOTATION, containerPort, portMapOf, UNDECLARED, type PortMap } from '../endpoints/addresses.ts'
import { DRAIN_MS_MAX, DRAIN_POLL_MS, GRACE_SECONDS_DEFAULT, STATUS_RETRY_MS } from '../limits.ts'
import { messageOf } from '../room.ts'
import { establishedTo } from '../runtimes/proc.ts'
import type { RunningContainer } from '../runtimes/runtime.ts'
import { ContainerWorker, type Surroundings } from './container.ts'
import type { KubeletContext } from './context.ts'
import { launchContainer } from './launch.ts'
import type { ProbeTarget } from './probe.ts'
import { dropOldLogs, forgetPod, loadRecord, logPath, makePodDirectory, saveRecord, type PodRecord } from './records.ts'
import type { Role } from './restarts.ts'
import { statusOf, type ContainerView } from './status.ts'

/**
 * One pod on this machine, from the first sight of its object to the last: place, ports, init containers, containers, status, end.
 */
export class PodWorker {
  readonly uid: string
  private readonly context: KubeletContext
  private pod: PodObject
  private readonly workers: readonly ContainerWorker[]
  private ports: PortMap = {}
  private startTime: number = Date.now()
  private published = ''
  private saved = ''
  private writing: Promise<void> | undefined
  private dirty = false
  private ending: Promise<void> | undefined
  private isClosed = false

  constructor(context: KubeletContext, pod: PodObject) {
    this.context = context
    this.pod = pod
    this.uid = pod.metadata.uid ?? ''
    const surroundings = this.surroundings()
    const init = (pod.spec.initContainers ?? []).map(
      (container) =>
        new ContainerWorker(container, container.restartPolicy === 'Always' ? 'sidecar' : 'init', surroundings),
    )
    this.workers = [
      ...init,
      ...pod.spec.containers.map((container) => new ContainerWorker(container, 'main', surroundings)),
    ]
  }

  /** Starts, or goes on with what an earlier control process left. */
  begin(): void {
    this.run().catch((error: unknown) => {
      if (!isGone(error)) this.context.log('warn', `pod ${this.pod.metadata.name}: ${messageOf(error)}`)
    })
  }

  /** The object has changed. */
  update(pod: PodObject): void {
    this.pod = pod
    if (pod.metadata.deletionTimestamp !== undefined) void this.end()
  }

  /** The object is gone without waiting for us (`--force --grace-period=0`): so must the programs. */
  async remove(): Promise<void> {
    this.isClosed = true
    await Promise.all(this.workers.map((worker) => worker.stop(() => 0)))
    await this.context.runtimes.sweep(this.uid)
    await this.forget()
  }

  /** serin goes down: everything stops, the object stays and comes back with the next start. */
  async shutDown(): Promise<void> {
    if (this.ending !== undefined) return this.ending
    const end = Date.now() + this.graceSeconds() * 1000
    await Promise.all(this.workers.map((worker) => worker.suspend(() => end - Date.now())))
    await this.context.runtimes.sweep(this.uid)
    await this.flush()
    this.isClosed = true
  }

  /** serin goes, the programs stay. */
  async release(): Promise<void> {
    for (const worker of this.workers) worker.release()
    await this.flush()
    this.isClosed = true
  }

  get object(): PodObject {
    return this.pod
  }

  worker(container: string): ContainerWorker | undefined {
    return this.workers.find((entry) => entry.container.name === container)
  }

  /** The programs that run now. */
  programs(): readonly { readonly container: string; readonly program: RunningContainer }[] {
    return this.workers.flatMap(({ container, program }) =>
      program === undefined ? [] : [{ container: container.name, program }],
    )
  }

  portOf(port: number): number {
    return this.ports[String(port)] ?? this.ports[UNDECLARED] ?? port
  }

  private async run(): Promise<void> {
    const record = loadRecord(this.context.directory, this.uid)
    makePodDirectory(this.context.directory, this.uid)
    this.ports = await this.choosePorts(record)
    this.startTime = record?.startTime ?? Date.now()
    if (this.pod.metadata.deletionTimestamp !== undefined && record === undefined) return this.end()
    await this.beginContainers(record?.containers ?? {})
    if (this.pod.metadata.deletionTimestamp !== undefined) return this.end()
  }

  /** A pod that had ports keeps them if it can: clients may remember. A running program has them. */
  private async choosePorts(record: PodRecord | undefined): Promise<PortMap> {
    const known = record?.ports ?? portMapOf(this.pod)
    const runs = Object.values(record?.containers ?? {}).some(({ running }) => running !== undefined)
    if (runs) this.context.ports.keep(known)
    return runs ? known : this.context.ports.allocate(this.pod, known)
  }

  private async beginContainers(
    memories: Readonly<Record<string, Parameters<ContainerWorker['begin']>[0]>>,
  ): Promise<void> {
    const memoryOf = (worker: ContainerWorker): Parameters<ContainerWorker['begin']>[0] =>
      memories[worker.container.name]
    const mainRuns = this.workers.some((worker) => worker.role === 'main' && memoryOf(worker)?.running !== undefined)
    for (const worker of this.workers.filter(({ role }) => role !== 'main')) {
      if (worker.role === 'init' && mainRuns) worker.skip(memoryOf(worker))
      else worker.begin(memoryOf(worker))
      this.publish()
      await (worker.role === 'init' ? worker.done : worker.up)
      if (this.ending !== undefined || this.isClosed) return
      if (worker.role === 'init' && worker.view.phase.name === 'terminated' && worker.view.phase.exitCode !== 0) return
    }
    const main = this.workers.filter(({ role }) => role === 'main')
    for (const worker of main) worker.begin(memoryOf(worker))
    this.publish()
    await Promise.all(main.map((worker) => worker.done))
    await Promise.all(
      this.workers.filter(({ role }) => role === 'sidecar').map((worker) => worker.stop(() => this.leftMs())),
    )
  }

  private surroundings(): Surroundings {
    const { context } = this
    return {
      pod: () => this.pod,
      start: async (container, attempt) => {
        dropOldLogs(context.directory, this.uid, container.name, attempt)
        const started = await launchContainer(context, { pod: this.pod, container, attempt, ports: this.ports })
        return started
      },
      adopt: (record) => context.runtimes.adopt(record),
      target: (container, running) => this.probeTarget(container, running),
      logFile: (container, attempt) => logPath(context.directory, this.uid, container.name, attempt),
      left: async () => {
        await this.flush()
        await context.gate.left(this.pod)
      },
      changed: () => this.publish(),
      tell: (container, { type = 'Normal', reason, message }) => {
        const list = this.pod.spec.containers.some(({ name }) => name === container.name)
          ? 'containers'
          : 'initContainers'
        context.events.tell({ about: this.pod, type, reason, message, fieldPath: `spec.${list}{${container.name}}` })
      },
    }
  }

  private probeTarget(container: Container, running: RunningContainer): ProbeTarget {
    return {
      host: this.context.podIP,
      container: running,
      port: (port) => {
        const own =
          typeof port === 'number' ? port : container.ports?.find((entry) => entry.name === port)?.containerPort
        const named = own ?? containerPort(this.pod, port)
        return named === undefined ? undefined : this.portOf(named)
      },
    }
  }

  /** Keeps what happened on disk, and tells it: at most one write at a time, always the newest. */
  private publish(): void {
    if (this.isClosed) return
    this.save()
    this.dirty = true
    this.writing ??= this.write().finally(() => (this.writing = undefined))
  }

  private save(): void {
    const { name, namespace = '' } = this.pod.metadata
    const containers = Object.fromEntries(this.workers.map((worker) => [worker.container.name, worker.memory]))
    const text = JSON.stringify(containers)
    if (text === this.saved) return
    this.saved = text
    try {
      saveRecord(this.context.directory, {
        uid: this.uid,
        namespace,
        name,
        ports: this.ports,
        startTime: this.startTime,
        containers,
      })
    } catch (error) {
      this.context.log('warn', `cannot keep the state of pod ${name}: ${messageOf(error)}`)
    }
  }

  private async flush(): Promise<void> {
    this.publish()
    await this.writing
  }

  private async write(): Promise<void> {
    // What changes in the same turn is told together.
    await Promise.resolve()
    while (this.dirty && !this.isClosed) {
      this.dirty = false
      const status = this.status()
      const text = canonicalText([status, this.ports])
      if (text === this.published) continue
      try {
        await this.writeStatus(status)
        this.published = text
      } catch (error) {
        if (isGone(error)) return
        this.context.log('warn', `status of pod ${this.pod.metadata.name}: ${messageOf(error)}`)
        this.dirty = true
        await new Promise((resolve) => setTimeout(resolve, STATUS_RETRY_MS))
      }
    }
  }

  private async writeStatus(status: PodStatus): Promise<void> {
    const { name, namespace = '', uid = '' } = this.pod.metadata
    const annotations = { [PORTS_ANNOTATION]: JSON.stringify(this.ports) }
    const body = { metadata: { uid, annotations }, status: { ...CLEARED, ...status } }
    const options = { subresource: 'status', fieldManager: 'kubelet' } as const
    const written = await this.context.room.pods.merge({ namespace, name }, body, options)
    // What was seen meanwhile may be newer: a deletion above all.
    if (versionOf(written) > versionOf(this.pod)) this.pod = written
  }

  private status(): PodStatus {
    const { podIP, hostIP } = this.context
    const containers: readonly ContainerView[] = this.workers.map((worker) => worker.view)
    return statusOf({ pod: this.pod, containers, podIP, hostIP, startTime: this.startTime, now: Date.now() })
  }

  private graceSeconds(): number {
    return (
      this.pod.metadata.deletionGracePeriodSeconds ??
      this.pod.spec.terminationGracePeriodSeconds ??
      GRACE_SECONDS_DEFAULT
    )
  }

  /** The object's deletionTimestamp is when its grace period ends. */
  private leftMs(): number {
    const end = Date.parse(this.pod.metadata.deletionTimestamp ?? '')
    return Number.isNaN(end) ? this.graceSeconds() * 1000 : end - Date.now()
  }

  private end(): Promise<void> {
    this.ending ??= this.endOnce().catch((error: unknown) => {
      if (!isGone(error)) this.context.log('warn', `stopping pod ${this.pod.metadata.name}: ${messageOf(error)}`)
    })
    return this.ending
  }

  /** No new requests, then no open ones, then no programs, then no object. */
  private async endOnce(): Promise<void> {
    for (const { container } of this.programs()) {
      const { events } = this.context
      const fieldPath = `spec.containers{${container}}`
      events.tell({ about: this.pod, reason: 'Killing', message: `Stopping container ${container}`, fieldPath })
    }
    if (this.programs().length > 0 && this.leftMs() > 0) {
      await this.context.gate.left(this.pod)
      await this.drained()
    }
    await this.stopContainers(() => this.leftMs())
    await this.flush()
    this.isClosed = true
    await this.context.room.pods.delete(this.pod, { gracePeriodSeconds: 0 })
    await this.forget()
  }

  /** Waits for connections that are still open: a program may end at once when it is told to. */
  private async drained(): Promise<void> {
    const ports = new Set(Object.values(this.ports))
    const end = Date.now() + Math.min(DRAIN_MS_MAX, this.leftMs() / 2)
    while (Date.now() < end && establishedTo(ports) > 0) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS))
    }
  }

  /** Sidecars last. */
  private async stopContainers(leftMs: () => number): Promise<void> {
    const of = (roles: readonly Role[]): readonly ContainerWorker[] =>
      this.workers.filter(({ role }) => roles.includes(role))
    await Promise.all(of(['init', 'main']).map((worker) => worker.stop(leftMs)))
    await Promise.all(of(['sidecar']).map((worker) => worker.stop(leftMs)))
    await this.context.runtimes.sweep(this.uid)
  }

  private async forget(): Promise<void> {
    this.context.ports.release(this.ports)
    await forgetPod(this.context.directory, this.uid)
  }
}

function versionOf(pod: PodObject): number {
  return Number(pod.metadata.resourceVersion ?? 0)
}

/** Fields of a status that a merge patch has to take away when they are not there any more. */
const CLEARED = { reason: null, message: null, initContainerStatuses: null } as const
