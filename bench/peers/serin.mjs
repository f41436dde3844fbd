/** The gateway of this repository, with a Snapshot made by hand. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { start } from '../processes.mjs'

const supervisor = join(import.meta.dirname, '../../packages/serin/dist/src/gateway/supervisor.js')

export const name = 'serin'
export const available = () => existsSync(supervisor)

export function launch({ directory, port, upstreamPort, workers, cores, log, routes }) {
  const options = JSON.stringify({ directory, port, upstreamPort, workers, log, routes })
  return start(process.execPath, [join(import.meta.dirname, '../gateway.mjs'), options], { cores })
}
