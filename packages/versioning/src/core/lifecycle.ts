/** A version's life: preview, stable, deprecated, with an end. What is told to clients about it, and when it stops answering. Pure. */

import type { Diagnostic, Origin } from './diagnostics.ts'

/** A moment: a date (`2026-12-31`, midnight UTC), an ISO 8601 time with its zone, or a `Date`. */
export type Moment = string | Date

export interface RoutePolicy {
  /** Since when (it may be to come) clients should move on: `Deprecation` (RFC 9745), and `deprecated` in the OpenAPI document. */
  readonly deprecated?: Moment
  /** When it is expected to stop answering: `Sunset` (RFC 8594). Not before `deprecated`. */
  readonly sunset?: Moment
  /** A page that says what to do; given as `Link` with the relations `deprecation` and `sunset`. */
  readonly info?: string
  /** `'gone'`: once `sunset` has passed, every request is answered 410. Default: it is only announced. */
  readonly afterSunset?: 'gone' | 'serve'
}

/** A short outage on purpose, before the end, so that clients who read no mail notice. */
export interface Brownout {
  readonly from: Moment
  readonly until: Moment
}

export interface VersionPolicy extends RoutePolicy {
  /** A preview is never the latest version, and is served to those only who ask for it by name. Default `stable`. */
  readonly status?: 'stable' | 'preview'
  readonly brownouts?: readonly Brownout[]
}

interface Span {
  readonly fromMs: number
  readonly untilMs: number
}

/** A policy that has been read. Times in milliseconds since 1970. */
export interface Lifecycle {
  readonly preview: boolean
  readonly deprecatedMs: number | undefined
  readonly sunsetMs: number | undefined
  readonly info: string | undefined
  readonly goneAfterSunset: boolean
  readonly brownouts: readonly Span[]
}

export const noLifecycle: Lifecycle = Object.freeze({
  preview: false,
  deprecatedMs: undefined,
  sunsetMs: undefined,
  info: undefined,
  goneAfterSunset: false,
  brownouts: [],
})

/** Where a policy stands, for messages. */
export interface PolicyPlace {
  /** `version 1` or `this route`. */
  readonly subject: string
  readonly route?: string
  readonly origin?: Origin | undefined
}

/** Reads a policy; what is wrong with it goes into `diagnostics`. */
export function readLifecycle(policy: VersionPolicy, place: PolicyPlace, diagnostics: Diagnostic[]): Lifecycle {
  const report = (code: Diagnostic['code'], message: string): void => {
    const { origin, route } = place
    diagnostics.push({
      severity: 'error',
      code,
      message,
      ...(route === undefined ? {} : { route }),
      ...(origin === undefined ? {} : { origin }),
    })
  }
  const moment = (name: string, value: Moment | undefined): number | undefined => {
    if (value === undefined) return undefined
    const time = readMoment(value)
    if (time !== undefined) return time
    report(
      'bad-lifecycle',
      `'${name}' of ${place.subject} is ${String(value)}: expected a date such as '2026-12-31' or a time such as '2026-12-31T10:00Z'`,
    )
    return undefined
  }
  const lifecycle = {
    preview: policy.status === 'preview',
    deprecatedMs: moment('deprecated', policy.deprecated),
    sunsetMs: moment('sunset', policy.sunset),
    info: policy.info,
    goneAfterSunset: policy.afterSunset === 'gone',
    brownouts: (policy.brownouts ?? []).flatMap((item) => readBrownout(item, moment, place.subject, report)),
  }
  checkLifecycle(lifecycle, place.subject, report)
  return lifecycle
}

type Report = (code: Diagnostic['code'], message: string) => void

function readBrownout(
  brownout: Brownout,
  moment: (name: string, value: Moment) => number | undefined,
  subject: string,
  report: Report,
): readonly Span[] {
  const fromMs = moment('brownouts.from', brownout.from)
  const untilMs = moment('brownouts.until', brownout.until)
  if (fromMs === undefined || untilMs === undefined) return []
  if (fromMs < untilMs) return [{ fromMs, untilMs }]
  report('bad-lifecycle', `a brownout of ${subject} ends (${iso(untilMs)}) before it has begun (${iso(fromMs)})`)
  return []
}

/** RFC 9745 §4: a sunset must not come before the deprecation. */
function checkLifecycle(lifecycle: Lifecycle, subject: string, report: Report): void {
  const { deprecatedMs, sunsetMs, info, brownouts } = lifecycle
  if (sunsetMs !== undefined && deprecatedMs !== undefined && sunsetMs < deprecatedMs) {
    report(
      'sunset-before-deprecation',
      `${subject} ends (sunset ${iso(sunsetMs)}) before it is deprecated (${iso(deprecatedMs)})`,
    )
  }
  if (lifecycle.goneAfterSunset && sunsetMs === undefined) {
    report('bad-lifecycle', `'afterSunset' of ${subject} is 'gone', but there is no 'sunset' to come`)
  }
  if (brownouts.length > 0 && deprecatedMs === undefined) {
    report(
      'bad-lifecycle',
      `${subject} has brownouts but is not deprecated: clients would see outages nobody told them of`,
    )
  }
  if (brownouts.some(({ untilMs }) => sunsetMs !== undefined && untilMs > sunsetMs)) {
    report('bad-lifecycle', `a brownout of ${subject} lies after its sunset (${iso(sunsetMs as number)})`)
  }
  if (info !== undefined && !isLinkTarget(info)) {
    report(
      'bad-lifecycle',
      `'info' of ${subject} is ${JSON.stringify(info)}: expected a URL or a path without spaces and angle brackets`,
    )
  }
}

