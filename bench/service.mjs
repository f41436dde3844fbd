/** The service behind the proxies: nginx with a fixed answer where it is installed, because it leaves most of the core to the load; else, and for bodies, our own. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { installed, start } from './processes.mjs'

export function startService({ directory, port, bodies, cores }) {
  if (bodies || !installed('nginx')) {
    return start(process.execPath, [join(import.meta.dirname, 'upstream.mjs'), String(port)], { cores })
  }
  const file = join(directory, `service-${port}.conf`)
  writeFileSync(file, config({ directory, port }))
  return start('nginx', ['-c', file, '-p', directory], { cores })
}

function config({ directory, port }) {
  return `
daemon off;
worker_processes 1;
pid ${directory}/service-${port}.pid;
error_log ${directory}/service.log crit;
events { worker_connections 9000; }
http {
  access_log off;
  client_body_temp_path ${directory}/service-body;
  keepalive_requests 100000000;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { default_type application/json; return 200 '{"message":"Hello World"}'; }
  }
}
`
}
