/** Certificates as OpenSSL wants them, made when first needed and kept as long as the Snapshot's object lives: a new one is used from the next handshake on. */
import { createSecureContext, type SecureContext, type SecureContextOptions, type SecureVersion } from 'node:tls'
import type { UpstreamTls } from '../model/cluster.ts'
import type { DownstreamTls } from '../model/listener.ts'

const VERSIONS: Readonly<Record<NonNullable<DownstreamTls['minVersion']>, SecureVersion>> = {
  'v1.0': 'TLSv1',
  'v1.1': 'TLSv1.1',
  'v1.2': 'TLSv1.2',
  'v1.3': 'TLSv1.3',
}
/** A list of cipher suites speaks of TLS 1.2; these of 1.3 stay, as in Envoy. */
const SUITES_OF_1_3 = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'
/** OpenSSL 3 speaks TLS 1.0 and 1.1 only so. */
const OLD_SUITES = 'DEFAULT@SECLEVEL=0'

const downstream = new WeakMap<DownstreamTls, SecureContext | null>()
const upstream = new WeakMap<UpstreamTls, SecureContext | null>()

/** Null: OpenSSL takes it not (the compiler has looked at it, so this is rare); nobody can connect then. */
export function downstreamContext(tls: DownstreamTls): SecureContext | null {
  let context = downstream.get(tls)
  if (context === undefined) downstream.set(tls, (context = made(downstreamOptions(tls))))
  return context
}

export function upstreamContext(tls: UpstreamTls): SecureContext | null {
  let context = upstream.get(tls)
  if (context === undefined) {
    const { ca, cert, key } = tls
    context = made({
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
    })
    upstream.set(tls, context)
  }
  return context
}

function downstreamOptions(tls: DownstreamTls): SecureContextOptions {
  const { minVersion = 'v1.2', maxVersion = 'v1.3' } = tls
  const ciphers = ciphersOf(tls, minVersion)
  return {
    cert: tls.cert,
    key: tls.key,
    honorCipherOrder: true,
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.crl !== undefined && { crl: tls.crl }),
    minVersion: VERSIONS[minVersion],
    maxVersion: VERSIONS[maxVersion],
    ...(ciphers !== undefined && { ciphers }),
    ...(tls.ecdhCurves !== undefined && { ecdhCurve: tls.ecdhCurves.join(':') }),
  }
}

function ciphersOf({ cipherSuites }: DownstreamTls, minVersion: string): string | undefined {
  // BoringSSL's groups of equal preference have no like in OpenSSL.
  const own = cipherSuites?.map((suite) => suite.replaceAll(/[[\]]/gu, '').replaceAll('|', ':'))
  if (own !== undefined && own.length > 0) return `${SUITES_OF_1_3}:${own.join(':')}`
  return minVersion === 'v1.0' || minVersion === 'v1.1' ? `${SUITES_OF_1_3}:${OLD_SUITES}` : undefined
}

function made(options: SecureContextOptions): SecureContext | null {
  try {
    return createSecureContext(options)
  } catch {
    return null
  }
}
