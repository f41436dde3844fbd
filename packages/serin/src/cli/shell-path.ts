/** Paths as a person would type them here. */
import { relative } from 'node:path'

/** Relative to the working directory where that is shorter, quoted where a shell needs it. */
export function shellPath(path: string): string {
  const near = relative(process.cwd(), path)
  const shown = near !== '' && near.length < path.length ? near : path
  return /^[\w./@%+=:,-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", `'\\''`)}'`
}
