/** What `versioned` takes. */

import type { KnownVersion } from '../core/register.ts'

export interface VersionedOptions {
  /** How a version is written in documents: a template. Default `{version}`. See `formatVersion` for the placeholders. */
  readonly label?: string
  /** Where a version stands in the URL: a template such as `/v{major}`, after the prefix of `register`. Default `/v{version}`. `''` for an API with one version. */
  readonly path?: string
  /** An address for the newest version that is no preview: `true` is `/latest`, a string is that path (`''`: no prefix). Default `false`. */
  readonly latest?: boolean | string
  /** All versions there are. Without it, every version that a route names is one. */
  readonly versions?: readonly KnownVersion[]
  /** The version of routes without `version`. It exists even if no route has it. Default 1, or the oldest date where versions are dates. */
  readonly default?: KnownVersion | 'neutral' | 'error'
}
