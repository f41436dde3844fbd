import type { Container, PodObject, Probe } from '../../resources/kubernetes/types.ts'
import { PRESTOP_EXTRA_MS } from '../limits.ts'
import { LogKeeper } from '../runtimes/log-file.ts'
import { StartError, type ContainerRecord, type Exit, type RunningContainer } from '../runtimes/runtime.ts'
import { ask, type ProbeTarget } from './probe.ts'
import { Prober } from './prober.ts'
import { failuresAfter, isRestarted, missingDelayMs, restartDelayMs, type Role } from './restarts.ts'
import type { ContainerPhase, ContainerView, Termination } from './status.ts'

/**
 * One container of one pod, through all of its lives: started, asked how it is, started again when it ends, stopped.
 */

export interface Started {
  readonly running: RunningContainer
  /** `process://1234`. */
  readonly id: string
  readonly imageId: string
}

/** What the pod does for its containers. */
export interface Surroundings {
  readonly pod: () => PodObject
  /** Throws StartError. */
  readonly start: (container: Container, attempt: number) => Promise<Started>
  readonly adopt: (record: ContainerRecord) => Promise<RunningContainer | undefined>
  readonly target: (container: Container, running: RunningContainer) => ProbeTarget
  readonly logFile: (container: Container, attempt: number) => string
  /** Resolves when nobody sends the pod new requests any more, or after a bound. */
  readonly left: () => Promise<unknown>
  /** Something that the status tells has changed. */
  readonly changed: () => void
  readonly tell: (container: Container, event: ContainerEvent) => void
}

interface ContainerEvent {
  readonly type?: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

/** What is kept on disk of a container, for the next control process. */
export interface ContainerMemory {
  readonly attempt: number
  readonly restarts: number
  readonly failures: number
  readonly imageId: string
  readonly last?: Termination
  readonly running?: {
    readonly record: ContainerRecord
    readonly id: string
    readonly startedAt: number
    readonly started: boolean
    readonly ready: boolean
  }
}

export class ContainerWorker {
  readonly container: Container
  readonly role: Role
  /** Resolves when it has ended for good. */
  readonly done: Promise<void>
  /** Resolves when it has started for the first time (its startup probe passed). */
  readonly up: Promise<void>
  private readonly surroundings: Surroundings
  private phase: ContainerPhase
  private last: Termination | undefined
  private attempt = 0
  private restarts = 0
  private failures = 0
  private missing = 0
  private imageId = ''
  private isDone = false
  /** What an earlier control process left, until it is taken up. */
  private left: ContainerMemory | undefined
  /** serin goes down: it ends now, but not for good. */
  private isSuspended = false
  private running: RunningContainer | undefined
  /** A start, or a taking up, that is under way: whoever stops has to wait for what comes of it. */
  private starting: Promise<unknown> | undefined
  private hasBegun = false
  private probers: Prober[] = []
  private logs: LogKeeper | undefined
  private readonly halt = new AbortController()
  private stopping: Promise<void> | undefined
  private tellDone: () => void = () => {}
  private tellUp: () => void = () => {}

  constructor(container: Container, role: Role, surroundings: Surroundings) {
    this.container = container
    this.role = role
    this.surroundings = surroundings
    this.phase = { name: 'waiting', reason: role === 'main' ? 'ContainerCreating' : 'PodInitializing' }
    this.done = new Promise((resolve) => (this.tellDone = resolve))
    this.up = new Promise((resolve) => (this.tellUp = resolve))
  }

  /** Starts it, or goes on with what an earlier control process left. */
  begin(memory?: ContainerMemory): void {
    if (this.isDone) return
    this.hasBegun = true
    void this.live(memory)
  }

  /** A container that went through before: an init container of a pod that is adopted. */
  skip(memory: ContainerMemory | undefined): void {
    this.recall(memory)
    const at = Date.now()
    this.phase = memory?.last ?? { name: 'terminated', exitCode: 0, startedAt: at, finishedAt: at, id: '' }
    this.finish()
  }

  get view(): ContainerView {
    const { container, role, phase, last, restarts, imageId } = this
    return { container, role, phase, last, restarts, imageId, isDone: this.isDone && !this.isSuspended }
  }

