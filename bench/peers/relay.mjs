/** Octets from one socket to another and back, with nothing between: what Node's sockets, and libuv's handles below them, cost before any HTTP. */
import { join } from 'node:path'
import { start } from '../processes.mjs'

/** A relay does not look at what it carries: no log, no routes, no pool. */
const available = ({ log, routes, close, idle }) => !log && routes === 1 && !close && !idle

function relay(name, kind) {
  return {
    name,
    available,
    launch: ({ port, upstreamPort, cores }) =>
      start(process.execPath, [join(import.meta.dirname, '../relay.mjs'), String(port), String(upstreamPort), kind], {
        cores,
      }),
  }
}

export const net = relay('net relay', 'net')
export const handle = {
  ...relay('handle relay', 'handle'),
  available: (setting) => available(setting) && !setting.bodies,
}
