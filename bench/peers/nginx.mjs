/** nginx, set up as a careful operator would for this job: keep-alive to the upstream, no buffering to disk. */
import { installed, start } from '../processes.mjs'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const name = 'nginx'
export const available = () => installed('nginx')

export function launch({ directory, port, upstreamPort, workers, cores, log, routes }) {
  const file = join(directory, 'nginx.conf')
  writeFileSync(file, config({ directory, port, upstreamPort, workers, log, routes }))
  return start('nginx', ['-c', file, '-p', directory], { cores })
}

function config({ directory, port, upstreamPort, workers, log, routes }) {
  return `
daemon off;
worker_processes ${workers};
error_log ${directory}/error.log crit;
pid ${directory}/nginx.pid;
events { worker_connections 20000; }
http {
  log_format main 'ACCESS [$time_iso8601] "$request" $status $request_length $bytes_sent $request_time $upstream_response_time "$http_x_forwarded_for" "$http_user_agent" "$request_id" "$host" "$upstream_addr"';
  access_log ${log ? `${join(directory, 'access.log')} main buffer=32k flush=1s` : 'off'};
  ${['client', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_${kind === 'client' ? 'body_temp' : 'temp'}_path ${directory}/${kind};`).join(' ')}
  keepalive_requests 1000000;
  tcp_nodelay on;
  client_max_body_size 0;
  upstream backend { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 1000000; }
  split_clients $connection$connection_requests $version { 10% v2; * v1; }
  server {
    listen 127.0.0.1:${port} backlog=4096${workers > 1 ? ' reuseport' : ''};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Request-Id $request_id;
    proxy_request_buffering off;
    proxy_buffer_size 16k;
    proxy_buffers 8 16k;
    proxy_max_temp_file_size 0;
    ${Array.from({ length: routes - 1 }, (_, index) => location(`/route-${index}/`)).join('\n    ')}
    ${location('/helloworld/')}
  }
}
`
}

function location(prefix) {
  return `location ${prefix} { rewrite ^${prefix}(.*)$ /$version/$1 break; proxy_pass http://backend; }`
}
