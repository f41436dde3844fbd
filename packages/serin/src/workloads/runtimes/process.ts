import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, statSync, writeFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { identityOf, isAlive, type ProcessIdentity } from '../../store/process-identity.ts'
import { ADOPTED_POLL_MS, EXEC_SWEEP_MS, MEMORY_WATCH_MS, STRAY_MS_MAX, SWEEP_MS } from '../limits.ts'
import type { ExecOptions, ExecSession } from '../pods/access.ts'
import { allProcesses, isRunning, processesWith, processFacts } from './proc.ts'
import {
  StartError,
  type ContainerRecord,
  type ContainerSpec,
  type Exit,
  type Mount,
  type RunningContainer,
  type Runtime,
  type Consumption,
} from './runtime.ts'

/**
 * Containers as process groups of this machine. Each program leads a session of its own, so that it and all it starts can be signalled
 * together and do not end with serin; its output goes straight into a file. Everything a pod starts carries the pod's uid in its
 * environment: that is how strays that left the group are found, and programs whose start was not written down.
 */

/** `DATA/pods/<uid>`: whose program it is, of which serin. */
const POD_VARIABLE = 'SERIN_POD'

const SCHEME = 'process'
/** Exit code of a program that was killed and whose own code nobody can know any more (kubelet's figure). */
const UNKNOWN_EXIT_CODE = 137

interface ProcessRecord extends ContainerRecord, ProcessIdentity {
  readonly spec: ExecPlace
}

/** What a command beside the program needs. */
interface ExecPlace {
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
  readonly user?: { readonly uid: number; readonly gid?: number }
  readonly memoryBytes?: number
  /** The program has a mount namespace of its own. */
  readonly isMounted: boolean
}

/** `directory`: `DATA/pods`, which tells the programs of one serin from those of another on the same machine. */
export function createProcessRuntime(directory: string): Runtime {
  const markOf = (podUid: string): string => `${directory}/${podUid}`
  const sweeper = new Sweeper()
  return {
    scheme: SCHEME,
    start: (spec) => start(spec, markOf(spec.podUid)),
    adopt: (record) => Promise.resolve(adopt(record as ProcessRecord)),
    sweep: (podUid) => sweeper.sweep(markOf(podUid)),
    endStrays: (keep) => endStrays(`${directory}/`, keep as readonly ProcessRecord[]),
  }
}

async function start(spec: ContainerSpec, mark: string): Promise<RunningContainer> {
  const { launch } = spec
  if (launch.type !== 'process')
    throw new StartError('CreateContainerError', 'this runtime starts programs, not images')
  const [file, ...args] = launch.argv
  if (file === undefined) throw new StartError('CreateContainerConfigError', 'no command specified')
  if (!existsSync(launch.directory)) {
    throw new StartError('CreateContainerError', `working directory ${launch.directory} does not exist`)
  }
  const environment = { ...spec.environment, [POD_VARIABLE]: mark }
  const [command, commandArgs] = mounted(spec, file, args)
  mkdirSync(dirname(spec.logFile), { recursive: true })
  const output = openSync(spec.logFile, 'a', 0o600)
  let child: ChildProcess
  try {
    child = spawn(command, commandArgs, {
      cwd: launch.directory,
      env: environment,
      detached: true,
      stdio: ['ignore', output, output],
      ...(spec.user === undefined ? {} : { uid: spec.user.uid, gid: spec.user.gid ?? spec.user.uid }),
    })
  } catch (error) {
    throw startError(file, launch.directory, error)
  } finally {
    closeSync(output)
  }
  const exited = childExit(child)
  const pid = await spawned(child, file, launch.directory)
  be(nice(spec.limits.cpuMillicores), pid)
  const { memoryBytes } = spec.limits
  const place: ExecPlace = {
    directory: launch.directory,
    environment,
    isMounted: spec.mounts.length > 0,
    ...(spec.user === undefined ? {} : { user: spec.user }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  }
  const record: ProcessRecord = { scheme: SCHEME, ...identityOf(pid), spec: place }
  return new ProcessContainer(record, exited)
}

/** With mounts the program gets a mount namespace of its own, in which the volumes lie where it looks for them. */
function mounted({ mounts }: ContainerSpec, file: string, args: readonly string[]): [string, string[]] {
  if (mounts.length === 0) return [file, [...args]]
  const script = mounts.map(({ source, target, readOnly }) => {
    const bind = `mount --bind ${quoted(source)} ${quoted(target)}`
    return readOnly ? `${bind} && mount -o remount,bind,ro ${quoted(target)}` : bind
  })
  for (const mount of mounts) makeMountPoint(mount)
  // Who is not root is root in a user namespace of the program's own, and nowhere else.
  const user = process.getuid?.() === 0 ? [] : ['--map-root-user']
  const options = [
    ...user,
    '--mount',
    '--propagation',
    'private',
    '--',
    'sh',
    '-c',
    `${script.join(' && ')} && exec "$@"`,
    'sh',
  ]
  return ['unshare', [...options, file, ...args]]
}

/** A mount needs something to lie on: an empty directory, or file, is made where there is nothing. */
function makeMountPoint({ source, target }: Mount): void {
  if (existsSync(target)) return
  try {
    if (statSync(source).isDirectory()) mkdirSync(target, { recursive: true })
    else {
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, '')
    }
  } catch (error) {
    throw new StartError('CreateContainerError', `cannot make mountPath ${target}: ${(error as Error).message}`, error)
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

function spawned(child: ChildProcess, file: string, directory: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid ?? 0))
    child.once('error', (error) => reject(startError(file, directory, error)))
  })
}

