/** One version of a Route with everything a request to it needs, as octets where it goes on the wire. */
import type { Destination, Forward, HeaderChanges } from '../model/destination.ts'
import type { Route } from '../model/route.ts'
import type { Meter } from '../metrics/meter.ts'
import { fieldText, octetsOf, targetText } from '../wire/octets.ts'
import type { ClusterState } from './cluster-state.ts'
import { type CompiledChanges, compileChanges } from './compiled-changes.ts'
import { Cors } from './cors.ts'
import type { PathRewrite } from './path-rewrite.ts'
import { compilePattern, compileSubstitution } from './pattern.ts'
import { type CompiledRedirect, compileRedirect } from './redirect.ts'
import type { CompiledShadow } from './shadow.ts'

/** What a Plan lends to its destinations. */
export interface DestinationNeeds {
  cluster(name: string): ClusterState | null
  meter(mapping: string, version: string): Meter
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
  readonly hidesServiceTime: boolean
  readonly cors: Cors | null
  readonly shadow: CompiledShadow | null
  /** It is copied for a shadow, or kept for another try. */
  readonly hasCompanions: boolean
  /** What the upstream is told to have for one try; 0: no limit. */
  readonly expectedTimeoutMs: number
  /** A header or a body of its own says `%REQ(:path)%`: the path has to be kept. */
  readonly needsPath: boolean
}

export type CompiledAction =
  | CompiledForward
  | CompiledRedirect
  | { readonly kind: 'respond'; readonly status: number; readonly body: string; readonly reason: string }

export interface CompiledDestination {
  readonly destination: Destination
  readonly share: number
  readonly caseSensitive: boolean
  readonly action: CompiledAction
  readonly meter: Meter
  /** `serin-version` and `serin-mapping` lines for responses, or null. */
  readonly versionLines: Uint8Array | null
  readonly privateCache: boolean
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
    versionLines: route.split.tellVersion
      ? octetsOf(`serin-version: ${fieldText(version)}\r\nserin-mapping: ${fieldText(mapping)}\r\n`)
      : null,
    privateCache: route.split.privateCache === true,
    isNamed: (name) => name === version || name === mapping || name === shortName,
  }
}

function compileAction({ action }: Destination, route: Route, needs: DestinationNeeds): CompiledAction {
  switch (action.kind) {
    case 'redirect':
      return compileRedirect(action, route)
    case 'respond':
      return action
    case 'forward':
      return {
        kind: 'forward',
        forward: action,
        cluster: needs.cluster(action.cluster)?.forPriority(action.priority) ?? null,
        rewrite: compileRewrite(action, route),
        host: action.host?.kind === 'literal' ? octetsOf(fieldText(action.host.value)) : null,
        autoHost: action.host?.kind === 'auto',
        requestChanges: compileChanges(action.requestHeaders),
        responseChanges: compileChanges(action.responseHeaders),
        hidesServiceTime: changesField(action.responseHeaders, 'x-envoy-upstream-service-time'),
        cors: action.cors ? new Cors(action.cors) : null,
        shadow: compileShadow(action, needs),
        hasCompanions: action.shadow !== undefined || action.retry !== undefined,
        expectedTimeoutMs: expectedTimeout(action),
        needsPath: needsPath(action),
      }
  }
}

function needsPath({ requestHeaders, responseHeaders, errorResponses }: Forward): boolean {
  const added = [...requestHeaders.add, ...responseHeaders.add].flatMap(({ value }) => value)
  const parts = [...added, ...errorResponses.flatMap(({ body }) => body)]
  return parts.some((part) => part.kind === 'operator' && part.argument?.toLowerCase().includes(':path') === true)
}

function compileShadow({ shadow, timeoutMs }: Forward, needs: DestinationNeeds): CompiledShadow | null {
  return shadow ? { shadow, cluster: needs.cluster(shadow.cluster), timeoutMs } : null
}

function expectedTimeout({ timeoutMs, retry }: Forward): number {
  const perTryMs = retry?.perTryTimeoutMs ?? 0
  return perTryMs > 0 && (timeoutMs === 0 || perTryMs < timeoutMs) ? perTryMs : timeoutMs
}

/** Whether a line of this name does not survive. */
function changesField({ add, remove }: HeaderChanges, name: string): boolean {
  return remove.includes(name) || add.some((change) => !change.append && change.name.toLowerCase() === name)
}

function compileRewrite({ rewrite }: Forward, { match }: Route): PathRewrite {
  switch (rewrite.kind) {
    case 'none':
      return { kind: 'none' }
    case 'prefix':
      if (match.path.kind === 'regex') return { kind: 'whole', value: targetText(rewrite.value) }
      return { kind: 'prefix', drop: match.path.value.length, value: targetText(rewrite.value) }
    case 'regex': {
      const pattern = compilePattern(rewrite.pattern, false, 'g')
      if (!pattern) return { kind: 'none' }
      return { kind: 'regex', pattern, substitution: compileSubstitution(targetText(rewrite.substitution)) }
    }
  }
}
