/** Where the example that the demo plays stands, and its files with another port. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'

import { freePort, listenOn } from '../host-port.ts'
import { CliError } from './exit.ts'

/** The port in the files of the example. */
export const EXAMPLE_PORT = 8080
const GATEWAY_FILE = 'gateway.yaml'

/** `examples/helloworld` of the repository. Throws CliError where it is not there. */
export function exampleDirectory(given?: string): string {
  const directory =
    given === undefined ? join(import.meta.dirname, '../../../../../examples/helloworld') : resolve(given)
  if (existsSync(join(directory, 'k8s'))) return directory
  throw new CliError(`the example is not here: ${directory}`, {
    hint: 'npm run demo   (in a clone of the repository, where the example lives)',
  })
}

/** The paths to give to `-f`: the example's own files, with the Listener on `port`. A changed copy is written to `directory`. */
export function exampleFiles(
  example: string,
  { port, directory }: { port: number; directory: string },
): readonly string[] {
  if (port === EXAMPLE_PORT) return [join(example, 'k8s')]
  const changed = join(directory, GATEWAY_FILE)
  const text = readFileSync(join(example, 'k8s', GATEWAY_FILE), 'utf8')
  writeFileSync(changed, text.replace(`port: ${EXAMPLE_PORT}`, `port: ${port}`))
  const others = ['deployment.yaml', 'service.yaml', 'mapping.yaml']
  return [...others.map((file) => join(example, 'k8s', file)), changed]
}

/** `preferred` if nobody listens there, else any free port. */
export async function portNear(preferred: number): Promise<number> {
  const server = createServer()
  try {
    await listenOn(server, { host: '127.0.0.1', port: preferred })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    return freePort()
  }
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  return preferred
}