function startError(file: string, directory: string, error: unknown): StartError {
  const code = (error as NodeJS.ErrnoException).code
  const why: Readonly<Record<string, string>> = {
    ENOENT: `program ${JSON.stringify(file)} was not found (in PATH, or from ${directory})`,
    EACCES: `program ${JSON.stringify(file)} may not be executed`,
    EPERM: 'only root may start a program as another user',
  }
  const message = why[code ?? ''] ?? (error instanceof Error ? error.message : String(error))
  return new StartError('RunContainerError', `failed to start: ${message}`, error)
}

/** A program with a small share of a processor gives way to the others. */
function nice(cpuMillicores: number | undefined): number {
  if (cpuMillicores === undefined || cpuMillicores >= 1000) return 0
  return cpuMillicores < 500 ? 10 : 5
}

function be(priority: number, pid: number): void {
  try {
    if (priority !== 0) setPriority(pid, priority)
  } catch {
    // It has ended already.
  }
}

async function childExit(child: ChildProcess): Promise<Exit> {
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('exit', (exitCode, exitSignal) => resolve([exitCode, exitSignal]))
    child.once('error', () => resolve([UNKNOWN_EXIT_CODE, null]))
  })
  if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
  const number = signal === null ? undefined : constants.signals[signal]
  return {
    exitCode: code ?? 128 + (number ?? 0),
    ...(number === undefined ? {} : { signal: number }),
    at: Date.now(),
  }
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal)
  } catch {
    // Nobody is left.
  }
}

function adopt(record: ProcessRecord): RunningContainer | undefined {
  if (!isAlive(record) || !isRunning(record.pid)) return undefined
  return new ProcessContainer(record, adoptedExit(record))
}

/** Somebody else's child: it can only be looked at, and its exit code is lost. */
async function adoptedExit(record: ProcessRecord): Promise<Exit> {
  while (isRunning(record.pid) && isAlive(record)) {
    await new Promise((resolve) => setTimeout(resolve, ADOPTED_POLL_MS))
  }
  signalGroup(record.pid, 'SIGKILL')
  return {
    exitCode: UNKNOWN_EXIT_CODE,
    at: Date.now(),
    reason: 'ContainerStatusUnknown',
    message: 'The program ended; its exit code went to the serin that started it.',
  }
}

/** Searches all environments for the pods that are to be swept: those that ask meanwhile share one search. */
class Sweeper {
  private readonly marks = new Set<string>()
  private next: Promise<void> | undefined

  sweep(mark: string): Promise<void> {
    this.marks.add(mark)
    this.next ??= delay(SWEEP_MS).then(() => {
      const marks = new Set(this.marks)
      this.marks.clear()
      this.next = undefined
      return endMarked(({ value }) => marks.has(value))
    })
    return this.next
  }
}

/** Resolves when those that were found are gone, or after a bound: a kernel that is busy takes its time to end them. */
async function endMarked(isStray: (found: { readonly pid: number; readonly value: string }) => boolean): Promise<void> {
  const strays = (await processesWith(POD_VARIABLE)).filter(isStray)
  for (const { pid } of strays) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended.
    }
  }
  const end = Date.now() + STRAY_MS_MAX
  while (Date.now() < end && strays.some(({ pid }) => isRunning(pid))) await delay(SWEEP_MS)
}

