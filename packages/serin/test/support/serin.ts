/** A real `serin up` for tests: ports and a data directory of its own, ended whatever happens. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { dataDirectory, type DataDirectory, type ProcessRecord, readAlive } from '../../src/data-directory.ts'
import { exampleFiles } from '../../src/cli/example.ts'
import { freePort } from '../../src/host-port.ts'

/** Only a hang takes longer. */
const HANG_MS = 150_000

const repository: string = join(import.meta.dirname, '../../../../..')
export const example: string = join(repository, 'examples/helloworld')
const SERIN = join(repository, 'packages/serin/bin/serin.js')

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end; never rejects for its exit code. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    execFile(
      command,
      [...args],
      { ...options, timeout: HANG_MS, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code
        if (typeof code === 'number') resolve({ code, stdout, stderr })
        else reject(error ?? new Error('no exit code'))
      },
    )
  })
}

/** Runs the CLI. */
export function serin(
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Outcome> {
  return runProgram(process.execPath, [SERIN, ...args], options)
}

/** Waits until `look` gives something; says what was waited for when it never does. */
export async function until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const limit = performance.now() + HANG_MS
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > limit) throw new Error(`waited in vain for ${what}`)
    await sleep(20)
  }
}

/** Ports and a data directory for one serin, over several runs of it. */
export class SerinUnderTest {
  readonly directory: string
  readonly data: DataDirectory
  readonly host: string = '127.0.0.1'
  readonly port: number
  readonly api: number
  readonly console: number
  readonly files: readonly string[]
  child: ChildProcess | undefined
  output = ''
  #exited: Promise<number | null> = Promise.resolve(0)

  private constructor(ports: { port: number; api: number; console: number }, files: readonly string[] | undefined) {
    this.directory = mkdtempSync(join(tmpdir(), 'serin-test-'))
    this.data = dataDirectory(join(this.directory, 'data'))
    this.port = ports.port
    this.api = ports.api
    this.console = ports.console
    this.files = files ?? exampleFiles(example, { port: this.port, directory: this.directory })
  }

  static async create(files?: readonly string[]): Promise<SerinUnderTest> {
    return new SerinUnderTest({ port: await freePort(), api: await freePort(), console: await freePort() }, files)
  }

  /** Resolves when it says that it is ready. */
  async up(options: { readonly files?: readonly string[]; readonly args?: readonly string[] } = {}): Promise<void> {
    const files = options.files ?? this.files
    const args = [
      'up',
      `--data=${this.data.path}`,
      `--api=127.0.0.1:${this.api}`,
      `--console=127.0.0.1:${this.console}`,
      '--workers=2',
      ...files.flatMap((file) => ['-f', file]),
      ...(options.args ?? []),
    ]
    const child = spawn(process.execPath, [SERIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.child = child
    this.output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (text: string) => {
        this.output += text
      })
    }
    this.#exited = new Promise((resolve) => child.once('exit', (code) => resolve(code)))
    await until(`"ready" from serin up, which said: ${this.output}`, () => {
      if (child.exitCode !== null) throw new Error(`serin up ended with ${child.exitCode}: ${this.output}`)
      return /^ {2}ready/m.test(this.output) || undefined
    })
  }

  /** Ctrl-C; resolves to the exit code. */
  async end(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    this.child?.kill(signal)
    return this.#exited
  }

  /** kill -9 of the control process only. */
  async killControl(): Promise<void> {
    await this.end('SIGKILL')
  }

  get gatewayPid(): number | undefined {
    return readAlive<ProcessRecord>(this.data.gatewayFile)?.pid
  }

  /** A verb of serin, talking to this one. */
  verb(...words: readonly string[]): Promise<Outcome> {
    return serin([...words, '--kubeconfig', this.data.kubeconfig])
  }

  /** For the end of a test, whatever happened in it. */
  async cleanUp(): Promise<void> {
    if (this.child?.exitCode === null && this.child.signalCode === null) await this.end()
    await serin(['down', '--data', this.data.path])
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Processes whose parent is `pid` (Linux). */
export async function childrenOf(pid: number): Promise<readonly number[]> {
  const { stdout } = await runProgram('ps', ['-o', 'pid=', '--ppid', String(pid)])
  return stdout
    .split('\n')
    .map(Number)
    .filter((child) => child > 0)
}

/** Every process whose environment or command line names this text (Linux). */
export async function processesNaming(text: string): Promise<readonly string[]> {
  const { stdout } = await runProgram('ps', ['-eo', 'pid=,args='])
  return stdout.split('\n').filter((line) => line.includes(text) && !line.includes(' ps '))
}
