import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { PassThrough } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { ADOPTED_POLL_MS, EXEC_SWEEP_MS } from '../limits.ts'
import type { ExecOptions, ExecSession, LogOptions } from '../pods/access.ts'
import { ask, type Engine } from './engine.ts'
import { isRunning } from './proc.ts'
import {
  StartError,
  type Consumption,
  type ContainerPlace,
  type ContainerRecord,
  type ContainerSpec,
  type Exit,
  type RunningContainer,
  type Runtime,
} from './runtime.ts'

/**
 * Containers by podman or docker. They are started detached and do not need serin to live; their ports are published on 127.0.0.1 only. The
 * last life of a container is kept, for its log, until the next but one begins. Containers of one pod do not share a network.
 */

/** Whose container it is: of which serin (`DATA/pods`), of which pod. */
const DIRECTORY_LABEL = 'serin.dev/pods'
const POD_LABEL = 'serin.dev/pod'

const HOSTNAME_CHARACTERS_MAX = 63

interface EngineRecord extends ContainerRecord {
  readonly name: string
  readonly pid: number
}

export function createContainerRuntime(engine: Engine, directory: string): Runtime {
  /** The pods that ever had a container here: others need not be searched for. */
  const pods = new Set<string>()
  return {
    scheme: engine.program,
    start: async (spec) => {
      pods.add(spec.podUid)
      return start(engine, directory, spec)
    },
    adopt: async (record) => adopt(engine, record as EngineRecord),
    sweep: async (podUid) => {
      if (pods.delete(podUid)) await remove(engine, await named(engine, [`label=${POD_LABEL}=${podUid}`]))
    },
    endStrays: async (keep) => {
      const work = endStrays(engine, directory, keep as readonly EngineRecord[], pods)
      // With nothing to take over nobody has to wait for an engine that takes its time, or does not work here.
      if (keep.length === 0) work.catch(() => {})
      else await work
    },
    log: (place, options) => engineLog(engine, nameOf(place), options),
  }
}

async function endStrays(
  engine: Engine,
  directory: string,
  keep: readonly EngineRecord[],
  pods: Set<string>,
): Promise<void> {
  const kept = new Set(keep.map(({ name }) => name))
  const present = await named(engine, [`label=${DIRECTORY_LABEL}=${directory}`])
  for (const name of present.filter((entry) => kept.has(entry))) pods.add(podOf(name))
  const strays = present.filter((name) => !kept.has(name) && !pods.has(podOf(name)))
  await remove(engine, strays)
}

function nameOf({ podUid, name, attempt }: ContainerPlace): string {
  return `serin-${podUid}-${name}-${String(attempt)}`
}

function podOf(name: string): string {
  return name.slice('serin-'.length, 'serin-'.length + 36)
}

async function named(engine: Engine, filters: readonly string[]): Promise<readonly string[]> {
  const output = await ask(engine, [
    'ps',
    '--all',
    '--format',
    '{{.Names}}',
    ...filters.flatMap((filter) => ['--filter', filter]),
  ])
  return output.split('\n').filter((name) => name !== '')
}

async function remove(engine: Engine, names: readonly string[]): Promise<void> {
  if (names.length > 0) await ask(engine, ['rm', '--force', '--volumes', ...names])
}

async function start(engine: Engine, directory: string, spec: ContainerSpec): Promise<RunningContainer> {
  const name = nameOf(spec)
  try {
    // The life before the last, and one of this name that a machine that went down left.
    const old = [name, nameOf({ ...spec, attempt: spec.attempt - 2 })]
    await ask(engine, ['rm', '--force', '--volumes', ...old]).catch(() => '')
    await ask(engine, runArguments(engine, directory, spec), spec.environment)
  } catch (error) {
    const message = (error as Error).message
    const isImage = /no such image|manifest unknown|not found locally|unable to find image/i.test(message)
    throw new StartError(isImage ? 'ErrImagePull' : 'CreateContainerError', message, error)
  }
  const state = await inspect(engine, name)
  return new EngineContainer(engine, { scheme: engine.program, name, pid: state.Pid }, state.Id)
}

