/** The versions of an API with their lives: what `versions` says, read. Pure. */

import type { Diagnostic } from './diagnostics.ts'
import {
  isAnnounced,
  isDeprecated,
  noLifecycle,
  readLifecycle,
  type Lifecycle,
  type VersionPolicy,
} from './lifecycle.ts'
import type { KnownVersion, KnownVersionText } from './register.ts'
import { isNotAVersion, isPrerelease, parseVersion, type Version } from './version.ts'

/** A list of versions, or a table of their policies. Quote keys with a dot: as a number, `1.10` is `1.1`. */
export type VersionsOption = readonly KnownVersion[] | { readonly [Text in KnownVersionText]?: VersionPolicy }

export interface Catalogue {
  /** The versions as they were written; undefined: whatever the routes name. */
  readonly declared: readonly unknown[] | undefined
  /** By version text. */
  readonly lifecycles: ReadonlyMap<string, Lifecycle>
  readonly diagnostics: readonly Diagnostic[]
}

export function readCatalogue(option: VersionsOption | undefined): Catalogue {
  if (option === undefined) return { declared: undefined, lifecycles: new Map(), diagnostics: [] }
  if (Array.isArray(option)) return { declared: option, lifecycles: new Map(), diagnostics: [] }
  const diagnostics: Diagnostic[] = []
  const lifecycles = new Map<string, Lifecycle>()
  const entries = Object.entries(option as Readonly<Record<string, VersionPolicy>>)
  for (const [key, policy] of entries) {
    const version = parseVersion(key)
    if (isNotAVersion(version)) continue
    lifecycles.set(version.text, readLifecycle(policy, { subject: `version ${version.text}` }, diagnostics))
  }
  return { declared: entries.map(([key]) => key), lifecycles, diagnostics }
}

export function lifecycleOf(catalogue: Catalogue, version: Version): Lifecycle {
  const lifecycle = catalogue.lifecycles.get(version.text) ?? noLifecycle
  return isPrerelease(version) ? { ...lifecycle, preview: true } : lifecycle
}

export type VersionStatus = 'preview' | 'stable' | 'deprecated' | 'sunset'

export function statusOf(lifecycle: Lifecycle, nowMs: number): VersionStatus {
  if (lifecycle.sunsetMs !== undefined && lifecycle.sunsetMs <= nowMs) return 'sunset'
  if (isDeprecated(lifecycle, nowMs)) return 'deprecated'
  return lifecycle.preview ? 'preview' : 'stable'
}

/** The texts of the versions that are previews. */
export function previewsOf(catalogue: Catalogue, versions: readonly Version[]): ReadonlySet<string> {
  return new Set(versions.filter((item) => lifecycleOf(catalogue, item).preview).map((item) => item.text))
}

/** The version clients should move to from this one: the next that is neither a preview nor on its way out itself. */
export function successorOf(catalogue: Catalogue, versions: readonly Version[], version: Version): Version | undefined {
  const index = versions.findIndex((item) => item.text === version.text)
  return versions.slice(index + 1).find((item) => {
    const lifecycle = lifecycleOf(catalogue, item)
    return !lifecycle.preview && !isAnnounced(lifecycle)
  })
}
