/** The remote store against the real API over HTTPS keeps the same contract as the embedded one. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { certificatesIn } from '../src/api/certificates.ts'
import { kubeconfigText } from '../src/api/kubeconfig.ts'
import { startApi } from '../src/api/server.ts'
import { ConfigMap } from '../src/resources/kinds.ts'
import { openEmbeddedStore } from '../src/store/embedded.ts'
import { readKubeconfig } from '../src/store/kubeconfig.ts'
import { openRemoteStore, type RemoteStore } from '../src/store/remote.ts'
import { StoreError } from '../src/store/store.ts'
import { storeContract } from './store-contract.ts'

interface Served {
  readonly store: RemoteStore
  readonly kubeconfig: string
  readonly port: number
  readonly close: () => Promise<void>
}

async function serve(port = 0, directory: string = mkdtempSync(join(tmpdir(), 'serin-remote-'))): Promise<Served> {
  const embedded = openEmbeddedStore({ directory: join(directory, 'store') })
  const tls = certificatesIn(join(directory, 'certificates'), [])
  const tokens = [{ token: 'secret', user: 'admin', role: 'admin' }] as const
  const api = await startApi({ store: embedded, listen: { host: '127.0.0.1', port }, tls, tokens })
  const kubeconfig = join(directory, 'kubeconfig')
  writeFileSync(
    kubeconfig,
    kubeconfigText({ server: api.url, authority: tls.authority, token: 'secret', user: 'admin' }),
  )
  const store = openRemoteStore(readKubeconfig(kubeconfig))
  return {
    store,
    kubeconfig,
    port: api.address.port,
    close: async () => {
      store.close()
      await api.close()
      await embedded.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

storeContract('remote', async () => {
  const { store, close } = await serve()
  return { store, close }
})

describe('a remote store', () => {
  test('says that the API is away as an error that can be waited out', async () => {
    const { store, close } = await serve()
    await close()
    await assert.rejects(
      store.list(ConfigMap),
      (error) => error instanceof StoreError && error.reason === 'ServiceUnavailable',
    )
  })

  test('with a wrong token is told so', async () => {
    const { kubeconfig, close } = await serve()
    try {
      const stranger = openRemoteStore({ ...readKubeconfig(kubeconfig), token: 'wrong' })
      await assert.rejects(
        stranger.list(ConfigMap),
        (error) => error instanceof StoreError && error.reason === 'Unauthorized',
      )
      stranger.close()
    } finally {
      await close()
    }
  })
})

describe('a kubeconfig', () => {
  const directory = mkdtempSync(join(tmpdir(), 'serin-kubeconfig-'))
  const write = (text: string): string => {
    const file = join(directory, 'kubeconfig')
    writeFileSync(file, text)
    return file
  }
  const config = (user: string): string => `
current-context: here
contexts: [{name: here, context: {cluster: one, user: me, namespace: shop}}]
clusters: [{name: one, cluster: {server: "https://127.0.0.1:1/", certificate-authority: ca.crt}}]
users: [{name: me, user: ${user}}]
`
  writeFileSync(join(directory, 'ca.crt'), 'PEM')
  writeFileSync(join(directory, 'token'), 'abc')

  test('may name files, relative to itself', () => {
    const connection = readKubeconfig(write(config('{tokenFile: token}')))
    assert.equal(connection.server, 'https://127.0.0.1:1')
    assert.equal(connection.ca, 'PEM')
    assert.equal(connection.tokenFile, join(directory, 'token'))
    assert.equal(connection.namespace, 'shop')
  })

  test('that cannot be used says why', () => {
    assert.throws(() => readKubeconfig(write(config('{exec: {command: aws}}'))), /plugin/)
    assert.throws(() => readKubeconfig(write('{}')), /no context/)
    assert.throws(() => readKubeconfig(write(config('{token: x}')), 'elsewhere'), /no context "elsewhere"/)
  })

  test.after(() => rmSync(directory, { recursive: true, force: true }))
})
