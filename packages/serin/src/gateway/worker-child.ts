/** One worker process as the supervisor sees it: started, replaced when it dies, never waited for in vain. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { SnapshotDelta } from '../model/diff.ts'
import { EMPTY_SNAPSHOT, type Snapshot } from '../model/snapshot.ts'
import type { Sample } from '../metrics/sample.ts'
import type { Limits } from '../wire/limits.ts'
import type { BoundSocket } from './listening-socket.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import type { WorkerPlace } from './split.ts'

export interface WorkerStatus {
  readonly index: number
  /** Absent while there is no process. */
  readonly pid?: number
  readonly state: 'starting' | 'serving' | 'waiting-to-restart' | 'draining' | 'ended'
  readonly restarts: number
  /** As the worker said last. */
  readonly connections: number
}

export interface WorkerChildOptions {
  readonly place: WorkerPlace
  readonly limits: Limits
  readonly accessLog: string | number | null
  readonly execArgv: readonly string[]
  readonly onNotice: (text: string) => void
  readonly onSample: (worker: number, sample: Sample) => void
  readonly onGone: (worker: number) => void
  /** Gives a replacement what the others have; it serves when this settles. */
  readonly onStarted: (child: WorkerChild) => Promise<void>
}

/** A worker that lived this long died by accident: its replacement starts at once. */
const STEADY_MS = 10_000
const BACK_OFF_MS_FIRST = 100
const BACK_OFF_MS_MAX = 5000
/** Routes in one message: so much of a large Plan is built between two requests. */
const ROUTES_PER_MESSAGE = 50
/** So many pieces may wait in the worker's pipe: it reads them one after the other, without serving in between. */
const PIECES_ON_THE_WAY = 4
/** How long after the limit of a drain a worker is killed. */
const KILL_AFTER_MS = 1000
/** V8 gives up backtracking for an engine in linear time: what RE2 promises, a Mapping's pattern keeps. */
const EXEC_ARGV = ['--enable-experimental-regexp-engine-on-excessive-backtracks']
const WORKER_FILE = fileURLToPath(new URL('worker-process.js', import.meta.url))

/** How often in `workerSilentMs` it is looked at. */
const WATCHES = 4

/** Somebody waits for a message of the worker, or its death. */
interface Waiter {
  matches(message: FromWorker): boolean
  settle(): void
}

export class WorkerChild {
  /** The Snapshot it has, or will have when it has read what was sent. */
  given: Snapshot = EMPTY_SNAPSHOT
  readonly listenErrors: Map<string, string> = new Map<string, string>()
  private readonly options: WorkerChildOptions
  private process: ChildProcess | null = null
  private state: WorkerStatus['state'] = 'starting'
  private restarts = 0
  private crashes = 0
  private connections = 0
  private startedAt = 0
  private readonly waiters: Set<Waiter> = new Set<Waiter>()
  private readonly listening: Map<string, BoundSocket> = new Map<string, BoundSocket>()
  private collectId = 0
  private heardAt = 0
  private suspected = false
  private watching: NodeJS.Timeout | undefined
  /** Told to drain: a process that ends is not replaced. */
  private stopping = false
  private planning: Promise<unknown> = Promise.resolve()

  constructor(options: WorkerChildOptions) {
    this.options = options
  }