/** The environment goes by name: its values would be seen in a list of processes. */
function runArguments(engine: Engine, directory: string, spec: ContainerSpec): readonly string[] {
  const { launch, limits, user, ports, mounts, environment } = spec
  if (launch.type !== 'container')
    throw new StartError('CreateContainerError', 'this runtime starts images, not programs')
  const [entrypoint, ...rest] = launch.command ?? []
  return [
    'run',
    '--detach',
    '--pull=never',
    ...engine.runOptions,
    '--name',
    nameOf(spec),
    '--hostname',
    spec.podName.slice(0, HOSTNAME_CHARACTERS_MAX),
    '--label',
    `${DIRECTORY_LABEL}=${directory}`,
    '--label',
    `${POD_LABEL}=${spec.podUid}`,
    ...Object.keys(environment).flatMap((name) => ['--env', name]),
    ...ports.flatMap(({ containerPort, port }) => ['--publish', `127.0.0.1:${String(port)}:${String(containerPort)}`]),
    ...mounts.flatMap(({ source, target, readOnly }) => ['--volume', `${source}:${target}${readOnly ? ':ro' : ''}`]),
    ...(limits.memoryBytes === undefined ? [] : ['--memory', String(Math.ceil(limits.memoryBytes))]),
    ...(limits.cpuMillicores === undefined ? [] : ['--cpus', String(limits.cpuMillicores / 1000)]),
    ...(user === undefined
      ? []
      : ['--user', user.gid === undefined ? String(user.uid) : `${String(user.uid)}:${String(user.gid)}`]),
    ...(launch.workingDir === undefined ? [] : ['--workdir', launch.workingDir]),
    ...(entrypoint === undefined ? [] : ['--entrypoint', entrypoint]),
    launch.image,
    ...rest,
    ...(launch.args ?? []),
  ]
}

/** The fields of the engine's answer that are used. */
interface EngineState {
  readonly Id: string
  readonly Pid: number
  readonly Running: boolean
  readonly ExitCode: number
  readonly OOMKilled: boolean
  readonly FinishedAt: string
}

async function inspect(engine: Engine, name: string): Promise<EngineState> {
  const output = await ask(engine, ['container', 'inspect', name])
  const [found] = JSON.parse(output) as [{ Id: string; State: Omit<EngineState, 'Id'> }]
  return { ...found.State, Id: found.Id }
}

async function adopt(engine: Engine, record: EngineRecord): Promise<RunningContainer | undefined> {
  try {
    const state = await inspect(engine, record.name)
    return state.Running ? new EngineContainer(engine, { ...record, pid: state.Pid }, state.Id) : undefined
  } catch {
    // It was removed.
    return undefined
  }
}

class EngineContainer implements RunningContainer {
  readonly id: string
  readonly record: EngineRecord
  readonly exited: Promise<Exit>
  private readonly engine: Engine
  private hasEnded = false

  constructor(engine: Engine, record: EngineRecord, id: string) {
    this.engine = engine
    this.record = record
    this.id = id
    this.exited = this.end()
  }

  signal(signal: NodeJS.Signals): void {
    if (this.hasEnded) return
    // It may end meanwhile, which is all that was wanted.
    ask(this.engine, ['kill', '--signal', signal, this.record.name]).catch(() => {})
  }

