/**
 * The control process's hold on the gateway process: finds one that an earlier control process left running, or starts one;
 * starts another when it dies; ends it, drained, when serin goes down. The gateway lives in a session of its own, so neither
 * Ctrl-C nor a kill -9 of the control process reaches it.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { type DataDirectory, type ProcessRecord, readAlive } from './data-directory.ts'
import { identityOf, isAlive, type ProcessIdentity } from './store/process-identity.ts'
import { getOverSocket } from './unix-http.ts'

const LOOK_EVERY_MS = 200
const READY_POLL_MS = 10
/** A gateway that is not ready by then is not going to be. */
const READY_MS_MAX = 60_000
const RESTART_DELAY_MS_MIN = 100
const RESTART_DELAY_MS_MAX = 10_000
/** A gateway that ran for this long starts again without delay. */
const STEADY_MS = 30_000
/** The gateway drains within its own bound; past this one it is killed. */
const DRAIN_MS_MAX = 40_000
const LOG_BYTES_MAX = 10_000_000

/** How a gateway was started; one that differs is replaced, not adopted. */
interface GatewaySettings {
  readonly bind: string
  readonly workers: number
  /** The API it watches. */
  readonly server: string
}

export interface GatewayRecord extends ProcessRecord {
  readonly settings: GatewaySettings
}

export type GatewayEvent =
  | { readonly kind: 'started' | 'adopted'; readonly pid: number }
  | { readonly kind: 'died'; readonly pid: number; readonly restartInMs: number }

export interface GatewayKeeperOptions {
  readonly data: DataDirectory
  readonly settings: GatewaySettings
  readonly version: string
  readonly onEvent?: (event: GatewayEvent) => void
}

export interface GatewayKeeper {
  /** The gateway process as it is now. */
  readonly pid: number | undefined
  /** Resolves when it has applied its first configuration, to what it could not do: a port that is taken. Rejects when that takes too long. */
  ready(): Promise<readonly string[]>
  /** Prometheus text of all workers; '' while there is no gateway. */
  metrics(): Promise<string>
  /** Drains it and waits until it is gone. */
  stop(): Promise<void>
  /** Lets go of it: it runs on. */
  leave(): void
}

export async function keepGateway(options: GatewayKeeperOptions): Promise<GatewayKeeper> {
  const keeper = new Keeper(options)
  await keeper.begin()
  return keeper
}

class Keeper implements GatewayKeeper {
  readonly #options: GatewayKeeperOptions
  #current: ProcessIdentity | undefined
  #startedAtMs = 0
  #restartDelayMs = RESTART_DELAY_MS_MIN
  #timer: NodeJS.Timeout | undefined
  #ended = false

  constructor(options: GatewayKeeperOptions) {
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#current?.pid
  }

  async begin(): Promise<void> {
    const found = readAlive<GatewayRecord>(this.#options.data.gatewayFile)
    if (found !== undefined && this.#fits(found)) this.#adopt(found)
    else {
      if (found !== undefined) await end(found)
      this.#start()
    }
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS)
  }

  #fits(record: GatewayRecord): boolean {
    const { settings, version } = this.#options
    return (
      record.version === version &&
      record.settings.bind === settings.bind &&
      record.settings.workers === settings.workers &&
      record.settings.server === settings.server
    )
  }

  #adopt(record: GatewayRecord): void {
    this.#current = record
    this.#startedAtMs = performance.now()
    this.#options.onEvent?.({ kind: 'adopted', pid: record.pid })
  }

  #start(): void {
    const { data, settings } = this.#options
    boundLog(data.gatewayLog)
    const log = openSync(data.gatewayLog, 'a', 0o600)
    const child = spawn(process.execPath, [...gatewayArguments(), ...argumentsOf(data, settings)], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
    })
    closeSync(log)
    child.unref()
    this.#startedAtMs = performance.now()
    if (child.pid === undefined) {
      child.on('error', () => this.#startLater(0))
      return
    }
    this.#current = identityOf(child.pid)
    this.#options.onEvent?.({ kind: 'started', pid: child.pid })
  }

  #look(): void {
    const current = this.#current
    if (this.#ended || current === undefined || isAlive(current)) return
    this.#current = undefined
    this.#startLater(current.pid)
  }

  #startLater(died: number): void {
    if (performance.now() - this.#startedAtMs > STEADY_MS) this.#restartDelayMs = RESTART_DELAY_MS_MIN
    const restartInMs = this.#restartDelayMs
    this.#restartDelayMs = Math.min(restartInMs * 2, RESTART_DELAY_MS_MAX)
    this.#options.onEvent?.({ kind: 'died', pid: died, restartInMs })
    setTimeout(() => {
      if (!this.#ended) this.#start()
    }, restartInMs)
  }

  async ready(): Promise<readonly string[]> {
    const limit = performance.now() + READY_MS_MAX
    while (performance.now() < limit) {
      const answer = await this.#ask('/readyz')
      if (answer?.status === 200) return answer.body.split('\n').filter((line) => line !== '')
      await sleep(READY_POLL_MS)
    }
    throw new Error(
      `the gateway is not ready after ${READY_MS_MAX / 1000} s; ${this.#options.data.gatewayLog} says more`,
    )
  }

  async metrics(): Promise<string> {
    const answer = await this.#ask('/metrics')
    return answer?.status === 200 ? answer.body : ''
  }

  async #ask(path: string): Promise<{ status: number; body: string } | undefined> {
    try {
      return await getOverSocket(this.#options.data.gatewaySocket, path)
    } catch {
      return undefined
    }
  }

  async stop(): Promise<void> {
    this.leave()
    if (this.#current !== undefined) await end(this.#current)
    const { data } = this.#options
    rmSync(data.gatewaySocket, { force: true })
    rmSync(data.gatewayFile, { force: true })
  }

  leave(): void {
    this.#ended = true
    clearInterval(this.#timer)
  }
}

async function end(gateway: ProcessIdentity): Promise<void> {
  if (!isAlive(gateway)) return
  signal(gateway.pid, 'SIGTERM')
  const limit = performance.now() + DRAIN_MS_MAX
  while (isAlive(gateway)) {
    // Its group is itself and its workers.
    if (performance.now() > limit) signal(-gateway.pid, 'SIGKILL')
    await sleep(READY_POLL_MS)
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function gatewayArguments(): string[] {
  return [join(import.meta.dirname, '../../bin/serin.js'), 'gateway']
}

function argumentsOf(data: DataDirectory, settings: GatewaySettings): string[] {
  const flags = {
    kubeconfig: data.gatewayKubeconfig,
    'run-directory': data.path,
    bind: settings.bind,
    workers: String(settings.workers),
  }
  return Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])
}

function boundLog(file: string): void {
  try {
    if (statSync(file).size > LOG_BYTES_MAX) truncateSync(file)
  } catch {
    // There is none yet.
  }
}
