/** Small Snapshots for tests of the gateway. */
import type { Cluster } from '../../src/model/cluster.ts'
import type { Destination, Forward } from '../../src/model/destination.ts'
import type { Listener, VirtualHost } from '../../src/model/listener.ts'
import type { RouteMatch } from '../../src/model/match.ts'
import type { Origin } from '../../src/model/origin.ts'
import type { Route } from '../../src/model/route.ts'
import { DEFAULT_SETTINGS, type Settings } from '../../src/model/settings.ts'
import { EMPTY_SNAPSHOT, type Snapshot } from '../../src/model/snapshot.ts'
import { SHARE_WHOLE, type Split } from '../../src/model/split.ts'

export const ORIGIN: Origin = { kind: 'Mapping', namespace: 'default', name: 'test' }

export function listener(name: string, changes: Partial<Listener> = {}): Listener {
  return {
    name,
    port: 0,
    protocol: 'http',
    securityModel: 'xfp',
    trustedHops: 0,
    proxyProtocol: false,
    virtualHosts: ['*'],
    statsPrefix: 'ingress_http',
    origin: ORIGIN,
    ...changes,
  }
}

export function virtualHost(name = '*', changes: Partial<VirtualHost> = {}): VirtualHost {
  return { name, hostname: name, insecure: 'route', origin: ORIGIN, ...changes }
}

/** Endpoints are ports of 127.0.0.1. */
export function cluster(name: string, ports: readonly number[], changes: Partial<Cluster> = {}): Cluster {
  const breaker = { connectionsMax: 1024, pendingRequestsMax: 1024, requestsMax: 1024, retriesMax: 3 }
  return {
    name,
    statName: name,
    source: {
      kind: 'endpoints',
      endpoints: ports.map((port) => ({ id: `127.0.0.1:${port}`, address: '127.0.0.1', port })),
    },
    protocol: 'http1',
    balance: 'round-robin',
    connectTimeoutMs: 3000,
    limits: { default: breaker, high: breaker },
    healthChecks: [],
    origin: ORIGIN,
    ...changes,
  }
}

export function forward(clusterName: string, changes: Partial<Forward> = {}): { readonly kind: 'forward' } & Forward {
  return {
    kind: 'forward',
    cluster: clusterName,
    rewrite: { kind: 'none' },
    requestHeaders: { add: [], remove: [] },
    responseHeaders: { add: [], remove: [] },
    timeoutMs: 15_000,
    idleTimeoutMs: 300_000,
    upgrades: [],
    bypassAuth: false,
    rateLimits: [],
    priority: 'default',
    errorResponses: [],
    ...changes,
  }
}

export function destination(
  version: string,
  share: number,
  action: Destination['action'],
  changes: Partial<Destination> = {},
): Destination {
  return { mapping: `default/${version}`, version, share, caseSensitive: true, action, origin: ORIGIN, ...changes }
}

/** A Route in Ambassador's order by the length of its path, for one version with everything unless `split` says more. */
export function route(
  id: string,
  path: RouteMatch['path'],
  split: Split | Destination['action'],
  changes: Partial<Route> = {},
): Route {
  return {
    id,
    virtualHosts: ['*'],
    rank: [0, path.value.length, 0, 0, path.value],
    match: { path, headers: [], query: [] },
    split: 'by' in split ? split : { by: { kind: 'random' }, destinations: [destination(id, SHARE_WHOLE, split)] },
    origin: ORIGIN,
    ...changes,
  }
}

export function settings(changes: Partial<Settings> = {}): Settings {
  return { ...DEFAULT_SETTINGS, ...changes }
}

export function snapshot(revision: number, parts: Partial<Snapshot>): Snapshot {
  return { ...EMPTY_SNAPSHOT, listeners: [listener('http')], virtualHosts: [virtualHost()], ...parts, revision }
}
