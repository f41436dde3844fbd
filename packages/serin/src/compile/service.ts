/**
 * What `service:` of a Mapping names: `[scheme://]host[.namespace][:port]`, read as Emissary reads it:
 * what is wrong with it is reported, and the rest is used.
 */

export interface ServiceAddress {
  readonly scheme: 'http' | 'https'
  /** Lower case, qualified with the Mapping's namespace where Kubernetes would need it. */
  readonly host: string
  readonly port: number
  /** Whether the port was written. */
  readonly portGiven: boolean
  /** As written: what Emissary derives the names of statistics from. */
  readonly text: string
  /** Where the host is an IP address: that address. */
  readonly address?: string
  /** The Kubernetes Service that the host can mean, `namespace/name`. */
  readonly serviceKey?: string
  readonly problems: readonly string[]
}

export interface ServiceOptions {
  /** Of the Mapping. */
  readonly namespace: string
  /** Where an unqualified name is looked for without more: the gateway's own. */
  readonly gatewayNamespace: string
  /** Module's use_ambassador_namespace_for_service_resolution. */
  readonly useGatewayNamespace: boolean
}

const PORT_MAX = 65_535

/** Pure. */
export function parseService(service: string, options: ServiceOptions): ServiceAddress {
  const problems: string[] = []
  const [, schemeText = '', authority = ''] = /^(?:([A-Za-z][\w+.-]*):\/\/)?([^/?#]*)/.exec(service.trim()) ?? []
  const scheme = schemeText.toLowerCase()
  if (scheme !== '' && scheme !== 'http' && scheme !== 'https') {
    problems.push(`service "${service}" has the unknown scheme ${scheme}; http is assumed`)
  }
  const defaultPort = scheme === 'https' ? 443 : 80
  const [, bracketed, plain = '', portText] = /^(?:(\[[^\]]*\])|([^:]*))(?::(.*))?$/.exec(authority) ?? [
    '',
    '',
    authority,
  ]
  let host = (bracketed ?? plain).toLowerCase()
  if (host === '') {
    problems.push(`service "${service}" names no host`)
    host = 'unknown'
  }
  const port = readPort(portText, defaultPort)
  if (port === undefined)
    problems.push(`service "${service}" has no valid port: ${JSON.stringify(portText)}; ${defaultPort} is used`)
  host = qualify(host, options)
  const address = literalAddress(host)
  const serviceKey = address === undefined ? serviceKeyOf(host, options.gatewayNamespace) : undefined
  return {
    scheme: scheme === 'https' ? 'https' : 'http',
    host,
    port: port ?? defaultPort,
    portGiven: portText !== undefined && portText !== '',
    text: service.trim(),
    ...(address !== undefined && { address }),
    ...(serviceKey !== undefined && { serviceKey }),
    problems,
  }
}

/** Undefined: not a port. Empty and 0 mean the default, as in Emissary. */
function readPort(text: string | undefined, defaultPort: number): number | undefined {
  if (text === undefined || text === '' || text === '0') return defaultPort
  if (!/^\d+$/.test(text)) return undefined
  const port = Number(text)
  return port <= PORT_MAX ? port : undefined
}

/** Adds the namespace to a name without a dot where the Mapping lives elsewhere than the gateway. Pure. */
export function qualify(host: string, options: ServiceOptions): string {
  const whole = host.includes('.') || host.includes(':') || host === 'localhost'
  const here = options.useGatewayNamespace || options.namespace === options.gatewayNamespace
  return whole || here ? host : `${host}.${options.namespace}`
}

/** The Kubernetes Service that a host name can mean: `name`, `name.ns`, `name.ns.svc`, `name.ns.svc.cluster.local`. Pure. */
function serviceKeyOf(host: string, gatewayNamespace: string): string | undefined {
  const [name = '', namespace = gatewayNamespace, svc, ...zone] = host.replace(/\.$/, '').split('.')
  if (svc !== undefined && svc !== 'svc') return undefined
  if (zone.length > 0 && zone.join('.') !== 'cluster.local') return undefined
  return `${namespace}/${name}`
}

/** A literal IPv4 or bracketed IPv6 address. Pure. */
function literalAddress(host: string): string | undefined {
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(host)) return host
  return host.startsWith('[') ? host.slice(1, -1) : undefined
}