  async exec({ command, stdin, tty }: Omit<ExecOptions, 'container'>): Promise<ExecSession> {
    const { program, options } = this.engine
    const flags = [...(stdin ? ['--interactive'] : []), ...(tty ? ['--tty'] : [])]
    const args = [...options, 'exec', ...flags, this.record.name, ...command]
    // A terminal inside needs one outside.
    const line = [program, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
    const child = tty
      ? spawn('script', ['-qefc', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'pipe'] })
      : spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    const exit = new Promise<number>((resolve) => {
      child.once('error', () => resolve(126))
      child.once('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
    })
    child.stdin.on('error', () => {})
    if (!stdin) child.stdin.end()
    return Promise.resolve({
      ...(stdin ? { stdin: child.stdin } : {}),
      stdout: child.stdout,
      ...(tty ? {} : { stderr: child.stderr }),
      exit,
      kill: () => {
        child.kill('SIGTERM')
        setTimeout(() => child.kill('SIGKILL'), EXEC_SWEEP_MS).unref()
      },
    })
  }

  usage(): Promise<Consumption | undefined> {
    return Promise.resolve(this.hasEnded ? undefined : groupUsage(this.record.pid))
  }

  /** The main process is looked at like any other; what became of it the engine knows. */
  private async end(): Promise<Exit> {
    while (isRunning(this.record.pid)) await delay(ADOPTED_POLL_MS)
    this.hasEnded = true
    for (let tries = 0; tries < EXIT_TRIES_MAX; tries += 1) {
      try {
        const { Running, ExitCode, OOMKilled, FinishedAt } = await inspect(this.engine, this.record.name)
        if (!Running) {
          const at = Date.parse(FinishedAt) || Date.now()
          return { exitCode: ExitCode, at, ...(OOMKilled ? { reason: 'OOMKilled' } : {}) }
        }
      } catch {
        // It was removed: nobody knows any more.
        break
      }
      await delay(ADOPTED_POLL_MS)
    }
    return { exitCode: 137, at: Date.now(), reason: 'ContainerStatusUnknown' }
  }
}

/** The engine may need a moment to see that a container has ended. */
const EXIT_TRIES_MAX = 20

/** From the control group of the main process, in either of the kernel's two layouts. */
function groupUsage(pid: number): Consumption | undefined {
  try {
    const groups = readFileSync(`/proc/${String(pid)}/cgroup`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(':', 3))
    const path = (controller: string): string | undefined =>
      groups.find(([, names = '']) => names.split(',').includes(controller))?.[2]
    const read = (file: string): string => readFileSync(`/sys/fs/cgroup/${file}`, 'utf8')
    const memory = path('memory')
    const cpu = path('cpuacct')
    if (memory !== undefined && cpu !== undefined) {
      return {
        cpuMs: Number(read(`cpuacct${cpu}/cpuacct.usage`)) / 1e6,
        memoryBytes: Number(read(`memory${memory}/memory.usage_in_bytes`)),
      }
    }
    const unified = groups.find(([, names]) => names === '')?.[2] ?? ''
    const microseconds = /^usage_usec (\d+)$/m.exec(read(`${unified}/cpu.stat`))?.[1]
    return { cpuMs: Number(microseconds) / 1000, memoryBytes: Number(read(`${unified}/memory.current`)) }
  } catch {
    // It has ended, or this kernel does not account.
    return undefined
  }
}

/** The engine keeps logs and times itself. */
async function* engineLog(
  engine: Engine,
  name: string,
  options: Omit<LogOptions, 'container' | 'previous'>,
): AsyncGenerator<Buffer> {
  const args = [
    'logs',
    ...(options.follow ? ['--follow'] : []),
    ...(options.timestamps ? ['--timestamps'] : []),
    ...(options.tailLines === undefined ? [] : ['--tail', String(options.tailLines)]),
    ...(options.since === undefined ? [] : ['--since', options.since.toISOString()]),
    name,
  ]
  const child = spawn(engine.program, [...engine.options, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const both = new PassThrough()
  let open = 2
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipe(both, { end: false })
    stream.once('end', () => {
      open -= 1
      if (open === 0) both.end()
    })
  }
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY
  try {
    for await (const chunk of both as AsyncIterable<Buffer>) {
      yield chunk.length > left ? chunk.subarray(0, left) : chunk
      left -= chunk.length
      if (left <= 0) return
    }
  } finally {
    child.kill('SIGKILL')
  }
}
