/** Which directory a process image is started from: `DATA/images.json`, written by `serin up` and `serin apply`, read by the kubelet's part. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'

/** Image name as in the pod template (`helloworld:latest`, or without a tag) → absolute directory. */
export type ImageDirectories = Readonly<Record<string, string>>

function readImages(file: string): ImageDirectories {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ImageDirectories
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

/** Adds to what is known already. */
export function recordImages(file: string, found: ImageDirectories): void {
  if (Object.keys(found).length === 0) return
  const next = `${file}.${process.pid}`
  writeFileSync(next, `${JSON.stringify({ ...readImages(file), ...found }, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(next, file)
}
