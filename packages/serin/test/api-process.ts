/** A server with a store of its own for tests: everything real, in this process. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { certificatesIn, type Certificates } from '../src/api/certificates.ts'
import { startApi, type Api, type ApiOptions } from '../src/api/server.ts'
import { openEmbeddedStore, type EmbeddedStore, type EmbeddedStoreOptions } from '../src/store/embedded.ts'

export const ADMIN = 'admin-token'
export const VIEWER = 'viewer-token'

export interface TestApi {
  readonly api: Api
  readonly store: EmbeddedStore
  readonly directory: string
  readonly certificates: Certificates
  close(): Promise<void>
}

let certificates: Certificates | undefined
let certificatesDirectory: string | undefined

/** One authority for all servers of a test file. */
async function sharedCertificates(): Promise<Certificates> {
  if (certificates !== undefined) return certificates
  certificatesDirectory = await mkdtemp(join(tmpdir(), 'serin-tls-'))
  certificates = certificatesIn(certificatesDirectory, [])
  const directory = certificatesDirectory
  process.on('exit', () => void rm(directory, { recursive: true, force: true }))
  return certificates
}

export async function openTestApi(
  options: Partial<ApiOptions> & { readonly storeOptions?: Partial<EmbeddedStoreOptions> } = {},
): Promise<TestApi> {
  const directory = await mkdtemp(join(tmpdir(), 'serin-api-'))
  const made = await sharedCertificates()
  const store = openEmbeddedStore({ directory: join(directory, 'store'), ...options.storeOptions })
  const api = await startApi({
    store,
    listen: { host: '127.0.0.1', port: 0 },
    tls: made,
    tokens: [
      { token: ADMIN, user: 'admin', role: 'admin' },
      { token: VIEWER, user: 'viewer', role: 'viewer' },
    ],
    ...options,
  })
  return {
    api,
    store,
    directory,
    certificates: made,
    async close() {
      await api.close()
      await store.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
