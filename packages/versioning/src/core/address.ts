/** Where a version stands in the URL: `/v{major}` → `/v2`. Pure. */

import type { Diagnostic } from './diagnostics.ts'
import {
  compareVersions,
  formatVersion,
  isPrerelease,
  knownPlaceholders,
  unknownPlaceholders,
  type Version,
} from './version.ts'

export interface Address {
  readonly version: Version
  /** Between the register prefix and the route: `/v2`, `/latest`, or `` for none. */
  readonly prefix: string
  /** Whether it is the moving name of the latest version. */
  readonly latest: boolean
}

export interface AddressOptions {
  /** Template of the segment; `''` is allowed for an API with one version. */
  readonly path: string
  /** `true`: `/latest`; a string: there; `false`: nowhere. */
  readonly latest: boolean | string
  readonly previews: ReadonlySet<string>
}

/** The newest version that is neither a pre-release nor marked as a preview. */
export function latestOf(versions: readonly Version[], previews: ReadonlySet<string>): Version | undefined {
  const stable = versions.filter((item) => !isPrerelease(item) && !previews.has(item.text))
  return [...stable].sort(compareVersions).at(-1)
}

/** One address for each version, and one for the latest. */
export function addressesOf(
  versions: readonly Version[],
  options: AddressOptions,
): { readonly addresses: readonly Address[]; readonly diagnostics: readonly Diagnostic[] } {
  const problems = templateProblems(options.path, versions)
  if (problems.length > 0) return { addresses: [], diagnostics: problems }
  const own = versions.map((version) => ({ version, prefix: formatVersion(options.path, version), latest: false }))
  const latest = latestAddress(versions, options)
  const addresses = [...own, ...(latest.address === undefined ? [] : [latest.address])]
  return { addresses, diagnostics: [...latest.diagnostics, ...collisions(addresses)] }
}

function templateProblems(path: string, versions: readonly Version[]): readonly Diagnostic[] {
  const scheme = versions[0]?.scheme ?? 'number'
  const unknown = unknownPlaceholders(path, scheme).map(
    (name) => `'path' holds {${name}}; known are ${knownPlaceholders(scheme)}`,
  )
  return [...unknown, ...pathProblems('path', path)].map(badTemplate)
}

function pathProblems(name: string, path: string): readonly string[] {
  if (path !== '' && !path.startsWith('/'))
    return [`'${name}' is ${JSON.stringify(path)}: it has to begin with a slash, or be empty`]
  if (path.endsWith('/'))
    return [`'${name}' is ${JSON.stringify(path)}: it must not end with a slash, the routes bring their own`]
  if (/[?#*:\s]/.test(path))
    return [`'${name}' is ${JSON.stringify(path)}: a prefix holds no parameters, wildcards, queries or white space`]
  return []
}

function latestAddress(versions: readonly Version[], { latest, previews }: AddressOptions) {
  const none: { address: Address | undefined; diagnostics: readonly Diagnostic[] } = {
    address: undefined,
    diagnostics: [],
  }
  if (latest === false || versions.length === 0) return none
  const prefix = latest === true ? '/latest' : latest
  const problems = pathProblems('latest', prefix)
  if (problems.length > 0) return { ...none, diagnostics: problems.map(badTemplate) }
  const version = latestOf(versions, previews)
  if (version !== undefined) return { address: { version, prefix, latest: true }, diagnostics: [] }
  const message = `'latest' has no version to stand for: all versions are previews`
  return { ...none, diagnostics: [{ severity: 'error', code: 'latest-of-nothing', message }] satisfies Diagnostic[] }
}

function collisions(addresses: readonly Address[]): readonly Diagnostic[] {
  const seen = new Map<string, Address>()
  return addresses.flatMap((address) => {
    const other = seen.get(address.prefix)
    seen.set(address.prefix, other ?? address)
    if (other === undefined) return []
    const name = address.latest ? 'the latest version' : `version ${address.version.text}`
    const place = address.prefix === '' ? `no prefix` : `the prefix ${address.prefix}`
    const message = `version ${other.version.text} and ${name} both have ${place}; give 'path' the placeholders that tell them apart`
    return [{ severity: 'error', code: 'same-address', message } satisfies Diagnostic]
  })
}

function badTemplate(message: string): Diagnostic {
  return { severity: 'error', code: 'bad-template', message }
}
