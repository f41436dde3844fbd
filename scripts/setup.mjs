/** What every command of this repository needs first: installed packages and a fresh build. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..')

/** Runs a program of the repository with its output shown; ends this process with its exit code if it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (result.error) throw result.error
  if (result.status !== 0) process.exit(result.status ?? 1)
}

/** Installs when node_modules is missing or older than the lock file. */
export function install() {
  const marker = join(root, 'node_modules/.package-lock.json')
  const lock = join(root, 'package-lock.json')
  const fresh = existsSync(marker) && statSync(marker).mtimeMs >= statSync(lock).mtimeMs
  if (!fresh && !sameLock(marker, lock)) run('npm', ['ci', '--no-audit', '--no-fund'])
}

/** A checkout gives the lock file a new time without a new content: compare what is installed with what is asked for. */
function sameLock(marker, lock) {
  if (!existsSync(marker)) return false
  const installed = JSON.parse(readFileSync(marker, 'utf8')).packages
  const { '': _root, ...wanted } = JSON.parse(readFileSync(lock, 'utf8')).packages
  return Object.entries(wanted).every(([path, entry]) => entry.optional || installed[path]?.version === entry.version)
}

/** Compiles all packages; only what changed is compiled again. */
export function build() {
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'])
}