async function endStrays(prefix: string, keep: readonly ProcessRecord[]): Promise<void> {
  const groups = new Set(keep.map(({ pid }) => pid))
  await endMarked(({ pid, value }) => value.startsWith(prefix) && !groups.has(processFacts(pid)?.group ?? 0))
}

class ProcessContainer implements RunningContainer {
  readonly id: string
  readonly record: ProcessRecord
  readonly exited: Promise<Exit>
  private hasEnded = false
  private wentOverMemory = false

  constructor(record: ProcessRecord, exited: Promise<Exit>) {
    this.id = String(record.pid)
    this.record = record
    const watch = this.watchMemory()
    this.exited = exited.then((exit) => {
      this.hasEnded = true
      clearInterval(watch)
      return this.wentOverMemory ? { ...exit, reason: 'OOMKilled' } : exit
    })
  }

  signal(signal: NodeJS.Signals): void {
    // A group whose leader has ended may belong to a stranger by now.
    if (!this.hasEnded && isAlive(this.record)) signalGroup(this.record.pid, signal)
  }

  exec(options: Omit<ExecOptions, 'container'>): Promise<ExecSession> {
    return execBeside(this.record, options)
  }

  usage(): Promise<Consumption | undefined> {
    const members = this.hasEnded
      ? []
      : allProcesses().filter(({ group, state }) => group === this.record.pid && state !== 'Z')
    if (members.length === 0) return Promise.resolve(undefined)
    const total = (measure: (facts: (typeof members)[number]) => number): number =>
      members.reduce((sum, facts) => sum + measure(facts), 0)
    return Promise.resolve({ cpuMs: total((facts) => facts.cpuMs), memoryBytes: total((facts) => facts.memoryBytes) })
  }

  private watchMemory(): NodeJS.Timeout | undefined {
    const limit = this.record.spec.memoryBytes
    if (limit === undefined) return undefined
    const timer = setInterval(() => {
      void this.usage().then((usage) => {
        if (usage === undefined || usage.memoryBytes <= limit) return
        this.wentOverMemory = true
        this.signal('SIGKILL')
      })
    }, MEMORY_WATCH_MS)
    timer.unref()
    return timer
  }
}

/** In the mount namespace of a program, which has its own root: the directory has to be found again. */
function within(pid: number, directory: string, command: readonly string[]): readonly string[] {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--preserve-credentials']
  return [
    'nsenter',
    ...user,
    '--mount',
    '--target',
    String(pid),
    '--',
    'sh',
    '-c',
    `cd ${quoted(directory)} && exec "$@"`,
    'sh',
    ...command,
  ]
}

/** A command with the program's environment, user and directory. A terminal comes from script(1). */
async function execBeside(
  { pid: target, spec: place }: ProcessRecord,
  { command, stdin, tty }: Omit<ExecOptions, 'container'>,
): Promise<ExecSession> {
  const [file = '', ...args] = command
  const line = command.map(quoted).join(' ')
  const beside: readonly string[] = tty ? ['script', '-qefc', line, '/dev/null'] : [file, ...args]
  const [program = '', ...programArgs] = place.isMounted ? within(target, place.directory, beside) : beside
  const child = spawn(program, programArgs, {
    cwd: place.directory,
    env: { TERM: 'xterm', ...place.environment },
    detached: true,
    stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    ...(place.user === undefined ? {} : { uid: place.user.uid, gid: place.user.gid ?? place.user.uid }),
  })
  const exit = new Promise<number>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
  })
  const pid = await spawned(child, file, place.directory)
  const kill = (): void => {
    signalGroup(pid, 'SIGTERM')
    setTimeout(() => signalGroup(pid, 'SIGKILL'), EXEC_SWEEP_MS).unref()
  }
  // A command that ended before all of its input was read is no error.
  child.stdin?.on('error', () => {})
  if (child.stdout === null || child.stderr === null) throw new Error('a pipe is missing')
  // Its size cannot be changed: script(1) takes it from its own terminal, and has none.
  return {
    ...(child.stdin === null ? {} : { stdin: child.stdin }),
    stdout: child.stdout,
    ...(tty ? {} : { stderr: child.stderr }),
    exit,
    kill,
  }
}
