/**
 * The control process of `serin up`: store, API, controllers and the kubelet's part, the console port, and the hold on the gateway
 * process. What each of them does stands in its room; here is only the order in which they begin and end.
 */
import { mkdirSync } from 'node:fs'

import type { Api } from './api/server.ts'
import { type Console, startConsole } from './console-server.ts'
import { type Credentials, prepareCredentials } from './credentials.ts'
import {
  claim,
  type DataDirectory,
  makeDataDirectory,
  type ProcessRecord,
  release,
  rewriteClaim,
} from './data-directory.ts'
import { type GatewayEvent, type GatewayKeeper, keepGateway } from './gateway-keeper.ts'
import { freePort, type HostPort } from './host-port.ts'
import { type ImageDirectories, recordImages } from './image-directories.ts'
import { podHandlers, usageHandlers } from './pod-handlers.ts'
import type { EmbeddedStore } from './store/embedded.ts'
import { VERSION } from './version.ts'
import type { RuntimeChoice } from './workloads/choices.ts'
import type { Workloads } from './workloads/workloads.ts'

/** How often we look whether the API's certificate has to be renewed. */
const RENEW_LOOK_MS = 6 * 60 * 60 * 1000

export interface ControlOptions {
  readonly data: string
  readonly api: HostPort
  readonly console: HostPort
  /** The console takes the next free port when its own is taken. */
  readonly anyConsolePort: boolean
  /** Where the gateway opens the ports of Listeners. */
  readonly bind: string
  readonly workers: number
  readonly runtime?: RuntimeChoice
  readonly loadBalancerRange?: string
  readonly images: ImageDirectories
  readonly onGatewayEvent?: (event: GatewayEvent) => void
}

export interface Control {
  readonly data: DataDirectory
  readonly api: HostPort
  readonly console: HostPort
  readonly gateway: GatewayKeeper
  readonly store: EmbeddedStore
  /** Drains and ends everything, in order: gateway, pods, API, store. */
  stop(onStep?: (step: StopStep) => void): Promise<void>
}

export type StopStep = 'gateway' | 'pods' | 'api'

/** What stands in `DATA/control.json`. */
export interface ControlRecord extends ProcessRecord {
  readonly api?: HostPort
  readonly console?: HostPort
}

/** Another control process holds the data directory. */
export class SerinRunsAlready extends Error {
  readonly record: ControlRecord

  constructor(record: ControlRecord, data: DataDirectory) {
    super(`a serin runs already with ${data.path} (pid ${record.pid})`)
    this.name = 'SerinRunsAlready'
    this.record = record
  }
}

export async function startControl(options: ControlOptions): Promise<Control> {
  const data = makeDataDirectory(options.data)
  const holder = claim<ControlRecord>(data.controlFile, { version: VERSION })
  if (holder !== undefined) throw new SerinRunsAlready(holder, data)
  const parts = new Parts(options, data)
  try {
    return await parts.start()
  } catch (error) {
    await parts.stop()
    throw error
  }
}

/** What is running, in the order in which it was started; whatever there is can be stopped. */
class Parts {
  readonly #options: ControlOptions
  readonly #data: DataDirectory
  #store: EmbeddedStore | undefined
  #api: Api | undefined
  #renewal: NodeJS.Timeout | undefined
  #workloads: Workloads | undefined
  #gateway: GatewayKeeper | undefined
  #console: Console | undefined

  constructor(options: ControlOptions, data: DataDirectory) {
    this.#options = options
    this.#data = data
  }

