import { execFileSync, spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findEngine } from '../src/workloads/runtimes/engine.ts'

/** Images for tests, made of what this machine has: there is nothing to pull from. */

export const BASE_IMAGE = 'serin-test-base:1'

/** Makes an image of a few programs of this machine. The reason why containers cannot run here, or false. */
export function engineFailure(): string | false {
  const engine = findEngine()
  if (engine === undefined) return 'neither podman nor docker is installed'
  const { program, options } = engine
  if (spawnSync(program, [...options, 'image', 'inspect', BASE_IMAGE]).status === 0) return false
  const programs = ['/bin/sh', '/bin/sleep', '/bin/cat', '/bin/echo', '/usr/bin/id', process.execPath]
  const libraries = programs.flatMap((path) => spawnSync('ldd', [path]).stdout.toString().match(/\/\S+/g) ?? [])
  const archive = join(tmpdir(), `serin-base-${String(process.pid)}.tar`)
  try {
    execFileSync('tar', ['-chf', archive, ...new Set([...programs, ...libraries])], { stdio: 'ignore' })
    execFileSync(program, [...options, 'import', archive, BASE_IMAGE], { stdio: 'ignore' })
    return false
  } catch (error) {
    return `${program} does not work here: ${(error as Error).message}`
  } finally {
    rmSync(archive, { force: true })
  }
}
