import type { Origin } from './origin.ts'

/** A port that is listened on. The address is the gateway's `--bind`, unless given. */
export interface Listener {
  readonly name: string
  readonly port: number
  readonly address?: string
  /** http: cleartext HTTP; https: TLS by SNI, and cleartext on the same port too (as Emissary); tcp, tls: TcpRoutes only. */
  readonly protocol: 'http' | 'https' | 'tcp' | 'tls'
  /** Which requests count as secure: xfp: x-forwarded-proto is https; secure: all; insecure: none. */
  readonly securityModel: 'xfp' | 'secure' | 'insecure'
  /** How many proxies in front are trusted in X-Forwarded-For and -Proto (Listener.l7Depth). */
  readonly trustedHops: number
  /** PROXY protocol expected before the first octet. */
  readonly proxyProtocol: boolean
  /** Names of the VirtualHosts served here. */
  readonly virtualHosts: readonly string[]
  /** Prefix of Envoy's statistics: `ingress_http`. */
  readonly statsPrefix: string
  readonly origin: Origin
}

/** A Host: a domain with its own set of Routes. Lookup: exact, then longest `*.suffix`, then longest `prefix.*`, then `*`; no fall-through to another. */
export interface VirtualHost {
  readonly name: string
  /** Lower case; a leading or trailing `*` is a glob. */
  readonly hostname: string
  readonly insecure: 'route' | 'redirect' | 'reject'
  readonly tls?: DownstreamTls
  readonly origin: Origin
}

export interface DownstreamTls {
  /** PEM. */
  readonly cert: string
  readonly key: string
  readonly ca?: string
  /** Revoked client certificates, PEM. */
  readonly crl?: string
  readonly clientCertRequired: boolean
  readonly minVersion?: 'v1.0' | 'v1.1' | 'v1.2' | 'v1.3'
  readonly maxVersion?: 'v1.0' | 'v1.1' | 'v1.2' | 'v1.3'
  readonly alpn: readonly string[]
  readonly cipherSuites?: readonly string[]
  readonly ecdhCurves?: readonly string[]
}
