/** HAProxy. Its log goes to a syslog server only, so it takes no part in the case with a log; nor, for its limit of descriptors, in the one with idle connections. */
import { installed, start } from '../processes.mjs'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const name = 'haproxy'
export const available = ({ log, routes, idle }) => installed('haproxy') && !log && !idle && routes === 1

export function launch({ directory, port, upstreamPort, workers, cores }) {
  const file = join(directory, 'haproxy.cfg')
  writeFileSync(file, config({ port, upstreamPort, workers }))
  return start('haproxy', ['-f', file], { cores })
}

function config({ port, upstreamPort, workers }) {
  return `
global
  nbthread ${workers}
  maxconn 9000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind 127.0.0.1:${port} backlog 4096
  unique-id-format %{+X}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header x-request-id
  option forwardfor
  http-request set-header x-forwarded-proto http
  acl ours path_beg /helloworld/
  acl canary rand(100) lt 10
  http-request replace-path /helloworld/(.*) /v2/\\1 if ours canary
  http-request replace-path /helloworld/(.*) /v1/\\1 if ours
  use_backend service
backend service
  server one 127.0.0.1:${upstreamPort} pool-max-conn 256
`
}
