/**
 * The gateway process: a client of a Kubernetes API (the embedded one or a real one: it does not know) that compiles what it reads
 * and gives it to its workers. `serin up` keeps one; in a cluster it runs alone.
 */
import { hostname } from 'node:os'
import type { Server } from 'node:http'

import { claim, dataDirectory, release } from './data-directory.ts'
import { createCompiler } from './compile/compile.ts'
import { type Gateway, type ListeningAddress, startGateway } from './gateway/supervisor.ts'
import { families } from './metrics/exposition.ts'
import { boundLogFile } from './metrics/log-file.ts'
import { prometheusText } from './metrics/prometheus.ts'
import { keepGatewayLease } from './gateway-lease.ts'
import type { GatewayRecord } from './gateway-keeper.ts'
import { createGatewayReports } from './gateway-reports.ts'
import { type GatewayResources, watchGatewayResources } from './gateway-resources.ts'
import { formatAddress, type HostPort, listenOn } from './host-port.ts'
import type { Diagnostic } from './resources/diagnostic.ts'
import { type Connection, inClusterConnection, readKubeconfig } from './store/kubeconfig.ts'
import { openRemoteStore } from './store/remote.ts'
import { createTextServer, listenOnSocket, type TextAnswer } from './unix-http.ts'
import { VERSION } from './version.ts'
import { parseLimits } from './wire/limits-text.ts'

const STANDARD_OUTPUT = 1
/** The access log and the one before it have about this many octets each. */
const ACCESS_LOG_BYTES_MAX = 64 * 1024 * 1024
/** Requests that are not done by then are cut off. */
const DRAIN_MS_MAX = 30_000
/** A port that was taken is tried again after this. */
const LISTEN_AGAIN_MS = 2_000

export interface GatewayProcessOptions {
  /** Absent: what a pod of a cluster finds. */
  readonly kubeconfig?: string
  readonly bind: string
  readonly workers: number
  readonly metrics?: HostPort
  /** DATA of a `serin up`: where the pid file and the socket stand. */
  readonly runDirectory?: string
}

export class GatewayRunsAlready extends Error {
  constructor(pid: number) {
    super(`a gateway runs already for this directory (pid ${pid})`)
    this.name = 'GatewayRunsAlready'
  }
}

/** Resolves when the process was told to end and has drained. */
export async function runGateway(options: GatewayProcessOptions): Promise<void> {
  const told = untilTold()
  const connection = options.kubeconfig === undefined ? inCluster() : readKubeconfig(options.kubeconfig)
  const files = options.runDirectory === undefined ? undefined : dataDirectory(options.runDirectory)
  if (files !== undefined) claimFor(files.gatewayFile, options, connection.server)
  const accessLog = accessLogTarget(process.env['SERIN_ACCESS_LOG'], files?.accessLog)
  // The workers start while the resources are listed.
  const starting = startGateway({
    workers: options.workers,
    bind: options.bind,
    limits: parseLimits(process.env['SERIN_LIMITS']),
    ...(accessLog !== undefined && { accessLog }),
    onNotice: log,
  })
  const store = openRemoteStore(connection)
  const resources = watchGatewayResources(store, logError('watch'))
  const state: State = { isReady: false, problems: [] }
  const gateway = await starting
  const stopBounding = boundAccessLog(accessLog, gateway)
  const servers = await serve(options, { gateway, state })
  const lease = keepGatewayLease({ store, holder: `${hostname()}_${process.pid}`, onError: logError('lease') })
  const reports = createGatewayReports(store, logError('status'))
  const loop = new ApplyLoop({ resources, gateway, lease, reports, state })
  await Promise.race([resources.synced, told])
  loop.start()
  await told
  log('draining')
  stopBounding()
  loop.stop()
  resources.stop()
  await gateway.drain({ withinMs: DRAIN_MS_MAX })
  await lease.stop()
  for (const server of servers) server.close()
  store.close()
  if (files !== undefined) release(files.gatewayFile)
}

/** `off`, `-` for standard output, or a file. By default a file of DATA, or standard output where there is no DATA (in a pod). */
function accessLogTarget(asked: string | undefined, file: string | undefined): string | number | undefined {
  if (asked === 'off') return undefined
  if (asked === '-') return STANDARD_OUTPUT
  return asked ?? file ?? STANDARD_OUTPUT
}

function boundAccessLog(target: string | number | undefined, gateway: Gateway): () => void {
  const reopen = (): void => gateway.reopenLog()
  // For those who rotate it themselves.
  process.on('SIGHUP', reopen)
  if (typeof target !== 'string') return () => undefined
  return boundLogFile({ path: target, bytesMax: ACCESS_LOG_BYTES_MAX, reopen })
}

