/** What clients of a version are told with each answer, and when they are refused: the part that all adapters share. Pure. */

import { lifecycleOf, successorOf } from './catalogue.ts'
import type { Diagnostic, Origin } from './diagnostics.ts'
import {
  isAnnounced,
  lifecycleHeaders,
  mergeLifecycles,
  readLifecycle,
  refusalAt,
  type HeaderLine,
  type Lifecycle,
  type RoutePolicy,
} from './lifecycle.ts'
import { supportedVersions, type ApiPlan } from './plan.ts'
import { problem, type Problem } from './problems.ts'
import type { Declaration } from './table.ts'
import { formatVersion, type Version } from './version.ts'

/** A version's life for one route, and where its successor stands. */
export interface Life {
  readonly lifecycle: Lifecycle
  /** `/v2`; undefined: there is no later version with this route, or it has no URL. */
  readonly successorPrefix: string | undefined
}

/** The dates of a route, as its author wrote them. */
export function policyOf(options: RoutePolicy): RoutePolicy {
  const { deprecated, sunset, info, afterSunset } = options
  return {
    ...(deprecated === undefined ? {} : { deprecated }),
    ...(sunset === undefined ? {} : { sunset }),
    ...(info === undefined ? {} : { info }),
    ...(afterSunset === undefined ? {} : { afterSunset }),
  }
}

/** The life of a declaration in one version; what is wrong with its dates goes into `diagnostics`, once. */
export function lifeOf<Payload>(
  plan: ApiPlan<Payload>,
  declaration: Declaration<Payload>,
  {
    version,
    policy,
    diagnostics,
  }: { readonly version: Version; readonly policy: RoutePolicy; readonly diagnostics: Diagnostic[] },
): Life {
  const place = {
    subject: 'this route',
    route: `${declaration.method} ${declaration.path}`,
    origin: declaration.origin,
  }
  const found: Diagnostic[] = []
  const own = readLifecycle(policy, place, found)
  const lifecycle = mergeLifecycles(lifecycleOf(plan.catalogue, version), own)
  if (found.length === 0) checkMixedDates(lifecycle, own, { version, ...place }, found)
  const known = new Set(diagnostics.map((item) => `${item.route} ${item.message}`))
  diagnostics.push(...found.filter((item) => !known.has(`${item.route} ${item.message}`)))
  return {
    lifecycle,
    successorPrefix: isAnnounced(lifecycle) ? successorPrefix(plan, declaration, version) : undefined,
  }
}

interface DatePlace {
  readonly version: Version
  readonly route: string
  readonly origin: Origin | undefined
}

/** A route's date and its version's may contradict each other though each policy is sound by itself. */
function checkMixedDates(
  lifecycle: Lifecycle,
  own: Lifecycle,
  { version, route, origin }: DatePlace,
  found: Diagnostic[],
): void {
  const { deprecatedMs, sunsetMs } = lifecycle
  const mixed = own.deprecatedMs !== undefined || own.sunsetMs !== undefined
  if (!mixed || sunsetMs === undefined || deprecatedMs === undefined || sunsetMs >= deprecatedMs) return
  const day = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 10)
  const message = `with the dates of version ${version.text} it ends (sunset ${day(sunsetMs)}) before it is deprecated (${day(deprecatedMs)})`
  found.push({
    severity: 'error',
    code: 'sunset-before-deprecation',
    message,
    route,
    ...(origin === undefined ? {} : { origin }),
  })
}

/** The prefix of the next version that serves the same address and is to stay. */
function successorPrefix<Payload>(
  plan: ApiPlan<Payload>,
  { method, shape }: Declaration<Payload>,
  version: Version,
): string | undefined {
  const serving = plan.table.versions.filter(
    (item) =>
      item === version ||
      plan.table.served.get(item.text)?.some((other) => other.shape === shape && other.method === method),
  )
  const successor = successorOf(plan.catalogue, serving, version)
  return plan.addresses.find((address) => !address.latest && address.version.text === successor?.text)?.prefix
}

