/** How an API server is reached: from a kubeconfig file, or inside a pod of a cluster from what the cluster puts there. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'

export interface Connection {
  /** Without a slash at the end. */
  readonly server: string
  /** PEM; absent: the authorities that Node trusts. */
  readonly ca?: string
  /** PEM of a client's certificate and key. */
  readonly cert?: string
  readonly key?: string
  readonly token?: string
  /** Read anew for every request, because it is replaced while it is used. */
  readonly tokenFile?: string
  /** The name the certificate has to be for, when it is not the server's. */
  readonly serverName?: string
  /** The certificate is not looked at. */
  readonly insecure?: boolean
  readonly namespace: string
}

interface Named {
  readonly name: string
}

interface Kubeconfig {
  readonly 'current-context'?: string
  readonly contexts?: readonly (Named & { context?: { cluster?: string; user?: string; namespace?: string } })[]
  readonly clusters?: readonly (Named & { cluster?: Readonly<Record<string, unknown>> })[]
  readonly users?: readonly (Named & { user?: Readonly<Record<string, unknown>> })[]
}

const IN_CLUSTER = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Of the current context, or of the one that is named. Throws an Error that says what is missing. */
export function readKubeconfig(path: string, contextName?: string): Connection {
  const config = (parse(readFileSync(path, 'utf8')) ?? {}) as Kubeconfig
  const wanted = contextName ?? config['current-context'] ?? ''
  const context = find(config.contexts, wanted)?.context
  if (context === undefined) throw new Error(`${path} has no context "${wanted}"`)
  const cluster = find(config.clusters, context.cluster ?? '')?.cluster
  const server = text(cluster?.['server'])
  if (cluster === undefined || server === undefined)
    throw new Error(`${path}: context "${wanted}" names no cluster with a server`)
  const user = find(config.users, context.user ?? '')?.user ?? {}
  if (user['exec'] !== undefined || user['auth-provider'] !== undefined) {
    throw new Error(
      `${path}: user "${context.user}" logs in with a plugin, which serin does not run; use a token or a certificate`,
    )
  }
  const read = (from: Readonly<Record<string, unknown>>, name: string): string | undefined =>
    pem(from, name, dirname(path))
  const tokenFile = text(user['tokenFile'])
  return defined({
    server: server.replace(/\/+$/, ''),
    ca: read(cluster, 'certificate-authority'),
    cert: read(user, 'client-certificate'),
    key: read(user, 'client-key'),
    token: text(user['token']),
    tokenFile: tokenFile === undefined ? undefined : resolve(dirname(path), tokenFile),
    serverName: text(cluster['tls-server-name']),
    insecure: cluster['insecure-skip-tls-verify'] === true ? true : undefined,
    namespace: context.namespace ?? 'default',
  })
}

/** What a pod of a cluster finds; undefined outside of one. */
export function inClusterConnection(): Connection | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env
  if (host === undefined || port === undefined || !existsSync(`${IN_CLUSTER}/token`)) return undefined
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: readFileSync(`${IN_CLUSTER}/ca.crt`, 'utf8'),
    tokenFile: `${IN_CLUSTER}/token`,
    namespace: readFileSync(`${IN_CLUSTER}/namespace`, 'utf8').trim(),
  }
}

function find<T extends Named>(list: readonly T[] | undefined, name: string): T | undefined {
  return list?.find((entry) => entry.name === name)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** `NAME-data` in base64, or `NAME` as a path relative to the file. */
function pem(from: Readonly<Record<string, unknown>>, name: string, directory: string): string | undefined {
  const data = text(from[`${name}-data`])
  if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8')
  const file = text(from[name])
  return file === undefined ? undefined : readFileSync(resolve(directory, file), 'utf8')
}

function defined<T extends object>(object: { [Key in keyof T]: T[Key] | undefined }): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T
}
