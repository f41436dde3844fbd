/** Why `serin up` could not start, as a sentence. */
import type { SerinRunsAlready } from '../control.ts'
import { formatAddress } from '../host-port.ts'
import { CliError } from './exit.ts'
import { shellPath } from './shell-path.ts'
import type { UpOptions } from './up.ts'

/** The same error with a sentence and what to do, where it is one that is expected. */
export function explainStartFailure(error: unknown, options: UpOptions): unknown {
  // By name: the class would bring the whole control process along.
  if ((error as SerinRunsAlready).name === 'SerinRunsAlready') {
    return new CliError((error as SerinRunsAlready).message, {
      cause: error,
      hint: `serin apply -f PATH   to change what it runs, or: serin down --data ${shellPath(options.data)}`,
    })
  }
  const { code, port, address, path } = error as NodeJS.ErrnoException & { port?: number; address?: string }
  const place = port === undefined ? undefined : formatAddress({ host: address ?? '', port })
  if (code === 'EADDRINUSE' && place !== undefined) {
    const flag = port === options.console.port ? '--console' : '--api'
    return new CliError(`${place} is taken by another program (maybe another serin)`, {
      cause: error,
      hint: `serin up ${flag} 127.0.0.1:${port! + 10}`,
    })
  }
  if (code === 'EADDRNOTAVAIL' && place !== undefined) {
    return new CliError(`${place} is no address of this machine`, { cause: error })
  }
  if (code === 'EACCES' && place !== undefined) {
    return new CliError(`this user may not listen on ${place}`, { cause: error, hint: 'a port above 1023' })
  }
  if ((code === 'EACCES' || code === 'EROFS' || code === 'ENOTDIR') && path !== undefined) {
    return new CliError(`cannot write to ${path}: ${code}`, { cause: error, hint: 'serin up --data DIR' })
  }
  return error
}
