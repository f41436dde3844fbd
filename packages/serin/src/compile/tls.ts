/** TLSContexts and Secrets: certificates for Hosts, and TLS towards upstreams. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { UpstreamTls } from '../model/cluster.ts'
import type { DownstreamTls } from '../model/listener.ts'
import type { HostSpec, TlsContextSpec, TlsSpec } from '../resources/ambassador/types.ts'
import type { KubeObject } from '../resources/object.ts'
import { keyOf, namespaceOf, type Report } from './report.ts'

/** Reads a PEM file of the gateway's machine; undefined: it cannot be read. */
export type ReadFile = (path: string) => string | undefined

export interface TlsSources {
  /** Secrets by `namespace/name`. */
  readonly secrets: ReadonlyMap<string, KubeObject>
  /** TLSContexts by name: Emissary does not look at their namespaces. */
  readonly contexts: ReadonlyMap<string, TlsContextPlan>
  readonly readFile: ReadFile
}

export interface TlsContextPlan {
  readonly object: KubeObject
  readonly spec: TlsContextSpec
}

interface KeyPair {
  readonly cert: string
  readonly key: string
}

interface SecretObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
  readonly stringData?: Readonly<Record<string, string>>
}

export function secretsByKey(secrets: readonly KubeObject[]): Map<string, KubeObject> {
  return new Map(secrets.map((secret) => [keyOf(secret), secret]))
}

/** Of a Host with a tlsSecret; a tlsContext alone gives no TLS, as in Emissary. Undefined where there is none or it is unusable. */
export function downstreamTls(
  host: KubeObject,
  spec: HostSpec,
  sources: TlsSources,
  report: Report,
): DownstreamTls | undefined {
  const { tlsSecret, tlsContext } = spec
  const name = tlsSecret?.name
  if (name === undefined) {
    if (tlsContext?.name !== undefined) {
      report.warning('tls-context-alone', 'tlsContext without tlsSecret gives no TLS', {
        path: ['spec', 'tlsContext'],
        notes: ['Emissary does not speak TLS either'],
      })
    }
    return undefined
  }
  const namespace = tlsSecret?.namespace ?? namespaceOf(host)
  const pair = readKeyPair(`${namespace}/${name}`, sources, report, ['spec', 'tlsSecret', 'name'])
  if (pair === undefined) return undefined
  const context = tlsContext?.name === undefined ? undefined : sources.contexts.get(tlsContext.name)
  if (tlsContext?.name !== undefined && context === undefined) {
    report.warning('unknown-tls-context', `no TLSContext is named "${tlsContext.name}"`, {
      path: ['spec', 'tlsContext', 'name'],
    })
  }
  const settings: TlsSpec = { ...context?.spec, ...spec.tls }
  const home =
    context === undefined || spec.tls?.ca_secret !== undefined ? namespaceOf(host) : namespaceOf(context.object)
  const ca = readCa(settings, home, sources, report)
  const crl = readCrl(settings, home, sources, report)
  return {
    ...pair,
    ...(ca !== undefined && { ca }),
    ...(crl !== undefined && { crl }),
    clientCertRequired: settings.cert_required ?? false,
    ...(isVersion(settings.min_tls_version) && { minVersion: settings.min_tls_version }),
    ...(isVersion(settings.max_tls_version) && { maxVersion: settings.max_tls_version }),
    alpn: readAlpn(settings),
    ...(settings.cipher_suites !== undefined && { cipherSuites: settings.cipher_suites }),
    ...(settings.ecdh_curves !== undefined && { ecdhCurves: settings.ecdh_curves }),
  }
}

const VERSIONS: readonly string[] = ['v1.0', 'v1.1', 'v1.2', 'v1.3']

function isVersion(text: string | undefined): text is NonNullable<DownstreamTls['minVersion']> {
  return text !== undefined && VERSIONS.includes(text)
}

function readAlpn({ alpn_protocols: protocols }: TlsSpec): string[] {
  return (protocols ?? '').split(/[,\s]+/).filter((protocol) => protocol !== '')
}

/** TLS towards an upstream that a TLSContext describes; undefined where it holds no certificate, as in Emissary. */
export function upstreamTls(
  { object, spec }: TlsContextPlan,
  sources: TlsSources,
  report: Report,
): UpstreamTls | undefined {
  const pair = contextKeyPair({ object, spec }, sources, report)
  const ca = readCa(spec, namespaceOf(object), sources, report)
  const hasNothing =
    spec.secret === undefined &&
    spec.cert_chain_file === undefined &&
    spec.ca_secret === undefined &&
    spec.cacert_chain_file === undefined
  if (hasNothing) {
    report.error('no-certificate', 'the TLSContext names no certificate, so nothing can use it', {
      path: ['spec'],
      expected: 'secret, cert_chain_file, ca_secret or cacert_chain_file',
    })
  }
  if (pair === undefined && ca === undefined) return undefined
  return {
    ...(spec.sni !== undefined && { sni: spec.sni }),
    ...(ca !== undefined && { ca }),
    ...pair,
    verify: ca !== undefined,
    alpn: readAlpn(spec),
  }
}

