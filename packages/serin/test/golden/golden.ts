/**
 * Golden files: `NAME.yaml` holds resources, `NAME.expected.yaml` what the compiler makes of them, without what is the
 * default. `node scripts/golden.mjs` writes the second anew.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { stringify } from 'yaml'
import { createCompiler } from '../../src/compile/compile.ts'
import type { Cluster } from '../../src/model/cluster.ts'
import type { Forward } from '../../src/model/destination.ts'
import type { Listener } from '../../src/model/listener.ts'
import type { Route } from '../../src/model/route.ts'
import { DEFAULT_SETTINGS } from '../../src/model/settings.ts'
import type { KubeObject } from '../../src/resources/object.ts'
import { readManifest } from '../../src/resources/manifest.ts'

const directory: string = resolve(import.meta.dirname, '../../../test/golden')

export interface Golden {
  readonly name: string
  readonly objects: readonly KubeObject[]
  readonly expectedFile: string
}

const BASE = `
apiVersion: getambassador.io/v3alpha1
kind: Listener
metadata: {name: base, namespace: default}
spec: {port: 8080, protocol: HTTP, securityModel: XFP, hostBinding: {namespace: {from: ALL}}}
---
apiVersion: getambassador.io/v3alpha1
kind: Host
metadata: {name: base, namespace: default}
spec: {hostname: "*", requestPolicy: {insecure: {action: Route}}}
`

/** A file without a Host gets the usual Host and Listener. */
export function readGoldens(): Golden[] {
  const names = readdirSync(directory)
    .filter((file) => file.endsWith('.yaml') && !file.endsWith('.expected.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .toSorted()
  return names.map((name) => {
    const read = (text: string): KubeObject[] => readManifest(text).resources.map(({ object }) => object)
    const objects = read(readFileSync(join(directory, `${name}.yaml`), 'utf8'))
    const complete = objects.some(({ kind }) => kind === 'Host') ? objects : [...read(BASE), ...objects]
    return { name, objects: complete, expectedFile: join(directory, `${name}.expected.yaml`) }
  })
}

const FORWARD: Omit<Forward, 'cluster'> = {
  rewrite: { kind: 'prefix', value: '/' },
  requestHeaders: { add: [], remove: [] },
  responseHeaders: { add: [], remove: [] },
  timeoutMs: 3000,
  idleTimeoutMs: 300_000,
  upgrades: [],
  bypassAuth: false,
  rateLimits: [],
  priority: 'default',
  errorResponses: [],
}
const BREAKER = { connectionsMax: 1024, pendingRequestsMax: 1024, requestsMax: 1024, retriesMax: 3 }
const CLUSTER: Partial<Cluster> = {
  protocol: 'http1',
  balance: 'round-robin',
  connectTimeoutMs: 3000,
  limits: { default: BREAKER, high: BREAKER },
  healthChecks: [],
}
const LISTENER: Partial<Listener> = { trustedHops: 0, proxyProtocol: false }

/** What the compiler makes of it, as YAML. */
export function render({ objects }: Golden): string {
  const { snapshot, diagnostics } = createCompiler({ readFile: () => undefined }).compile({ objects })
  const document = {
    listeners: snapshot.listeners.map((listener) => without(listener, LISTENER)),
    virtualHosts: snapshot.virtualHosts.map((host) => without(host, {})),
    routes: snapshot.routes.map(renderRoute),
    tcpRoutes: snapshot.tcpRoutes.map((route) => without(route, {})),
    clusters: snapshot.clusters.map((cluster) => without(cluster, CLUSTER)),
    settings: without(snapshot.settings, DEFAULT_SETTINGS),
    diagnostics: diagnostics.map(({ severity, origin, path = [], message, expected, suggestion, notes = [] }) =>
      [
        `${severity} ${origin.kind} ${origin.name} ${path.join('.')}: ${message}`,
        expected && `expected ${expected}`,
        suggestion && `did you mean ${suggestion}`,
        ...notes,
      ]
        .filter((part) => part !== undefined)
        .join('; '),
    ),
  }
  return stringify(Object.fromEntries(Object.entries(document).filter(([, value]) => Object.keys(value).length > 0)), {
    lineWidth: 140,
    aliasDuplicateObjects: false,
  })
}

function renderRoute({ match, rank, virtualHosts, split }: Route): object {
  const { destinations, by, ...rest } = split
  return {
    match: without(match, { headers: [], query: [] }),
    rank: JSON.stringify(rank),
    virtualHosts: virtualHosts.join(', '),
    ...(by.kind !== 'random' && { by }),
    ...rest,
    destinations: destinations.map(({ mapping, version, share, caseSensitive, action }) => ({
      mapping,
      ...(mapping !== `default/${version}` && { version }),
      ...(share !== 10_000 && { share }),
      ...(!caseSensitive && { caseSensitive }),
      ...without(action, FORWARD),
    })),
  }
}

/** Drops what equals the default, and where a thing came from. */
function without(value: object, defaults: object): object {
  const known = defaults as Readonly<Record<string, unknown>>
  const entries = Object.entries(value).filter(
    ([name, entry]) => name !== 'origin' && JSON.stringify(entry) !== JSON.stringify(known[name]),
  )
  return Object.fromEntries(entries)
}
