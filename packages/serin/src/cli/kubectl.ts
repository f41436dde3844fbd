/** Finds a kubectl that is new enough for what the demo types. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const MINOR_MIN = 30
const ANSWER_MS_MAX = 5_000

/** The command's name when `kubectl` is in PATH, is at least 1.30 and works; else undefined. */
export async function findKubectl(): Promise<string | undefined> {
  const command = process.env['KUBECTL'] ?? 'kubectl'
  try {
    const run = promisify(execFile)
    const { stdout } = await run(command, ['version', '--client', '-o', 'json'], { timeout: ANSWER_MS_MAX })
    const { clientVersion } = JSON.parse(stdout) as { clientVersion?: { major?: string; minor?: string } }
    const minor = Number.parseInt(clientVersion?.minor ?? '', 10)
    return clientVersion?.major === '1' && minor >= MINOR_MIN ? command : undefined
  } catch {
    return undefined
  }
}
