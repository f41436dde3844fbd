/** Where a kubectl is that is itself. */
import { existsSync, realpathSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

/**
 * The first of `versions` (minor versions, best first) that stands in PATH or beside what `kubectl` in PATH really is, else that one;
 * undefined on a machine without any. A wrapper that chooses among versions would ask the server first.
 */
export function kubectlBinary(versions: readonly number[]): string | undefined {
  const inPath = (process.env['PATH'] ?? '').split(delimiter)
  const plain = inPath.map((directory) => join(directory, 'kubectl')).find((path) => existsSync(path))
  const directories = plain === undefined ? inPath : [...inPath, dirname(realpathSync(plain))]
  const versioned = versions.flatMap((minor) => directories.map((directory) => join(directory, `kubectl.1.${minor}`)))
  return versioned.find((path) => existsSync(path)) ?? plain
}
