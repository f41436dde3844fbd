import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { ENGINE_MS_MAX, ENGINE_OUTPUT_BYTES_MAX } from '../limits.ts'

/** podman or docker, by their command line. */
export interface Engine {
  /** `podman` or `docker`. */
  readonly program: string
  /** Options before the command, as `--runtime runc`. */
  readonly options: readonly string[]
  /** Options of every `run`. */
  readonly runOptions: readonly string[]
}

/** podman's default limits are higher than a machine without privileges may grant. */
const PODMAN_RUN_OPTIONS = [
  '--ulimit',
  'nofile=20000:20000',
  '--ulimit',
  'nproc=4096:4096',
  '--log-opt',
  'max-size=10mb',
]
const DOCKER_RUN_OPTIONS = ['--log-opt', 'max-size=10m', '--log-opt', 'max-file=2']

/** What is installed here; podman before docker, with runc where it is. Whether it works shows with the first container. */
export function findEngine(): Engine | undefined {
  if (isInstalled('podman')) {
    return {
      program: 'podman',
      options: isInstalled('runc') ? ['--runtime', 'runc'] : [],
      runOptions: PODMAN_RUN_OPTIONS,
    }
  }
  if (isInstalled('docker')) return { program: 'docker', options: [], runOptions: DOCKER_RUN_OPTIONS }
  return undefined
}

function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => existsSync(join(directory, program)))
}

/** Its output. Throws an Error whose message is what it said. */
export async function ask(
  engine: Engine,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(engine.program, [...engine.options, ...args], {
      timeout: ENGINE_MS_MAX,
      maxBuffer: ENGINE_OUTPUT_BYTES_MAX,
      env: { ...process.env, ...environment },
    })
    return stdout.trim()
  } catch (error) {
    const { stderr } = error as { stderr?: string }
    throw new Error(stderr === undefined || stderr.trim() === '' ? (error as Error).message : stderr.trim(), {
      cause: error,
    })
  }
}
