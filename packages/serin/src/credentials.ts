/** What clients of the API need, made before anything listens: certificates, tokens, and the kubeconfigs that hold them. */
import type { ApiToken, Role } from './api/access.ts'
import { type Certificates, certificatesIn } from './api/certificates.ts'
import { writeKubeconfig } from './api/kubeconfig.ts'
import type { DataDirectory } from './data-directory.ts'
import { formatAddress, type HostPort, isLoopback } from './host-port.ts'
import { tokensIn } from './tokens.ts'

export interface Credentials {
  readonly tls: Certificates
  readonly tokens: readonly ApiToken[]
  /** Names beside localhost that the certificate is for. */
  readonly hosts: readonly string[]
  /** `https://127.0.0.1:6440`. */
  readonly server: string
  /** The certificate as it has to be now; another one when it was renewed. */
  renewed(): Certificates
}

/** @param api where the API is going to listen: a definite port */
export function prepareCredentials(data: DataDirectory, api: HostPort): Credentials {
  const hosts = isLoopback(api.host) ? [] : [api.host]
  const renewed = (): Certificates => certificatesIn(data.certificates, hosts)
  const tls = renewed()
  const tokens = tokensIn(data.tokens)
  const server = `https://${formatAddress(api)}`
  const write = (file: string, role: Role): void => {
    const { token = '', user = '' } = tokens.find((one) => one.role === role) ?? {}
    writeKubeconfig(file, { server, authority: tls.authority, token, user })
  }
  write(data.kubeconfig, 'admin')
  write(data.gatewayKubeconfig, 'gateway')
  return { tls, tokens, hosts, server, renewed }
}