  get memory(): ContainerMemory {
    if (this.left !== undefined) return this.left
    const { attempt, restarts, failures, imageId, last, running, phase } = this
    return {
      attempt,
      restarts,
      failures,
      imageId,
      ...(last === undefined ? {} : { last }),
      ...(running === undefined || phase.name !== 'running'
        ? {}
        : {
            running: {
              record: running.record,
              id: phase.id,
              startedAt: phase.startedAt,
              started: phase.started,
              ready: phase.ready,
            },
          }),
    }
  }

  /** The program, while it runs. */
  get program(): RunningContainer | undefined {
    return this.running
  }

  /** Of the present life, or the last; empty before the first. */
  get containerId(): string {
    return this.phase.name === 'waiting' ? (this.last?.id ?? '') : this.phase.id
  }

  get attempts(): number {
    return this.attempt
  }

  /** preStop, the stop signal, and after the grace period the end. `graceMs` is asked again while it waits, for it can be shortened. */
  stop(graceMs: () => number): Promise<void> {
    this.halt.abort()
    if (!this.hasBegun) this.finish()
    this.stopping ??= this.stopProgram(graceMs).then(() => this.done)
    return this.stopping
  }

  /** As `stop`, when the pod is to come back with the next start of serin. */
  suspend(graceMs: () => number): Promise<void> {
    this.isSuspended ||= !this.isDone
    return this.stop(graceMs)
  }

  /** Leaves the program running. */
  release(): void {
    this.halt.abort()
    this.stopProbers()
    this.logs?.stop()
  }

  private get isHalted(): boolean {
    return this.halt.signal.aborted
  }

  private async live(memory: ContainerMemory | undefined): Promise<void> {
    this.recall(memory)
    if (memory?.running !== undefined) this.left = memory
    let running = memory?.running === undefined ? undefined : await this.begins(this.takeUp(memory.running))
    while (!this.isHalted || running !== undefined) {
      running ??= await this.launch()
      if (running === undefined) break
      this.ended(await running.exited)
      running = undefined
      if (this.isHalted || !this.shouldRestart()) break
      await this.backOff()
    }
    this.finish()
  }

  private recall(memory: ContainerMemory | undefined): void {
    if (memory === undefined) return
    const { attempt, restarts, failures, imageId, last } = memory
    Object.assign(this, { attempt, restarts, failures, imageId, last })
  }

  private finish(): void {
    this.isDone = true
    this.tellDone()
    if (this.phase.name === 'terminated') this.tellUp()
    this.surroundings.changed()
  }

  /** A program that runs already: its readiness stays what it was until a probe says otherwise. */
  private async takeUp(left: NonNullable<ContainerMemory['running']>): Promise<RunningContainer | undefined> {
    const running = await this.surroundings.adopt(left.record)
    this.left = undefined
    const { id, startedAt, started, ready } = left
    if (running === undefined) {
      this.phase = { name: 'running', id, startedAt, started, ready }
      this.ended({
        exitCode: 137,
        at: Date.now(),
        reason: 'ContainerStatusUnknown',
        message: 'The program ended while serin did not run.',
      })
      if (this.shouldRestart()) this.restarts += 1
      else this.halt.abort()
      return undefined
    }
    this.running = running
    this.phase = { name: 'running', id, startedAt, started, ready }
    this.logs = new LogKeeper(this.surroundings.logFile(this.container, this.attempt))
    this.watch(running, startedAt, { started, ready })
    this.surroundings.changed()
    return running
  }

  /** Tries until it runs; undefined when it is to stop instead. */
  private async launch(): Promise<RunningContainer | undefined> {
    while (!this.isHalted) {
      try {
        return await this.begins(this.startOnce())
      } catch (error) {
        await this.failedToStart(error)
      }
    }
    return undefined
  }

  private async startOnce(): Promise<RunningContainer> {
    const { container, surroundings } = this
    const { running, id, imageId } = await surroundings.start(container, this.attempt)
    const startedAt = Date.now()
    this.missing = 0
    this.running = running
    this.imageId = imageId
    this.logs = new LogKeeper(surroundings.logFile(container, this.attempt))
    this.phase = { name: 'running', id, startedAt, started: false, ready: false }
    surroundings.tell(container, { reason: 'Started', message: `Started container ${container.name}` })
    void this.afterStart(running, startedAt)
    if (container.lifecycle?.postStart !== undefined) surroundings.changed()
    return running
  }