  async start(): Promise<Control> {
    const data = this.#data
    const address = { host: this.#options.api.host, port: await definitePort(this.#options.api) }
    recordImages(data.images, this.#options.images)
    mkdirSync(data.pods, { recursive: true, mode: 0o700 })
    const credentials = prepareCredentials(data, address)
    // It takes its time to start: meanwhile this process loads the rest and opens the API it waits for.
    this.#gateway = await this.#keepGateway(credentials)
    const [{ openEmbeddedStore }, { startApi }, { startWorkloads }] = await loadHeavyRooms()
    const store = (this.#store = openEmbeddedStore({ directory: data.store }))
    const api = (this.#api = await startApi({
      store,
      listen: address,
      tls: credentials.tls,
      tokens: credentials.tokens,
      hosts: credentials.hosts,
      pods: podHandlers(() => this.#workloads?.pods),
      metrics: usageHandlers(() => this.#workloads?.usage),
    }))
    this.#renewal = setInterval(() => {
      const tls = credentials.renewed()
      if (tls.certificate !== credentials.tls.certificate) api.renew(tls)
    }, RENEW_LOOK_MS)
    const { runtime, loadBalancerRange } = this.#options
    this.#workloads = await startWorkloads({
      store,
      directory: data.pods,
      imagesFile: data.images,
      gatewayMetrics: async () => (await this.#gateway?.metrics()) ?? '',
      ...(runtime === undefined ? {} : { runtime }),
      ...(loadBalancerRange === undefined ? {} : { loadBalancerRange }),
    })
    this.#console = await this.#startConsole()
    const addresses = { api: api.address, console: this.#console.address }
    rewriteClaim(data.controlFile, { version: VERSION, ...addresses })
    return {
      data,
      ...addresses,
      gateway: this.#gateway,
      store,
      stop: (onStep) => this.stop(onStep),
    }
  }

  #keepGateway({ server }: Credentials): Promise<GatewayKeeper> {
    const { bind, workers, onGatewayEvent } = this.#options
    return keepGateway({
      data: this.#data,
      settings: { bind, workers, server },
      version: VERSION,
      ...(onGatewayEvent !== undefined && { onEvent: onGatewayEvent }),
    })
  }

  #startConsole(): Promise<Console> {
    return startConsole({
      address: this.#options.console,
      anyPort: this.#options.anyConsolePort,
      metrics: async () => `${controlMetrics()}${(await this.#gateway?.metrics()) ?? ''}`,
      notReadyBecause: () => (this.#gateway?.pid === undefined ? 'the gateway is not running' : undefined),
      page: () => this.#page(),
    })
  }

  #page(): string {
    return [
      `serin ${VERSION}`,
      '',
      '/metrics   counters of the gateway, for Prometheus',
      '/livez     this process answers',
      '/readyz    the gateway runs',
      '',
      `KUBECONFIG=${this.#data.kubeconfig} kubectl get all,mappings`,
      '',
    ].join('\n')
  }

  async stop(onStep: (step: StopStep) => void = () => {}): Promise<void> {
    await this.#console?.stop()
    onStep('gateway')
    await this.#gateway?.stop()
    onStep('pods')
    await this.#workloads?.stop()
    onStep('api')
    clearInterval(this.#renewal)
    await this.#api?.close()
    await this.#store?.close()
    release(this.#data.controlFile)
  }
}

/** The database, the schemas, the controllers: a tenth of a second of loading. */
function loadHeavyRooms(): Promise<
  [typeof import('./store/embedded.ts'), typeof import('./api/server.ts'), typeof import('./workloads/workloads.ts')]
> {
  return Promise.all([import('./store/embedded.ts'), import('./api/server.ts'), import('./workloads/workloads.ts')])
}

/** Port 0 is made definite, because the kubeconfig names the port before anything listens. */
function definitePort({ host, port }: HostPort): Promise<number> | number {
  return port === 0 ? freePort(host) : port
}

function controlMetrics(): string {
  const { rss } = process.memoryUsage()
  const cpu = process.cpuUsage()
  return [
    '# HELP serin_build_info The version of serin.',
    '# TYPE serin_build_info gauge',
    `serin_build_info{version="${VERSION}"} 1`,
    '# HELP serin_control_resident_memory_bytes Resident memory of the control process.',
    '# TYPE serin_control_resident_memory_bytes gauge',
    `serin_control_resident_memory_bytes ${rss}`,
    '# HELP serin_control_cpu_seconds_total Processor time that the control process used.',
    '# TYPE serin_control_cpu_seconds_total counter',
    `serin_control_cpu_seconds_total ${(cpu.user + cpu.system) / 1e6}`,
    '',
  ].join('\n')
}