  /** Starts the process; settles when it is configured, or has died. */
  async start(): Promise<void> {
    const { place, limits, accessLog } = this.options
    const child = fork(WORKER_FILE, [], {
      execArgv: [...EXEC_ARGV, ...this.options.execArgv],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.process = child
    this.watch(child)
    this.state = 'starting'
    this.startedAt = performance.now()
    this.given = EMPTY_SNAPSHOT
    this.listening.clear()
    child.on('message', (message) => this.received(message as FromWorker))
    child.on('exit', (code, signal) => this.ended(child, signal ?? `exit code ${code}`))
    child.on('error', () => this.ended(child, 'it could not be started'))
    const ready = this.heard((message) => message.kind === 'ready')
    this.send({ kind: 'configure', place, limits, accessLog })
    await ready
    if (this.process === child) this.state = 'serving'
  }

  /** Sends what changed; settles when the worker uses it, or has died. */
  plan(delta: SnapshotDelta): Promise<void> {
    const child = this.process
    const planned = this.planning.then(async () => {
      if (child && child === this.process) await this.sendPlan(child, delta)
    })
    this.planning = planned
    return planned
  }

  /** One piece at a time, so that a worker serves between them however large the change is. */
  private async sendPlan(child: ChildProcess, delta: SnapshotDelta): Promise<void> {
    const { revision, clusters, routes, listeners, virtualHosts, tcpRoutes, settings } = delta
    this.send({ kind: 'plan-begin', clusters, removedRoutes: routes.removed })
    const onTheWay: Promise<void>[] = []
    for (let at = 0; at < routes.set.length; at += ROUTES_PER_MESSAGE) {
      onTheWay.push(this.heard((message) => message.kind === 'plan-progress' && message.at === at))
      this.send({ kind: 'plan-routes', at, routes: routes.set.slice(at, at + ROUTES_PER_MESSAGE) })
      // oxlint-disable-next-line no-await-in-loop
      if (onTheWay.length === PIECES_ON_THE_WAY) await onTheWay.shift()
      if (this.process !== child) return
    }
    const applied = this.heard((message) => message.kind === 'applied' && message.revision === revision)
    this.send({ kind: 'plan-commit', revision, listeners, virtualHosts, tcpRoutes, ...(settings && { settings }) })
    await applied
  }

  /** Listens on exactly these sockets; settles when it does, or has failed. */
  async listenOn(sockets: readonly BoundSocket[]): Promise<void> {
    if (!this.process) return
    const wanted = new Map(sockets.map((socket) => [socket.name, socket]))
    for (const name of this.listening.keys()) {
      if (wanted.get(name) === this.listening.get(name)) continue
      this.listening.delete(name)
      this.send({ kind: 'unlisten', name })
    }
    const fresh = sockets.filter((socket) => !this.listening.has(socket.name))
    await Promise.all(fresh.map((socket) => this.listen(socket)))
  }

  /** Asks for the counts; settles when they are here, the worker has died, or the time is over. */
  async collect(withinMs: number): Promise<void> {
    if (!this.process) return
    const id = ++this.collectId
    const told = this.heard((message) => message.kind === 'sample' && message.id === id)
    this.send({ kind: 'collect', id })
    await Promise.race([told, pause(withinMs)])
  }

  reopenLog(): void {
    this.send({ kind: 'reopen-log' })
  }

  async drain(withinMs: number): Promise<void> {
    const child = this.process
    this.stopping = true
    if (!child) {
      this.state = 'ended'
      return
    }
    const gone = new Promise<void>((resolve) => {
      child.once('exit', () => resolve())
    })
    this.send({ kind: 'drain', withinMs })
    const kill = setTimeout(() => child.kill('SIGKILL'), withinMs + KILL_AFTER_MS)
    await gone
    clearTimeout(kill)
    this.state = 'ended'
  }

  status(): WorkerStatus {
    const { state, restarts, connections, process: child } = this
    return {
      index: this.options.place.index,
      state: this.stopping && state !== 'ended' ? 'draining' : state,
      restarts,
      connections,
      ...(child?.pid !== undefined && { pid: child.pid }),
    }
  }

  private async listen(socket: BoundSocket): Promise<void> {
    const { name, port, handle } = socket
    this.listening.set(name, socket)
    const heard = this.heard((message) => {
      if (message.kind !== 'listening' || message.name !== name) return false
      if (message.error === null) this.listenErrors.delete(name)
      else this.listenErrors.set(name, message.error)
      return true
    })
    this.send({ kind: 'listen', name, port }, handle)
    await heard
  }

  private send(message: ToWorker, handle?: object): void {
    const child = this.process
    if (!child?.connected) return
    // An error here is followed by 'exit', which settles everything.
    child.send(message, handle as undefined, { keepOpen: true }, silent)
  }

  /** Settles with the first message that matches, or with the end of the process. */
  private heard(matches: (message: FromWorker) => boolean): Promise<void> {
    if (!this.process) return Promise.resolve()
    return new Promise((resolve) => {
      this.waiters.add({ matches, settle: resolve })
    })
  }

  /** Workers tell their counts every second. Twice in a row too silent: it may be us who were busy the first time. */
  private watch(child: ChildProcess): void {
    const { workerSilentMs } = this.options.limits
    clearInterval(this.watching)
    if (workerSilentMs === 0) return
    this.heardAt = performance.now()
    this.suspected = false
    this.watching = setInterval(() => {
      const silent = performance.now() - this.heardAt > workerSilentMs
      if (silent && this.suspected) child.kill('SIGKILL')
      this.suspected = silent
    }, workerSilentMs / WATCHES)
    this.watching.unref()
  }

  private received(message: FromWorker): void {
    this.heardAt = performance.now()
    if (message.kind === 'sample') {
      this.connections = message.connections
      this.options.onSample(this.options.place.index, message.sample)
    }
    for (const waiter of this.waiters) {
      if (!waiter.matches(message)) continue
      this.waiters.delete(waiter)
      waiter.settle()
    }
  }

  private ended(child: ChildProcess, how: string): void {
    if (this.process !== child) return
    this.process = null
    clearInterval(this.watching)
    this.connections = 0
    this.options.onGone(this.options.place.index)
    for (const waiter of this.waiters) waiter.settle()
    this.waiters.clear()
    if (this.stopping) return
    const delay = this.backOff()
    this.state = 'waiting-to-restart'
    this.options.onNotice(
      `worker ${this.options.place.index} (pid ${child.pid}) ended (${how}); a new one starts ${delay === 0 ? 'now' : `in ${delay} ms`}`,
    )
    setTimeout(() => void this.restart(), delay)
  }

  /** 0 for the first death in a while, then longer and longer. */
  private backOff(): number {
    if (performance.now() - this.startedAt > STEADY_MS) this.crashes = 0
    const delay = this.crashes === 0 ? 0 : Math.min(BACK_OFF_MS_FIRST * 2 ** (this.crashes - 1), BACK_OFF_MS_MAX)
    this.crashes++
    return delay
  }

  private async restart(): Promise<void> {
    if (this.stopping) return
    this.restarts++
    await this.start()
    const child = this.process
    if (child) this.state = 'starting'
    await this.options.onStarted(this)
    // Unless it has died again.
    if (child && this.process === child) this.state = 'serving'
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref()
  })
}

function silent(): void {
  // 'exit' says it
}
