/**
 * The quiet view of a running `serin up`: on a terminal one line that stays up to date; everywhere a line for what a person has to
 * know: a rollout that ended, a pod that does not get ready, a resource that was not accepted.
 */
import type { Control } from '../control.ts'
import { Deployment, Event, Listener, Pod } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import type { DeploymentObject, EventObject, PodObject } from '../resources/kubernetes/types.ts'
import { createInformer, type Informer } from '../store/informer.ts'
import { formatAddress } from '../host-port.ts'
import { CliError } from './exit.ts'
import { ICONS, paint } from './output.ts'
import { rolloutProgress } from './rollout-progress.ts'
import { readTraffic, type Traffic, trafficText } from './traffic.ts'
import type { UpReport } from './up-report.ts'

const REFRESH_MS = 1_000
/** A probe that fails while a program starts is nothing to report. */
const STARTING_MS_MAX = 5_000
/** The same warning is shown once in this time. */
const WARNING_AGAIN_MS = 60_000
/** Then a person is told what is still not there. */
const WAITING_MS = 10_000
const WARNINGS_MAX = 1_000

interface ListenerObject extends KubeObject {
  spec: { port: number; protocol?: string }
}

export class LiveView {
  readonly #control: Control
  readonly #report: UpReport
  readonly #deployments: Informer<DeploymentObject>
  readonly #listeners: Informer<ListenerObject>
  readonly #events: Informer<EventObject>
  readonly #warned = new Map<string, number>()
  readonly #complete = new Map<string, string>()
  readonly #startedAt = Date.now()
  #before: Traffic | undefined
  #beforeMs = 0
  #timer: NodeJS.Timeout | undefined
  #isRunning = false

