/** `serin gateway`: the gateway process, of `serin up` and of a cluster. */
import { cpus } from 'node:os'

import { parseHostPort } from '../host-port.ts'
import { type Invocation, usageError } from './command.ts'
import { CliError, EXIT } from './exit.ts'

export const WORKERS_MAX = 256

export async function gateway(invocation: Invocation): Promise<number> {
  const kubeconfig = invocation.string('kubeconfig') ?? process.env['KUBECONFIG']
  const metricsText = invocation.string('metrics')
  const metrics = metricsText === undefined ? undefined : parseHostPort(metricsText)
  if (metricsText !== undefined && metrics === undefined) {
    throw usageError(invocation.command, `--metrics takes HOST:PORT, not "${metricsText}"`)
  }
  const runDirectory = invocation.string('run-directory')
  const { runGateway, GatewayRunsAlready } = await import('../gateway-process.ts')
  try {
    await runGateway({
      ...(kubeconfig !== undefined && { kubeconfig }),
      bind: invocation.string('bind') ?? '127.0.0.1',
      workers: workersOf(invocation),
      ...(metrics !== undefined && { metrics }),
      ...(runDirectory !== undefined && { runDirectory }),
    })
    return EXIT.done
  } catch (error) {
    if (error instanceof GatewayRunsAlready) throw new CliError(error.message, { cause: error })
    throw error
  }
}

/** --workers, else one for each core. */
export function workersOf(invocation: Invocation): number {
  return invocation.integer('workers', { min: 1, max: WORKERS_MAX }) ?? Math.min(cpus().length, WORKERS_MAX)
}
