/** The serin that the demo plays with: a child process with ports and a data directory of its own, and kubectl or serin's verbs to steer it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { dataDirectory, type ProcessRecord, readAlive } from '../data-directory.ts'
import { EXAMPLE_PORT, exampleFiles, portNear } from './example.ts'
import { CliError } from './exit.ts'
import { linesOf } from '../store/lines.ts'

const READY_MS_MAX = 60_000
const STOP_MS_MAX = 60_000
const SERIN = join(import.meta.dirname, '../../../bin/serin.js')

export interface DemoOptions {
  readonly directory: string
  readonly example: string
  readonly kubectl: string | undefined
}

export class DemoSerin {
  readonly #options: DemoOptions
  readonly #data: string
  readonly host: string = '127.0.0.1'
  port: number = EXAMPLE_PORT
  consoleUrl = ''
  #upArguments: readonly string[] = []
  #child: ChildProcess | undefined
  #exited: Promise<unknown> = Promise.resolve()

  constructor(options: DemoOptions) {
    this.#options = options
    this.#data = join(options.directory, 'data')
  }

  get kubeconfig(): string {
    return dataDirectory(this.#data).kubeconfig
  }

  exampleFile(name: string): string {
    return relative(process.cwd(), join(this.#options.example, name))
  }

  /** Finds ports that are free: those of the tutorial, if nobody has them. */
  async prepare(): Promise<void> {
    const { directory, example } = this.#options
    this.port = await portNear(EXAMPLE_PORT)
    const [api, console] = [await portNear(6440), await portNear(6441)]
    this.consoleUrl = `http://127.0.0.1:${console}`
    this.#upArguments = [
      'up',
      ...exampleFiles(example, { port: this.port, directory }).flatMap((file) => ['-f', relative(process.cwd(), file)]),
      `--data=${this.#data}`,
      ...(api === 6440 ? [] : [`--api=127.0.0.1:${api}`]),
      ...(console === 6441 ? [] : [`--console=127.0.0.1:${console}`]),
    ]
  }

  get startLine(): string {
    return `npx serin ${this.#upArguments.join(' ')}`
  }

  /** Resolves when all pods are ready; shows the lines that serin prints. */
  async start(show: (line: string) => void): Promise<void> {
    const child = spawn(
      process.execPath,
      [SERIN, ...this.#upArguments],
      // A group of its own: Ctrl-C is for the demo, which ends it in order.
      { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: { ...process.env, NO_COLOR: '1' } },
    )
    this.#child = child
    this.#exited = new Promise((resolve) => child.once('exit', resolve))
    await this.#untilReady(child, show)
  }

  async #untilReady(child: ChildProcess, show: (line: string) => void): Promise<void> {
    const collected: string[] = []
    let ready: () => void = () => {}
    const isReady = new Promise<void>((resolve) => {
      ready = resolve
    })
    const read = async (stream: NodeJS.ReadableStream): Promise<void> => {
      stream.setEncoding('utf8')
      for await (const line of linesOf(stream as AsyncIterable<string>)) {
        collected.push(line)
        show(line)
        if (line.trimStart().startsWith('ready')) ready()
      }
    }
    void read(child.stdout!)
    void read(child.stderr!)
    const limit = sleep(READY_MS_MAX, 'late', { ref: false })
    const outcome = await Promise.race([isReady, this.#exited.then(() => 'ended'), limit])
    if (outcome === undefined) return
    throw new CliError(`serin ${outcome === 'late' ? 'is not ready' : 'ended'}: ${collected.slice(-3).join(' ')}`)
  }

  /** What a person would type. */
  commandLine(words: readonly string[]): string {
    const shown = words.map((word) => (/[\s{}"']/.test(word) ? `'${word}'` : word)).join(' ')
    return this.#options.kubectl === undefined ? `npx serin ${shown}` : `kubectl ${shown}`
  }

  /** Runs kubectl, or serin's verb of the same name. */
  async run(words: readonly string[], show: (line: string) => void): Promise<{ readonly exitCode: number }> {
    const { kubectl } = this.#options
    const [command, args] = kubectl === undefined ? [process.execPath, [SERIN, ...words]] : [kubectl, words]
    const child = spawn(command, [...args, '--kubeconfig', this.kubeconfig], { stdio: ['ignore', 'pipe', 'pipe'] })
    let last: string | undefined
    const read = async (stream: NodeJS.ReadableStream): Promise<void> => {
      stream.setEncoding('utf8')
      for await (const line of linesOf(stream as AsyncIterable<string>)) {
        // kubectl says the same thing for every event.
        if (line !== last) show(line)
        last = line
      }
    }
    const exit = new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve(code ?? 1))
    })
    await Promise.all([read(child.stdout), read(child.stderr), exit])
    return { exitCode: await exit }
  }

  /** Ends it as Ctrl-C would; resolves to what it left behind. */
  async stop(): Promise<readonly string[]> {
    const child = this.#child
    if (child === undefined) return []
    child.kill('SIGINT')
    const late = await Promise.race([this.#exited, sleep(STOP_MS_MAX, 'late', { ref: false })])
    this.#child = undefined
    const data = dataDirectory(this.#data)
    return [
      ...(late === 'late' ? ['serin did not end'] : []),
      ...(readAlive<ProcessRecord>(data.gatewayFile) === undefined ? [] : ['the gateway still runs']),
      ...(existsSync(data.gatewaySocket) ? [`${basename(data.gatewaySocket)} is still there`] : []),
    ]
  }

  /** For the end of a demo that went wrong. */
  async kill(): Promise<void> {
    if (this.#child === undefined || this.#child.exitCode !== null) return
    await this.stop()
  }
}
