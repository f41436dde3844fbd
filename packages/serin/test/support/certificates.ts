/** Certificates for tests, each signed by an authority of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { certificatesIn } from '../../src/api/certificates.ts'

export interface TestCertificate {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** For `localhost`, 127.0.0.1 and `names`. */
export function certificate(...names: readonly string[]): TestCertificate {
  const directory = mkdtempSync(join(tmpdir(), 'serin-certificates-'))
  try {
    const { authority, certificate: cert, key } = certificatesIn(directory, names)
    return { ca: authority, cert, key }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
