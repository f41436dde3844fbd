/** One version of a Route with everything a request to it needs, as octets where it goes on the wire. */
import type { Destination, Forward, HeaderChange, HeaderChanges, Redirect } from '../model/destination.ts'
import type { Route } from '../model/route.ts'
import type { Meter } from '../metrics/meter.ts'
import { nameHash } from '../wire/field-names.ts'
import { octetsOf } from '../wire/octets.ts'
import type { ClusterState } from './cluster-state.ts'
import { compilePattern, compileSubstitution } from './pattern.ts'

/** What a Plan lends to its destinations. */
export interface DestinationNeeds {
  cluster(name: string): ClusterState | null
  meter(mapping: string, version: string): Meter
}

/** How a path becomes the upstream's. */
export type PathRewrite =
  | { readonly kind: 'none' }
  /** The first `drop` characters give way to `value`. */
  | { readonly kind: 'prefix'; readonly drop: number; readonly value: string }
  /** The whole path gives way. */
  | { readonly kind: 'whole'; readonly value: string }
  | { readonly kind: 'regex'; readonly pattern: RegExp; readonly substitution: string }

export interface CompiledChanges {
  readonly add: readonly CompiledChange[]
  readonly remove: readonly FieldName[]
}

export interface FieldName {
  readonly lower: Uint8Array
  readonly hash: number
}

export interface CompiledChange extends FieldName {
  readonly change: HeaderChange
  /** `name: value` CRLF where the value is plain text; null where it has operators. */
  readonly line: Uint8Array | null
}

export interface CompiledForward {
  readonly kind: 'forward'
  readonly forward: Forward
  /** null: the Snapshot lacks it. */
  readonly cluster: ClusterState | null
  readonly rewrite: PathRewrite
  /** Host sent upstream; null: as received. */
  readonly host: Uint8Array | null
  readonly autoHost: boolean
  readonly requestChanges: CompiledChanges
  readonly responseChanges: CompiledChanges
}

export type CompiledAction =
  | CompiledForward
  | { readonly kind: 'redirect'; readonly redirect: Redirect }
  | { readonly kind: 'respond'; readonly status: number; readonly body: string; readonly reason: string }

export interface CompiledDestination {
  readonly destination: Destination
  readonly share: number
  readonly caseSensitive: boolean
  readonly action: CompiledAction
  readonly meter: Meter
  isNamed(name: string): boolean
}

export function compileDestination(
  destination: Destination,
  route: Route,
  needs: DestinationNeeds,
): CompiledDestination {
  const { mapping, version } = destination
  const shortName = mapping.slice(mapping.indexOf('/') + 1)
  return {
    destination,
    share: destination.share,
    caseSensitive: destination.caseSensitive,
    action: compileAction(destination, route, needs),
    meter: needs.meter(mapping, version),
    isNamed: (name) => name === version || name === mapping || name === shortName,
  }
}

function compileAction({ action }: Destination, route: Route, needs: DestinationNeeds): CompiledAction {
  switch (action.kind) {
    case 'redirect':
      return { kind: 'redirect', redirect: action }
    case 'respond':
      return action
    case 'forward':
      return {
        kind: 'forward',
        forward: action,
        cluster: needs.cluster(action.cluster),
        rewrite: compileRewrite(action, route),
        host: action.host?.kind === 'literal' ? octetsOf(action.host.value) : null,
        autoHost: action.host?.kind === 'auto',
        requestChanges: compileChanges(action.requestHeaders),
        responseChanges: compileChanges(action.responseHeaders),
      }
  }
}

function compileRewrite({ rewrite }: Forward, { match }: Route): PathRewrite {
  switch (rewrite.kind) {
    case 'none':
      return { kind: 'none' }
    case 'prefix':
      if (match.path.kind === 'regex') return { kind: 'whole', value: rewrite.value }
      return { kind: 'prefix', drop: match.path.value.length, value: rewrite.value }
    case 'regex': {
      const pattern = compilePattern(rewrite.pattern, false, 'g')
      if (!pattern) return { kind: 'none' }
      return { kind: 'regex', pattern, substitution: compileSubstitution(rewrite.substitution) }
    }
  }
}

function compileChanges(changes: HeaderChanges): CompiledChanges {
  return {
    add: changes.add.map(compileChange),
    remove: changes.remove.map((name) => fieldName(name)),
  }
}

function compileChange(change: HeaderChange): CompiledChange {
  const plain = change.value.every((part) => part.kind === 'text')
  const text = plain ? change.value.map((part) => (part.kind === 'text' ? part.text : '')).join('') : ''
  // What a person wrote must not be able to end a line (CVE-2022-35948 class); the compiler refuses it too.
  const line = plain ? octetsOf(`${clean(change.name)}: ${clean(text)}\r\n`) : null
  return { ...fieldName(change.name), change, line }
}

function fieldName(name: string): FieldName {
  const lower = octetsOf(name.toLowerCase())
  return { lower, hash: nameHash(lower) }
}

function clean(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\0\r\n]/gu, ' ')
}

/** The path for the upstream. */
export function rewritePath(rewrite: PathRewrite, path: string): string {
  switch (rewrite.kind) {
    case 'none':
      return path
    case 'prefix':
      return rewrite.value + path.slice(rewrite.drop)
    case 'whole':
      return rewrite.value
    case 'regex':
      return path.replace(rewrite.pattern, rewrite.substitution)
  }
}
