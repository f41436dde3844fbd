/** Keeps a file that others append to within a bound: a larger one is renamed, and they open it anew. */
import { renameSync, statSync } from 'node:fs'

/** How often its size is looked at. */
const LOOK_MS = 2_000

export interface LogFileOptions {
  readonly path: string
  /** A file of more octets becomes `path.1`; what that was before is gone. */
  readonly bytesMax: number
  /** Tells those who append that the file is another. */
  readonly reopen: () => void
}

/** Begins to look. Returns how to stop. A file that is not there yet, or cannot be renamed, is left alone. */
export function boundLogFile({ path, bytesMax, reopen }: LogFileOptions): () => void {
  const timer = setInterval(() => {
    if (sizeOf(path) <= bytesMax) return
    try {
      renameSync(path, `${path}.1`)
    } catch {
      return
    }
    reopen()
  }, LOOK_MS)
  timer.unref()
  return () => clearInterval(timer)
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
