/** Envoy with what Emissary would tell it for the same Mappings. */
import { installed, start } from '../processes.mjs'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const name = 'envoy'
export const available = () => installed('envoy')

export function launch({ directory, port, upstreamPort, workers, cores, log, routes }) {
  const file = join(directory, 'envoy.json')
  writeFileSync(file, JSON.stringify(config({ directory, port, upstreamPort, log, routes })))
  return start('envoy', ['-c', file, '--concurrency', String(workers), '--disable-hot-restart', '-l', 'off'], { cores })
}

const address = (port) => ({ socket_address: { address: '127.0.0.1', port_value: port } })

function route(prefix) {
  const version = (rewrite) => ({
    match: { prefix },
    route: { cluster: 'service', prefix_rewrite: rewrite, timeout: '3s' },
  })
  return [
    {
      match: { prefix, runtime_fraction: { default_value: { numerator: 10, denominator: 'HUNDRED' } } },
      route: version('/v2/').route,
    },
    version('/v1/'),
  ]
}

function config({ directory, port, upstreamPort, log, routes }) {
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'ingress_http',
    use_remote_address: true,
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            ...Array.from({ length: routes - 1 }, (_, index) => route(`/route-${index}/`)).flat(),
            ...route('/helloworld/'),
          ],
        },
      ],
    },
    ...(log && {
      access_log: [
        {
          name: 'envoy.access_loggers.file',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
            path: join(directory, 'access.log'),
          },
        },
      ],
    }),
  }
  return {
    static_resources: {
      listeners: [
        {
          address: address(port),
          filter_chains: [
            { filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] },
          ],
        },
      ],
      clusters: [
        {
          name: 'service',
          type: 'STATIC',
          connect_timeout: '3s',
          circuit_breakers: {
            thresholds: [{ max_connections: 20000, max_pending_requests: 20000, max_requests: 20000 }],
          },
          load_assignment: {
            cluster_name: 'service',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(upstreamPort) } }] }],
          },
        },
      ],
    },
  }
}