  private async afterStart(running: RunningContainer, startedAt: number): Promise<void> {
    const hook = this.container.lifecycle?.postStart
    if (hook !== undefined) {
      const target = this.surroundings.target(this.container, running)
      const { ok, message } = await ask(hook, target, this.graceMs())
      if (!ok) {
        this.surroundings.tell(this.container, { type: 'Warning', reason: 'FailedPostStartHook', message })
        return this.kill(running, 'FailedPostStartHook')
      }
    }
    if (this.running === running) this.watch(running, startedAt)
  }

  private async failedToStart(error: unknown): Promise<void> {
    const { container, surroundings } = this
    const reason = error instanceof StartError ? error.reason : 'CreateContainerError'
    const message = error instanceof Error ? error.message : String(error)
    this.missing += 1
    const isImage = reason === 'ErrImagePull'
    const text = isImage ? `Failed to pull image "${container.image ?? ''}": ${message}` : `Error: ${message}`
    surroundings.tell(container, { type: 'Warning', reason: 'Failed', message: text })
    if (isImage) surroundings.tell(container, { type: 'Warning', reason: 'Failed', message: `Error: ${reason}` })
    this.phase = { name: 'waiting', reason: isImage && this.missing > 1 ? 'ImagePullBackOff' : reason, message }
    surroundings.changed()
    // A program that cannot be executed is as good as one that ends at once: it waits as long.
    const isProgram = reason === 'RunContainerError' || reason === 'CreateContainerError'
    await this.pause(
      isProgram ? Math.max(missingDelayMs(this.missing), restartDelayMs(this.missing)) : missingDelayMs(this.missing),
    )
  }

