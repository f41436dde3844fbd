/** What `serin up` says while it starts, runs and ends: one short line for each thing a person wants to know. */
import { consoleUrl } from '../console-server.ts'
import type { Control, StopStep } from '../control.ts'
import type { GatewayEvent } from '../gateway-keeper.ts'
import { formatAddress } from '../host-port.ts'
import { VERSION } from '../version.ts'
import { LiveLine, paint, print } from './output.ts'
import type { ResourceFiles } from './resource-files.ts'
import { shellPath } from './shell-path.ts'
import { tellParent } from './up-background.ts'

const LABEL_WIDTH = 9

const STOP_STEPS: Readonly<Record<StopStep, string>> = {
  gateway: 'the gateway: no new connections, the requests under way end',
  pods: 'the pods',
  api: 'the API',
}

export class UpReport {
  readonly line: LiveLine = new LiveLine()
  readonly #startedAtMs = performance.now()
  #isStarting = true

  /** A labelled line. In the background, the `serin up -d` that waits shows it too. */
  say(label: string, ...words: readonly string[]): void {
    this.write(`  ${paint('dim', label.padEnd(LABEL_WIDTH))} ${words.join(' ')}`)
  }

  write(text: string): void {
    this.line.clear()
    print(text)
    tellParent({ kind: 'line', text })
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAtMs
  }

  read(files: ResourceFiles): void {
    this.write(`${paint('bold', 'serin')} ${VERSION}`)
    if (files.resources.length > 0) this.say('read', files.summary)
    for (const [name, directory] of Object.entries(files.images)) this.say('image', name, '←', shellPath(directory))
  }

  listening(control: Control): void {
    this.say('api', `https://${formatAddress(control.api)}`, ` export KUBECONFIG=${shellPath(control.data.kubeconfig)}`)
    this.say('console', `${consoleUrl(control.console)}/metrics`)
  }

  gatewayEvent(event: GatewayEvent): void {
    if (event.kind === 'died') this.say('gateway', `pid ${event.pid} died; another starts in ${event.restartInMs} ms`)
    else if (event.kind === 'adopted') this.say('gateway', `pid ${event.pid} was running and goes on`)
    else if (!this.#isStarting) this.say('gateway', `pid ${event.pid} started`)
  }

  running(listeners: readonly string[], sentence: string): void {
    this.#isStarting = false
    for (const listener of listeners) this.say('open', listener)
    this.say('ready', `${sentence} after ${(this.elapsedMs / 1000).toFixed(1)} s`)
    tellParent({ kind: 'ready' })
    if (process.stdout.isTTY) this.write(paint('dim', 'Ctrl-C ends everything, drained.'))
  }

  stopping(step: StopStep): void {
    this.say('ending', STOP_STEPS[step])
  }
}