function contextKeyPair({ object, spec }: TlsContextPlan, sources: TlsSources, report: Report): KeyPair | undefined {
  if (spec.secret !== undefined) {
    return readKeyPair(namedSecret(spec.secret, namespaceOf(object), spec), sources, report, ['spec', 'secret'])
  }
  const { cert_chain_file: certFile, private_key_file: keyFile } = spec
  if (certFile === undefined || keyFile === undefined) return undefined
  const cert = sources.readFile(certFile)
  const key = sources.readFile(keyFile)
  if (cert !== undefined && key !== undefined) return checkPair({ cert, key }, report, ['spec', 'cert_chain_file'])
  report.error('unreadable-file', `"${cert === undefined ? certFile : keyFile}" cannot be read`, {
    path: ['spec', cert === undefined ? 'cert_chain_file' : 'private_key_file'],
  })
  return undefined
}

interface Namespacing {
  readonly secret_namespacing?: boolean
}

/** `name.namespace`, unless secret_namespacing is off. */
function namedSecret(name: string, namespace: string, { secret_namespacing: namespacing = true }: Namespacing): string {
  const dot = name.lastIndexOf('.')
  return dot === -1 || !namespacing ? `${namespace}/${name}` : `${name.slice(dot + 1)}/${name.slice(0, dot)}`
}

function readKeyPair(key: string, sources: TlsSources, report: Report, path: readonly string[]): KeyPair | undefined {
  const secret = sources.secrets.get(key)
  if (secret === undefined) {
    report.error('unknown-secret', `no Secret "${key}"`, { path })
    return undefined
  }
  const cert = secretText(secret, 'tls.crt')
  const privateKey = secretText(secret, 'tls.key')
  if (cert !== undefined && privateKey !== undefined) return checkPair({ cert, key: privateKey }, report, path)
  report.error('bad-secret', `Secret "${key}" has no ${cert === undefined ? 'tls.crt' : 'tls.key'}`, { path })
  return undefined
}

function checkPair(pair: KeyPair, report: Report, path: readonly string[]): KeyPair | undefined {
  const problem = pairProblem(pair)
  if (problem === undefined) return pair
  report.error('bad-certificate', problem, { path })
  return undefined
}

function pairProblem({ cert, key }: KeyPair): string | undefined {
  try {
    const certificate = new X509Certificate(cert)
    return certificate.checkPrivateKey(createPrivateKey(key)) ? undefined : 'the key does not belong to the certificate'
  } catch (error) {
    return `this is no PEM certificate with its key: ${(error as Error).message}`
  }
}

function readCa(
  spec: TlsSpec & Namespacing,
  namespace: string,
  sources: TlsSources,
  report: Report,
): string | undefined {
  if (spec.cacert_chain_file !== undefined) {
    const text = sources.readFile(spec.cacert_chain_file)
    if (text === undefined)
      report.error('unreadable-file', `"${spec.cacert_chain_file}" cannot be read`, {
        path: ['spec', 'cacert_chain_file'],
      })
    return text
  }
  if (spec.ca_secret === undefined) return undefined
  const key = namedSecret(spec.ca_secret, namespace, spec)
  const secret = sources.secrets.get(key)
  const ca = secret === undefined ? undefined : (secretText(secret, 'tls.crt') ?? secretText(secret, 'ca.crt'))
  if (ca === undefined)
    report.error('unknown-secret', `no Secret "${key}" with a tls.crt`, { path: ['spec', 'ca_secret'] })
  return ca
}

/** Revoked client certificates: the Secret's crl.pem. */
function readCrl(
  spec: TlsSpec & Namespacing,
  namespace: string,
  sources: TlsSources,
  report: Report,
): string | undefined {
  if (spec.crl_secret === undefined) return undefined
  const key = namedSecret(spec.crl_secret, namespace, spec)
  const secret = sources.secrets.get(key)
  const crl = secret === undefined ? undefined : secretText(secret, 'crl.pem')
  if (crl === undefined)
    report.error('unknown-secret', `no Secret "${key}" with a crl.pem`, { path: ['spec', 'crl_secret'] })
  return crl
}

function secretText(secret: KubeObject, name: string): string | undefined {
  const { data, stringData } = secret as SecretObject
  const plain = stringData?.[name]
  if (plain !== undefined) return plain
  const encoded = data?.[name]
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8')
}

export const FALLBACK_SECRET = 'fallback-self-signed-cert'
