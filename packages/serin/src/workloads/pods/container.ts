import type { Container, PodObject } from '../../resources/kubernetes/types.ts'
import { GRACE_SECONDS_DEFAULT } from '../limits.ts'
import { LogKeeper } from '../runtimes/log-file.ts'
import { StartError, type ContainerRecord, type Exit, type RunningContainer } from '../runtimes/runtime.ts'
import { Checks } from './checks.ts'
import { ask, type ProbeTarget } from './probe.ts'
import { failuresAfter, isRestarted, missingDelayMs, restartDelayMs, type Role } from './restarts.ts'
import type { ContainerPhase, ContainerView, Termination } from './status.ts'
import { pause, stopProgram } from './stopping.ts'

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
  private checks: Checks | undefined
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
    this.stopping ??= this.stopNow(graceMs).then(() => this.done)
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
    this.checks?.stop()
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
    this.checks?.stop()
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

  private watch(running: RunningContainer, startedAt: number, known?: { started: boolean; ready: boolean }): void {
    const { container, surroundings } = this
    this.checks = new Checks({
      container,
      target: surroundings.target(container, running),
      startedAt,
      ...(known === undefined ? {} : { known }),
      onState: (state) => {
        this.set(state)
        this.tellUp()
      },
      onFatal: (kind, graceSeconds) => void this.kill(running, `failed ${kind.toLowerCase()} probe`, graceSeconds),
      onFailure: (message) => surroundings.tell(container, { type: 'Warning', reason: 'Unhealthy', message }),
    })
    surroundings.changed()
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
    surroundings.tell(container, {
      reason: 'Killing',
      message: `Container ${container.name} ${why}, will be restarted`,
    })
    this.checks?.stop()
    if (this.phase.name === 'running' && this.phase.ready) {
      this.set({ started: true, ready: false })
      await surroundings.left()
    }
    const end = Date.now() + (graceSeconds === undefined ? this.graceMs() : graceSeconds * 1000)
    await this.stopRunning(running, () => end - Date.now())
  }

  private graceMs(): number {
    return (this.surroundings.pod().spec.terminationGracePeriodSeconds ?? GRACE_SECONDS_DEFAULT) * 1000
  }

  private begins<T>(start: Promise<T>): Promise<T> {
    this.starting = start
    return start
  }

  private async stopNow(leftMs: () => number): Promise<void> {
    await Promise.allSettled([this.starting])
    if (this.running !== undefined) await this.stopRunning(this.running, leftMs)
  }

  private stopRunning(running: RunningContainer, leftMs: () => number): Promise<void> {
    const { container, surroundings } = this
    return stopProgram({
      container,
      running,
      target: surroundings.target(container, running),
      leftMs,
      onHookFailure: (message) =>
        surroundings.tell(container, { type: 'Warning', reason: 'FailedPreStopHook', message }),
    })
  }

  private pause(ms: number): Promise<void> {
    return pause(ms, this.halt.signal)
  }
}
