/** `serin up`: everything on this machine, in the foreground or (-d) in the background. */
import type { Control } from '../control.ts'
import { type HostPort, isLoopback, parseHostPort } from '../host-port.ts'
import { readKubeconfig } from '../store/kubeconfig.ts'
import { applyResource } from './apply-resources.ts'
import { isLoadBalancerRange, RUNTIMES, type RuntimeChoice } from '../workloads/choices.ts'
import { Client, DEFAULT_DATA } from './client.ts'
import { type Invocation, usageError } from './command.ts'
import { CliError, EXIT } from './exit.ts'
import { workersOf } from './gateway.ts'
import { LiveView } from './live-view.ts'
import { note } from './output.ts'
import { readResources, type ResourceFiles } from './resource-files.ts'
import { explainStartFailure } from './start-failure.ts'
import { tellParent, upInBackground } from './up-background.ts'
import { UpReport } from './up-report.ts'

export interface UpOptions {
  readonly data: string
  readonly api: HostPort
  readonly console: HostPort
  readonly anyConsolePort: boolean
  readonly bind: string
  readonly workers: number
  readonly runtime: RuntimeChoice
  readonly loadBalancerRange?: string
}

export async function up(invocation: Invocation): Promise<number> {
  const options = readOptions(invocation)
  const files = await readResources(invocation.strings('filename'), {
    imageFlags: invocation.strings('image'),
  })
  if (invocation.boolean('detach')) return upInBackground(invocation, options.data)
  try {
    return await runInForeground(options, files)
  } catch (error) {
    tellWaitingParent(error)
    throw error
  }
}

function readOptions(invocation: Invocation): UpOptions {
  const address = (name: string, fallback: string): HostPort => {
    const text = invocation.string(name) ?? fallback
    const parsed = parseHostPort(text)
    if (parsed === undefined) throw usageError(invocation.command, `--${name} takes HOST:PORT, not "${text}"`)
    return parsed
  }
  const console = address('console', '127.0.0.1:6441')
  if (!isLoopback(console.host)) {
    throw usageError(
      invocation.command,
      `--console speaks plain HTTP and listens on loopback only, not on ${console.host}`,
    )
  }
  return {
    data: invocation.string('data') ?? DEFAULT_DATA,
    api: address('api', '127.0.0.1:6440'),
    console,
    anyConsolePort: invocation.string('console') === undefined,
    bind: invocation.string('bind') ?? '127.0.0.1',
    workers: workersOf(invocation),
    runtime: runtimeOf(invocation),
    ...loadBalancerRangeOf(invocation),
  }
}

function runtimeOf(invocation: Invocation): RuntimeChoice {
  const text = invocation.string('runtime') ?? 'auto'
  const found = RUNTIMES.find((runtime) => runtime === text)
  if (found !== undefined) return found
  throw usageError(invocation.command, `--runtime takes ${RUNTIMES.join(', ')}, not "${text}"`)
}

function loadBalancerRangeOf(invocation: Invocation): { readonly loadBalancerRange?: string } {
  const text = invocation.string('lb-range')
  if (text === undefined) return {}
  if (isLoadBalancerRange(text)) return { loadBalancerRange: text }
  throw usageError(invocation.command, `--lb-range takes 127.112.0.0/16, 127.0.0.10-127.0.0.20 or none, not "${text}"`)
}

/** Runs until it is told to end. A second Ctrl-C does not wait for anything. */
async function runInForeground(options: UpOptions, files: ResourceFiles): Promise<number> {
  const told = untilTold()
  const report = new UpReport()
  report.read(files)
  const control = await start(options, files, report)
  const live = new LiveView(control, report)
  try {
    report.listening(control)
    await applyAll(control, files, report)
    await Promise.race([becomeReady(live, options, report), told])
    await told
  } finally {
    live.stop()
    await control.stop((step) => report.stopping(step))
  }
  report.say('gone', 'all but the data in', control.data.path)
  return EXIT.done
}

async function start(options: UpOptions, files: ResourceFiles, report: UpReport): Promise<Control> {
  const { startControl } = await import('../control.ts')
  try {
    return await startControl({
      ...options,
      images: files.images,
      onGatewayEvent: (event) => report.gatewayEvent(event),
    })
  } catch (error) {
    throw explainStartFailure(error, options)
  }
}

/** Through the API, as everybody else does. */
async function applyAll(control: Control, files: ResourceFiles, report: UpReport): Promise<void> {
  if (files.resources.length === 0) return
  const client = new Client(readKubeconfig(control.data.kubeconfig), control.data.kubeconfig)
  const counts = { created: 0, configured: 0, unchanged: 0 }
  try {
    for (const resource of files.resources) {
      const { outcome } = await applyResource(client, resource, { namespace: 'default' })
      counts[outcome]++
    }
  } finally {
    client.close()
  }
  const words = Object.entries(counts).flatMap(([outcome, count]) => (count === 0 ? [] : [`${count} ${outcome}`]))
  report.say('applied', words.join(', '))
}

async function becomeReady(live: LiveView, options: UpOptions, report: UpReport): Promise<void> {
  await live.untilReady()
  report.running(live.openAt(options.bind), live.pods)
  if (live.isEmpty) report.say('empty', 'nothing is stored yet; serin apply -f PATH, in another terminal')
  live.start()
}

function untilTold(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        process.once(signal, () => {
          note('not waiting; `serin down` ends what is still running')
          process.exit(EXIT.interrupted)
        })
        resolve()
      })
    }
  })
}

/** Of `serin up -d`. */
function tellWaitingParent(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  const known = error instanceof CliError ? error : undefined
  tellParent({
    kind: 'failed',
    message,
    exitCode: known?.exitCode ?? EXIT.failed,
    ...(known?.hint !== undefined && { hint: known.hint }),
  })
}