/** The request's own path with the version's segments replaced. `baseSegments`: how many stand before, the empty one included. */
export function successorPath(
  path: string,
  { baseSegments, from, to }: { readonly baseSegments: number; readonly from: string; readonly to: string },
): string {
  const segments = path.split('/')
  const width = from.split('/').length - 1
  return [...segments.slice(0, baseSegments), ...to.split('/').slice(1), ...segments.slice(baseSegments + width)].join(
    '/',
  )
}

/** The header that says which version answered; undefined: none does. */
export function echoHeader(
  { options, readers }: Pick<ApiPlan<unknown>, 'options' | 'readers'>,
  negotiated: boolean,
): string | undefined {
  const { echo = negotiated } = options
  if (echo === false) return undefined
  if (typeof echo === 'string') return echo
  const reader = readers.find(({ name }) => name.startsWith('header '))
  return reader === undefined ? 'api-version' : reader.name.slice('header '.length)
}

/** The lines that are the same for every answer of a version: which one it is, and its dates. */
export function fixedLines(
  plan: Pick<ApiPlan<unknown>, 'options' | 'readers'>,
  text: string,
  life: Life,
  negotiated: boolean,
): readonly HeaderLine[] {
  const name = echoHeader(plan, negotiated)
  const echo: readonly HeaderLine[] = name === undefined ? [] : [[name, text]]
  return [...echo, ...lifecycleHeaders(life.lifecycle)]
}

/** `Vary` with names added that are not in it yet (RFC 9110 §12.5.5). */
export function varyWith(before: string | undefined, names: string): string {
  if (before === undefined || before === '') return names
  const known = new Set(before.toLowerCase().split(/\s*,\s*/))
  if (known.has('*')) return before
  const missing = names.split(', ').filter((name) => !known.has(name))
  return missing.length === 0 ? before : `${before}, ${missing.join(', ')}`
}

export interface RefusedAnswer {
  readonly problem: Problem
  readonly headers: readonly HeaderLine[]
}

/** What a client gets instead of an answer while a version is switched off or gone; undefined: it is neither. */
export function refusedAnswer(plan: ApiPlan<unknown>, text: string, { lifecycle }: Life): RefusedAnswer | undefined {
  const now = plan.clock()
  const refusal = refusalAt(lifecycle, now)
  if (refusal === undefined) return undefined
  const { supported } = supportedVersions(plan)
  if (refusal.kind === 'sunset') {
    const detail = `Version ${text} has ended on ${new Date(refusal.sinceMs).toISOString().slice(0, 10)}.`
    return { problem: problem({ kind: 'sunset', detail, supported }, plan.options.problems), headers: [] }
  }
  const detail = `Version ${text} is switched off until ${new Date(refusal.untilMs).toISOString()}, to show that it will end; move to a newer one.`
  const retryAfter = String(Math.ceil((refusal.untilMs - now) / 1000))
  return {
    problem: problem({ kind: 'brownout', detail, supported }, plan.options.problems),
    headers: [['retry-after', retryAfter]],
  }
}

/** `api-supported-versions` and `api-deprecated-versions`, made anew when a date has passed. */
export function reporter(plan: Pick<ApiPlan<unknown>, 'table' | 'catalogue' | 'clock'>): () => readonly HeaderLine[] {
  const dates = [...plan.catalogue.lifecycles.values()].flatMap(({ deprecatedMs }) => deprecatedMs ?? [])
  let lines: readonly HeaderLine[] = []
  let validUntil = Number.NEGATIVE_INFINITY
  return () => {
    const now = plan.clock()
    if (now < validUntil) return lines
    const { supported, deprecated } = supportedVersions(plan)
    const first: HeaderLine = ['api-supported-versions', supported.join(', ')]
    lines = deprecated.length === 0 ? [first] : [first, ['api-deprecated-versions', deprecated.join(', ')]]
    validUntil = Math.min(...dates.filter((date) => date > now), Number.POSITIVE_INFINITY)
    return lines
  }
}

/** How a version is written in documents. */
export function labelOf({ options }: Pick<ApiPlan<unknown>, 'options'>, version: Version): string {
  return formatVersion(options.label ?? '{version}', version)
}