function isLinkTarget(text: string): boolean {
  return /^[\x21\x23-\x3b\x3d\x3f-\x7e]+$/.test(text) && URL.canParse(text, 'http://base.invalid')
}

/** A route's own policy goes before its version's, field by field. */
export function mergeLifecycles(version: Lifecycle, route: Lifecycle): Lifecycle {
  return {
    preview: version.preview,
    deprecatedMs: route.deprecatedMs ?? version.deprecatedMs,
    sunsetMs: route.sunsetMs ?? version.sunsetMs,
    info: route.info ?? version.info,
    goneAfterSunset: route.goneAfterSunset || version.goneAfterSunset,
    brownouts: version.brownouts,
  }
}

/** Whether clients have anything to be told. */
export function isAnnounced(lifecycle: Lifecycle): boolean {
  return lifecycle.deprecatedMs !== undefined || lifecycle.sunsetMs !== undefined
}

export function isDeprecated(lifecycle: Lifecycle, nowMs: number): boolean {
  return lifecycle.deprecatedMs !== undefined && lifecycle.deprecatedMs <= nowMs
}

/** Whether an answer depends on the clock: it may be refused at some time. */
export function mayRefuse(lifecycle: Lifecycle): boolean {
  return lifecycle.goneAfterSunset || lifecycle.brownouts.length > 0
}

export type Refusal =
  | { readonly kind: 'sunset'; readonly sinceMs: number }
  | { readonly kind: 'brownout'; readonly untilMs: number }

/** Whether this version refuses to answer now. */
export function refusalAt(lifecycle: Lifecycle, nowMs: number): Refusal | undefined {
  const { sunsetMs } = lifecycle
  if (lifecycle.goneAfterSunset && sunsetMs !== undefined && nowMs >= sunsetMs)
    return { kind: 'sunset', sinceMs: sunsetMs }
  const brownout = lifecycle.brownouts.find(({ fromMs, untilMs }) => fromMs <= nowMs && nowMs < untilMs)
  return brownout === undefined ? undefined : { kind: 'brownout', untilMs: brownout.untilMs }
}

export type HeaderLine = readonly [name: string, value: string]

/**
 * `Deprecation` (RFC 9745 §2: a Structured Field Date, `@` and seconds), `Sunset` (RFC 8594 §3: an HTTP date) and `Link` (RFC 8288).
 * The link to the successor is made for each request, since it holds the request's own path.
 */
export function lifecycleHeaders(lifecycle: Lifecycle): readonly HeaderLine[] {
  const { deprecatedMs, sunsetMs, info } = lifecycle
  const lines: HeaderLine[] = []
  if (deprecatedMs !== undefined) lines.push(['deprecation', `@${Math.floor(deprecatedMs / 1000)}`])
  if (sunsetMs !== undefined) lines.push(['sunset', new Date(sunsetMs).toUTCString()])
  const links = info === undefined ? [] : infoLinks(lifecycle, info)
  if (links.length > 0) lines.push(['link', links.join(', ')])
  return lines
}

function infoLinks({ deprecatedMs, sunsetMs }: Lifecycle, info: string): readonly string[] {
  const deprecation = deprecatedMs === undefined ? [] : [`<${info}>; rel="deprecation"; type="text/html"`]
  return sunsetMs === undefined ? deprecation : [...deprecation, `<${info}>; rel="sunset"; type="text/html"`]
}

/** `</v2/items/1>; rel="successor-version"` (RFC 5829). The path comes from a request: what could end the reference is escaped. */
export function successorLink(path: string): string {
  const whole = path.replaceAll(/\p{Surrogate}/gu, '\uFFFD')
  const safe = whole.replaceAll(/[^\x21\x23-\x3b\x3d\x3f-\x7e]/gu, (char) => encodeURIComponent(char))
  return `<${safe}>; rel="successor-version"`
}

const datePattern = /^\d{4}-\d{2}-\d{2}$/
const timePattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/

/** Milliseconds since 1970; undefined if it is no moment. A time without a zone would mean another moment on each machine. */
function readMoment(value: unknown): number | undefined {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : value.getTime()
  if (typeof value !== 'string' || !(datePattern.test(value) || timePattern.test(value))) return undefined
  const time = Date.parse(value)
  const sameDay = new Date(Date.parse(`${value.slice(0, 10)}T00:00Z`)).toISOString().slice(0, 10)
  return Number.isNaN(time) || sameDay !== value.slice(0, 10) ? undefined : time
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('T00:00:00.000Z', '').replace('.000Z', 'Z')
}

export interface BrownoutPlan {
  readonly first: Moment
  /** Between the starts of two of them. */
  readonly everyHours: number
  readonly lastingMinutes: number
  readonly times: number
}

/** No plan makes more outages than this. */
const brownoutsMax = 1000

/** A row of brownouts: `brownouts({ first: '2026-11-01T10:00Z', everyHours: 24, lastingMinutes: 10, times: 14 })`. */
export function brownouts({ first, everyHours, lastingMinutes, times }: BrownoutPlan): readonly Brownout[] {
  const start = readMoment(first)
  if (start === undefined)
    throw new TypeError(`${String(first)} is no moment: expected a date or an ISO 8601 time with its zone`)
  if (!(times >= 1 && times <= brownoutsMax)) throw new RangeError(`'times' is between 1 and ${brownoutsMax}`)
  return Array.from({ length: times }, (_, index) => {
    const from = start + index * everyHours * 3_600_000
    return { from: new Date(from), until: new Date(from + lastingMinutes * 60_000) }
  })
}
