/** The file that kubectl and every client library read to find this server. */
import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import { stringify } from 'yaml'

export interface KubeconfigEntry {
  readonly server: string
  /** PEM. */
  readonly authority: string
  readonly token: string
  readonly user: string
  readonly namespace?: string
}

/** Context, cluster and user are all called this. */
const KUBECONFIG_NAME = 'serin'

/** A `v1` Config as YAML. Pure. */
export function kubeconfigText({ server, authority, token, user, namespace }: KubeconfigEntry): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: KUBECONFIG_NAME,
        cluster: { server, 'certificate-authority-data': Buffer.from(authority).toString('base64') },
      },
    ],
    users: [{ name: user, user: { token } }],
    contexts: [
      { name: KUBECONFIG_NAME, context: { cluster: KUBECONFIG_NAME, user, namespace: namespace ?? 'default' } },
    ],
    'current-context': KUBECONFIG_NAME,
  })
}

/** Mode 0600; a reader sees the old file or the new one, nothing between. */
export function writeKubeconfig(path: string, entry: KubeconfigEntry): void {
  writeFileSync(`${path}.new`, kubeconfigText(entry), { mode: 0o600 })
  chmodSync(`${path}.new`, 0o600)
  renameSync(`${path}.new`, path)
}