  constructor(control: Control, report: UpReport) {
    this.#control = control
    this.#report = report
    this.#deployments = createInformer(control.store, Deployment)
    this.#listeners = createInformer(control.store, Listener)
    this.#events = createInformer(control.store, Event)
    this.#events.onChange((change) => {
      // Nothing depends on a warning that could not be looked into.
      if (change.type !== 'DELETED') void this.#warn(change.object).catch(() => {})
    })
    this.#deployments.onChange((change) => {
      if (change.type !== 'DELETED') this.#rolledOut(change.object)
    })
  }

  /** Resolves when every Deployment has its pods and the gateway its first configuration. Throws CliError when it cannot open a port. */
  async untilReady(): Promise<void> {
    const [problems] = await Promise.all([
      this.#control.gateway.ready(),
      this.#deployments.synced,
      this.#listeners.synced,
    ])
    if (problems.length > 0) {
      throw new CliError(problems.join('; '), { hint: 'another spec.port in the Listener, or end the other program' })
    }
    const timer = setTimeout(() => this.#sayWaiting(), WAITING_MS).unref()
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!this.#deployments.list().every(isComplete)) return
        clearTimeout(timer)
        unsubscribe()
        resolve()
      }
      const unsubscribe = this.#deployments.onChange(look)
      look()
    })
  }

  #sayWaiting(): void {
    const names = this.#deployments
      .list()
      .filter((deployment) => !isComplete(deployment))
      .map(nameOf)
    this.#report.write(
      `${paint('yellow', ICONS.wait)} still waiting for ${names.join(', ')} (serin get pods, serin get events)`,
    )
  }

  /** Nothing to run and no port to open. */
  get isEmpty(): boolean {
    return this.#deployments.list().length === 0 && this.#listeners.list().length === 0
  }

  /** `4 of 4 pods`. */
  get pods(): string {
    const all = this.#deployments.list()
    const wanted = all.reduce((sum, deployment) => sum + (deployment.spec.replicas ?? 1), 0)
    const ready = all.reduce((sum, deployment) => sum + (deployment.status?.readyReplicas ?? 0), 0)
    return `${ready} of ${wanted} ${wanted === 1 ? 'pod' : 'pods'}`
  }

  /** Where the gateway is open, as URLs. */
  openAt(bind: string): readonly string[] {
    const host = bind === '0.0.0.0' || bind === '::' || bind === '127.0.0.1' ? 'localhost' : bind
    return this.#listeners.list().map(({ spec }) => {
      const scheme =
        spec.protocol?.toLowerCase() === 'https' ? 'https' : spec.protocol?.toLowerCase() === 'tcp' ? 'tcp' : 'http'
      return `${scheme}://${formatAddress({ host, port: spec.port })}`
    })
  }

  start(): void {
    this.#isRunning = true
    for (const deployment of this.#deployments.list()) this.#complete.set(nameOf(deployment), revisionOf(deployment))
    if (!this.#report.line.isLive) return
    this.#timer = setInterval(() => void this.#refresh().catch(() => {}), REFRESH_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#deployments.stop()
    this.#listeners.stop()
    this.#events.stop()
    this.#report.line.clear()
  }

  async #refresh(): Promise<void> {
    const traffic = readTraffic(await this.#control.gateway.metrics())
    const nowMs = performance.now()
    const text = this.#before === undefined ? '' : trafficText(this.#before, traffic, nowMs - this.#beforeMs)
    this.#before = traffic
    this.#beforeMs = nowMs
    this.#report.line.update(`  ${this.pods}${text === '' ? '' : ` · ${text}`}`)
  }

  #rolledOut(deployment: DeploymentObject): void {
    const name = nameOf(deployment)
    if (!isComplete(deployment)) {
      this.#complete.delete(name)
      return
    }
    if (!this.#isRunning || this.#complete.has(name)) return
    this.#complete.set(name, revisionOf(deployment))
    const replicas = deployment.status?.readyReplicas ?? 0
    const pods = `${replicas} ${replicas === 1 ? 'pod' : 'pods'}`
    this.#report.write(
      `${paint('green', ICONS.good)} ${name} is rolled out (revision ${revisionOf(deployment)}, ${pods})`,
    )
  }

  /** Programs are asked before they can answer: that is how one finds out that they do. */
  async #isStarting({ involvedObject: { namespace = 'default', name } }: EventObject): Promise<boolean> {
    const pod = await this.#control.store.get<PodObject>(Pod, { namespace, name })
    const starts = (pod?.status?.containerStatuses ?? []).map(({ state }) =>
      Date.parse(state?.running?.startedAt ?? ''),
    )
    return starts.every((startedAt) => Number.isNaN(startedAt) || Date.now() - startedAt < STARTING_MS_MAX)
  }

  async #warn(event: EventObject): Promise<void> {
    const now = Date.now()
    const seen = Date.parse(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '')
    if (event.type !== 'Warning' || seen < this.#startedAt - 1000) return
    // The event before said more.
    if (event.message === 'Error: ErrImagePull' || event.message === 'Error: ImagePullBackOff') return
    if (event.reason === 'Unhealthy' && (await this.#isStarting(event))) return
    const { kind, name } = event.involvedObject
    const text = `${kind?.toLowerCase()}/${name}: ${event.message ?? event.reason ?? ''}`
    if (now - (this.#warned.get(text) ?? 0) < WARNING_AGAIN_MS) return
    if (this.#warned.size > WARNINGS_MAX) this.#warned.clear()
    this.#warned.set(text, now)
    this.#report.write(`${paint('yellow', ICONS.warn)} ${text}`)
  }
}

function isComplete(deployment: DeploymentObject): boolean {
  return rolloutProgress(deployment.metadata.name, deployment).kind === 'complete'
}

function nameOf({ metadata }: DeploymentObject): string {
  return metadata.namespace === 'default' || metadata.namespace === undefined
    ? metadata.name
    : `${metadata.namespace}/${metadata.name}`
}

function revisionOf({ metadata }: DeploymentObject): string {
  return metadata.annotations?.['deployment.kubernetes.io/revision'] ?? '?'
}
