/** Caddy. It cannot split and rewrite in one step as the others do: its share of 10 % goes by weighted upstreams, the rewrite is the same for both. */
import { installed, start } from '../processes.mjs'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const name = 'caddy'
export const available = ({ routes }) => installed('caddy') && routes === 1

export function launch({ directory, port, upstreamPort, workers, cores, log }) {
  const file = join(directory, 'Caddyfile')
  writeFileSync(file, config({ directory, port, upstreamPort, log }))
  const env = { GOMAXPROCS: String(workers), HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory }
  return start('caddy', ['run', '--config', file, '--adapter', 'caddyfile'], { cores, env })
}

function config({ directory, port, upstreamPort, log }) {
  return `
{
  admin off
  auto_https off
  log {
    output discard
  }
}
http://127.0.0.1:${port}, http://localhost:${port} {
  bind 127.0.0.1
  ${log ? `log {\n    output file ${join(directory, 'access.log')}\n  }` : ''}
  handle_path /helloworld/* {
    rewrite * /v1{uri}
    reverse_proxy {
      to 127.0.0.1:${upstreamPort} localhost:${upstreamPort}
      lb_policy weighted_round_robin 9 1
      transport http {
        keepalive_idle_conns_per_host 256
      }
    }
  }
}
`
}