  private ended(exit: Exit): void {
    this.stopProbers()
    this.logs?.stop()
    this.running = undefined
    const { phase } = this
    const startedAt = phase.name === 'running' ? phase.startedAt : exit.at
    const { exitCode, signal, reason, message } = exit
    this.failures = failuresAfter(this.failures, exit.at - startedAt)
    this.last = {
      name: 'terminated',
      exitCode,
      ...(signal === undefined ? {} : { signal }),
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message }),
      startedAt,
      finishedAt: exit.at,
      id: phase.name === 'waiting' ? '' : phase.id,
    }
    this.phase = this.last
    this.attempt += 1
    this.surroundings.changed()
  }

  private shouldRestart(): boolean {
    return isRestarted(this.role, this.surroundings.pod().spec.restartPolicy ?? 'Always', this.last?.exitCode ?? 0)
  }

  private async backOff(): Promise<void> {
    const delay = restartDelayMs(this.failures)
    this.restarts += 1
    if (delay === 0) return
    const { container, surroundings } = this
    const { name, namespace = '', uid = '' } = surroundings.pod().metadata
    const pod = `${name}_${namespace}(${uid})`
    const message = `back-off ${String(delay / 1000)}s restarting failed container=${container.name} pod=${pod}`
    this.phase = { name: 'waiting', reason: 'CrashLoopBackOff', message }
    surroundings.tell(container, {
      type: 'Warning',
      reason: 'BackOff',
      message: `Back-off restarting failed container ${container.name} in pod ${pod}`,
    })
    surroundings.changed()
    await this.pause(delay)
  }

  /** Probes, as far as there are any: startup first, the others after it. */
  private watch(running: RunningContainer, startedAt: number, known?: { started: boolean; ready: boolean }): void {
    const { startupProbe } = this.container
    if (startupProbe === undefined || known?.started === true) return this.begun(running, startedAt, known?.ready)
    const startup = this.prober(startupProbe, running, startedAt, {
      kind: 'Startup',
      eager: true,
      onVerdict: (ok) => {
        startup.stop()
        if (ok) this.begun(running, startedAt)
        else void this.kill(running, 'Startup')
      },
    })
    this.probers.push(startup)
    this.surroundings.changed()
  }

  private begun(running: RunningContainer, startedAt: number, ready?: boolean): void {
    const { readinessProbe, livenessProbe } = this.container
    this.set({ started: true, ready: readinessProbe === undefined || ready === true })
    this.tellUp()
    if (readinessProbe !== undefined) {
      this.probers.push(
        this.prober(readinessProbe, running, startedAt, {
          kind: 'Readiness',
          eager: true,
          ...(ready === undefined ? {} : { initial: ready }),
          onVerdict: (ok) => this.set({ started: true, ready: ok }),
        }),
      )
    }
    if (livenessProbe === undefined) return
    this.probers.push(
      this.prober(livenessProbe, running, startedAt, {
        kind: 'Liveness',
        eager: false,
        initial: true,
        onVerdict: (ok) => {
          if (!ok) void this.kill(running, 'Liveness', livenessProbe.terminationGracePeriodSeconds)
        },
      }),
    )
  }

  private prober(
    probe: Probe,
    running: RunningContainer,
    startedAt: number,
    options: { kind: string; eager: boolean; initial?: boolean; onVerdict: (ok: boolean) => void },
  ): Prober {
    const { kind, ...rest } = options
    return new Prober({
      probe,
      target: this.surroundings.target(this.container, running),
      startedAt,
      ...rest,
      onFailure: (message) => {
        const text = `${kind} probe failed: ${message}`
        this.surroundings.tell(this.container, { type: 'Warning', reason: 'Unhealthy', message: text })
      },
    })
  }

  private set(state: { started: boolean; ready: boolean }): void {
    if (this.phase.name !== 'running') return
    this.phase = { ...this.phase, ...state }
    this.surroundings.changed()
  }

  /** Because of a probe or a hook: the loop starts it again. */
  private async kill(running: RunningContainer, why: string, graceSeconds?: number): Promise<void> {
    if (this.running !== running) return
    const { container, surroundings } = this
    const probe = why === 'FailedPostStartHook' ? why : `failed ${why.toLowerCase()} probe`
    const message = `Container ${container.name} ${probe}, will be restarted`
    surroundings.tell(container, { reason: 'Killing', message })
    this.stopProbers()
    if (this.phase.name === 'running' && this.phase.ready) {
      this.set({ started: true, ready: false })
      await surroundings.left()
    }
    const end = Date.now() + (graceSeconds === undefined ? this.graceMs() : graceSeconds * 1000)
    await this.signalAndWait(running, () => end - Date.now())
  }

  private graceMs(): number {
    return (this.surroundings.pod().spec.terminationGracePeriodSeconds ?? 30) * 1000
  }

  private begins<T>(start: Promise<T>): Promise<T> {
    this.starting = start
    return start
  }

  private async stopProgram(leftMs: () => number): Promise<void> {
    await Promise.allSettled([this.starting])
    const { running } = this
    if (running !== undefined) await this.signalAndWait(running, leftMs)
  }

  private async signalAndWait(running: RunningContainer, leftMs: () => number): Promise<void> {
    const { container, surroundings } = this
    const hook = container.lifecycle?.preStop
    let extraMs = 0
    if (hook !== undefined && leftMs() > 0) {
      const { ok, message } = await this.runPreStop(hook, running, leftMs)
      if (!ok) surroundings.tell(container, { type: 'Warning', reason: 'FailedPreStopHook', message })
      extraMs = leftMs() <= 0 ? PRESTOP_EXTRA_MS : 0
    }
    const end = Date.now() + extraMs
    const left = (): number => Math.max(leftMs(), end - Date.now())
    if (left() > 0) running.signal((container.lifecycle?.stopSignal as NodeJS.Signals | undefined) ?? 'SIGTERM')
    if (await exitsWithin(running, left)) return
    running.signal('SIGKILL')
    await running.exited
  }

  private async runPreStop(
    hook: NonNullable<NonNullable<Container['lifecycle']>['preStop']>,
    running: RunningContainer,
    leftMs: () => number,
  ): Promise<{ ok: boolean; message: string }> {
    if (hook.sleep !== undefined) {
      await Promise.race([running.exited, delay(Math.min(hook.sleep.seconds * 1000, leftMs()))])
      return { ok: true, message: '' }
    }
    return ask(hook, this.surroundings.target(this.container, running), leftMs())
  }

  private stopProbers(): void {
    for (const prober of this.probers) prober.stop()
    this.probers = []
  }

  private pause(ms: number): Promise<void> {
    return delay(ms, this.halt.signal)
  }
}

/** The time left is asked again and again, for a grace period can be shortened. */
const GRACE_CHECK_MS = 500

async function exitsWithin(running: RunningContainer, leftMs: () => number): Promise<boolean> {
  const exited = running.exited.then(() => true)
  while (leftMs() > 0) {
    if (await Promise.race([exited, delay(Math.min(GRACE_CHECK_MS, leftMs())).then(() => false)])) return true
  }
  return false
}

function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve()
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done, { once: true })
    function done(): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
  })
}
