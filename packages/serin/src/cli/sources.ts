/** The files that `-f` names: a file, the YAML and JSON files of a directory, or stdin. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { text } from 'node:stream/consumers'

import { CliError, EXIT } from './exit.ts'

const EXTENSIONS: ReadonlySet<string> = new Set(['.yaml', '.yml', '.json'])
/** Somebody who points at more than this did not mean it. */
const FILES_MAX = 5_000
const FILE_BYTES_MAX = 64 * 1024 * 1024

export interface Source {
  /** As it was named, for messages; `<stdin>` for stdin. */
  readonly file: string
  readonly text: string
}

/** Reads them in order; directories are read by name and not deeper, as kubectl does. Throws CliError. */
export async function readSources(paths: readonly string[]): Promise<readonly Source[]> {
  const sources: Source[] = []
  for (const path of paths) {
    if (path === '-') sources.push({ file: '<stdin>', text: await text(process.stdin) })
    else sources.push(...filesAt(path).map((file) => ({ file, text: readText(file) })))
  }
  return sources
}

function filesAt(path: string): readonly string[] {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) throw new CliError(`${path} does not exist`, { exitCode: EXIT.usage })
  if (!stats.isDirectory()) return [path]
  const names = readdirSync(path)
    .filter((name) => EXTENSIONS.has(extname(name)))
    .sort()
  if (names.length === 0) throw new CliError(`${path} holds no .yaml, .yml or .json file`, { exitCode: EXIT.usage })
  if (names.length > FILES_MAX)
    throw new CliError(`${path} holds more than ${FILES_MAX} files`, { exitCode: EXIT.usage })
  return names.map((name) => join(path, name))
}

function readText(file: string): string {
  try {
    if (statSync(file).size > FILE_BYTES_MAX) throw new Error(`it is larger than ${FILE_BYTES_MAX} bytes`)
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${(error as Error).message}`, { exitCode: EXIT.usage, cause: error })
  }
}
