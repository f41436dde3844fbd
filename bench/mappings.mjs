/** Resources for the bench: a Listener, a Host, and Mappings to one service with a split of 10 %. */

export function mappings({ port, upstreamPort, routes }) {
  const service = `127.0.0.1:${upstreamPort}`
  const prefixes = [...Array.from({ length: routes - 1 }, (_, index) => `/route-${index}/`), '/helloworld/']
  return [
    resource('Listener', 'listener', {
      port,
      protocol: 'HTTP',
      securityModel: 'XFP',
      hostBinding: { namespace: { from: 'ALL' } },
    }),
    resource('Host', 'host', { hostname: '*', requestPolicy: { insecure: { action: 'Route' } } }),
    ...prefixes.flatMap((prefix, index) => [
      resource('Mapping', `route-${index}-v1`, { hostname: '*', prefix, rewrite: '/v1/', service }),
      resource('Mapping', `route-${index}-v2`, { hostname: '*', prefix, rewrite: '/v2/', service, weight: 10 }),
    ]),
  ]
}

function resource(kind, name, spec) {
  return { apiVersion: 'getambassador.io/v3alpha1', kind, metadata: { name, namespace: 'default' }, spec }
}