function inCluster(): Connection {
  const found = inClusterConnection()
  if (found === undefined) throw new Error('there is no kubeconfig, and this is no pod of a cluster')
  return found
}

interface State {
  isReady: boolean
  /** Listeners that could not be opened, as sentences. */
  problems: readonly string[]
}

function untilTold(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
  })
}

function claimFor(file: string, { bind, workers }: GatewayProcessOptions, server: string): void {
  const holder = claim<GatewayRecord>(file, { version: VERSION, settings: { bind, workers, server } })
  if (holder !== undefined) throw new GatewayRunsAlready(holder.pid)
}

async function serve(
  { metrics, runDirectory }: GatewayProcessOptions,
  { gateway, state }: { gateway: Gateway; state: State },
): Promise<readonly Server[]> {
  const create = (): Server =>
    createTextServer(async (path) => {
      if (path === '/metrics') return { status: 200, body: prometheusText(families(await gateway.collect())) }
      if (path === '/livez') return { status: 200, body: 'ok' }
      if (path === '/readyz') return readiness(state)
      return undefined
    })
  const servers: Server[] = []
  if (runDirectory !== undefined) {
    const server = create()
    await listenOnSocket(server, dataDirectory(runDirectory).gatewaySocket)
    servers.push(server)
  }
  if (metrics !== undefined) {
    const server = create()
    const port = await listenOn(server, metrics)
    log(`metrics at http://${formatAddress({ ...metrics, port })}/metrics`)
    servers.push(server)
  }
  return servers
}

/** 200 with the problems there are, one a line; 503 until the first configuration is applied. */
function readiness({ isReady, problems }: State): TextAnswer {
  return isReady ? { status: 200, body: problems.join('\n') } : { status: 503, body: 'not configured yet' }
}

function listenProblem({ name: key, address, port, error = '' }: ListeningAddress): Diagnostic {
  const place = formatAddress({ host: address, port })
  const [namespace = '', name = ''] = key.split('/')
  const messages: Readonly<Record<string, string>> = {
    EADDRINUSE: `port ${port} of Listener ${key} is taken by another program (${place})`,
    EACCES: `this user may not listen on ${place} (Listener ${key}); take a port above 1023`,
  }
  const message = messages[error] ?? `cannot listen on ${place} (Listener ${key}): ${error}`
  return {
    code: 'port-not-open',
    severity: 'error',
    message,
    origin: { kind: 'Listener', namespace, name },
    path: ['spec', 'port'],
  }
}

interface ApplyLoopOptions {
  readonly resources: GatewayResources
  readonly gateway: Gateway
  readonly lease: ReturnType<typeof keepGatewayLease>
  readonly reports: ReturnType<typeof createGatewayReports>
  readonly state: State
}

/** A change is compiled and applied at once; those that come meanwhile are taken together in the next round. */
class ApplyLoop {
  readonly #options: ApplyLoopOptions
  readonly #compiler = createCompiler()
  #isDirty = false
  #isRunning = false
  #isStopped = false

  constructor(options: ApplyLoopOptions) {
    this.#options = options
  }

  start(): void {
    this.#options.resources.onChange(() => this.#changed())
    this.#changed()
  }

  stop(): void {
    this.#isStopped = true
  }

  #changed(): void {
    this.#isDirty = true
    if (this.#isRunning) return
    this.#isRunning = true
    // Events of one read from the socket arrive in one turn of the loop: take them together.
    setImmediate(() => void this.#run())
  }

  async #run(): Promise<void> {
    while (this.#isDirty && !this.#isStopped) {
      this.#isDirty = false
      try {
        await this.#round()
      } catch (error) {
        logError('apply')(error)
      }
    }
    this.#isRunning = false
  }

  async #round(): Promise<void> {
    const { resources, gateway, lease, reports, state } = this.#options
    const endpointSlices = resources.endpointSlicesVersion
    const { snapshot, diagnostics } = this.#compiler.compile({ objects: resources.read() })
    const { listening } = await gateway.apply(snapshot)
    lease.applied(endpointSlices)
    const closed = listening.filter(({ error }) => error !== undefined).map(listenProblem)
    state.problems = closed.map(({ message }) => message)
    state.isReady = true
    reports.update([...diagnostics, ...closed])
    if (closed.length > 0) setTimeout(() => this.#changed(), LISTEN_AGAIN_MS).unref()
  }
}

function log(message: string): void {
  process.stdout.write(`${new Date().toISOString()} ${message}\n`)
}

function logError(what: string): (error: unknown) => void {
  let last = ''
  return (error) => {
    const text = error instanceof Error ? error.message : String(error)
    // An API that is away for a while is one line, not one for each attempt.
    if (text !== last) log(`${what}: ${text}`)
    last = text
  }
}
