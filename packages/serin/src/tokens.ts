/** `DATA/tokens.json`: who may talk to the API. Made once, kept over restarts, readable for the owner only. */
import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'

import type { ApiToken } from './api/access.ts'

const TOKEN_BYTES = 32

const USERS: readonly Omit<ApiToken, 'token'>[] = [
  { user: 'admin', role: 'admin' },
  { user: 'viewer', role: 'viewer' },
  { user: 'system:serin:gateway', role: 'gateway' },
]

/** One token for each user there is; those that the file lacks are made. */
export function tokensIn(file: string): readonly ApiToken[] {
  const known = readTokens(file)
  const tokens = USERS.map(
    (user) =>
      known.find((token) => token.user === user.user) ?? {
        ...user,
        token: randomBytes(TOKEN_BYTES).toString('base64url'),
      },
  )
  if (tokens.some((token) => !known.includes(token))) {
    writeFileSync(`${file}.new`, `${JSON.stringify(tokens, undefined, 2)}\n`, { mode: 0o600 })
    renameSync(`${file}.new`, file)
  }
  return tokens
}

function readTokens(file: string): readonly ApiToken[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ApiToken[]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
