/** What is added to a copy of a route so that it tells and refuses what its version's life asks for. Nothing, where nothing is to be told. */

import { channel } from 'node:diagnostics_channel'
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { lifecycleOf, successorOf } from '../core/catalogue.ts'
import type { Diagnostic } from '../core/diagnostics.ts'
import {
  isAnnounced,
  lifecycleHeaders,
  mayRefuse,
  mergeLifecycles,
  readLifecycle,
  refusalAt,
  successorLink,
  type HeaderLine,
  type Lifecycle,
  type Refusal,
} from '../core/lifecycle.ts'
import { problem, problemMediaType } from '../core/problems.ts'
import { usageChannelName, type UsageCounter, type VersionUse } from '../core/usage.ts'
import { formatVersion, type Version } from '../core/version.ts'
import { outcomeVersion, type Copy } from './copy.ts'
import { supportedVersions, type Plan } from './plan.ts'

/** What all copies of a scope share. */
export interface Telling {
  readonly outcomeKey: symbol
  readonly usage: UsageCounter | undefined
  /** `api-supported-versions` and the like; made anew when a date has passed. */
  readonly reportLines: () => readonly HeaderLine[]
}

type Hooks = Pick<RouteOptions, 'onRequest' | 'onSend' | 'onResponse'>

/** The hooks of one copy, joined with those of its author. */
export function answerHooks(plan: Plan, copy: Copy, telling: Telling, diagnostics: Diagnostic[]): Hooks {
  const lives = livesOf(plan, copy, diagnostics)
  const { options } = copy.registration.route
  const pick = versionPicker(copy, telling)
  const onRequest = mayAnyRefuse(lives) ? [refuser(plan, lives, pick), ...list(options.onRequest)] : undefined
  const onSend = tellsAnything(plan, copy, lives)
    ? [...list(options.onSend), teller(plan, copy, { lives, pick, telling })]
    : undefined
  const onResponse =
    isCounted(plan) && copy.versions.length > 0
      ? [...list(options.onResponse), counter(plan, copy, { pick, telling })]
      : undefined
  return {
    ...(onRequest === undefined ? {} : { onRequest }),
    ...(onSend === undefined ? {} : { onSend }),
    ...(onResponse === undefined ? {} : { onResponse }),
  } as Hooks
}

/** The text of the version that serves a request. */
type VersionPicker = (request: FastifyRequest) => string

function versionPicker(copy: Copy, telling: Telling): VersionPicker {
  const [first] = copy.versions
  if (copy.versions.length <= 1) return () => first?.text ?? 'neutral'
  return (request) => outcomeVersion(request, telling.outcomeKey) ?? ''
}

/** A version's life for one route, and where its successor stands. */
interface Life {
  readonly lifecycle: Lifecycle
  readonly successorPrefix: string | undefined
}

type Lives = ReadonlyMap<string, Life>

function livesOf(plan: Plan, copy: Copy, diagnostics: Diagnostic[]): Lives {
  const { options, origin } = copy.registration.route
  const { deprecated, sunset, info, afterSunset } = options
  const place = {
    subject: 'this route',
    route: `${copy.registration.methods.join(',')} ${copy.registration.declaration.path}`,
    origin,
  }
  const policy = {
    ...(deprecated === undefined ? {} : { deprecated }),
    ...(sunset === undefined ? {} : { sunset }),
    ...(info === undefined ? {} : { info }),
    ...(afterSunset === undefined ? {} : { afterSunset }),
  }
  const own = readLifecycle(policy, place, diagnostics)
  return new Map(
    copy.versions.map((version) => {
      const lifecycle = mergeLifecycles(lifecycleOf(plan.catalogue, version), own)
      if (
        lifecycle.sunsetMs !== undefined &&
        lifecycle.deprecatedMs !== undefined &&
        lifecycle.sunsetMs < lifecycle.deprecatedMs &&
        own.sunsetMs !== own.deprecatedMs
      ) {
        reportMixedDates(lifecycle, version, place, diagnostics)
      }
      return [
        version.text,
        { lifecycle, successorPrefix: isAnnounced(lifecycle) ? successorPrefix(plan, copy, version) : undefined },
      ]
    }),
  )
}

/** A route's date and its version's may contradict each other though each policy is sound by itself. */
function reportMixedDates(
  lifecycle: Lifecycle,
  version: Version,
  place: { readonly route: string; readonly origin: Diagnostic['origin'] | undefined },
  diagnostics: Diagnostic[],
): void {
  const day = (timeMs: number | undefined): string => new Date(timeMs ?? 0).toISOString().slice(0, 10)
  const message = `with the dates of version ${version.text} it ends (sunset ${day(lifecycle.sunsetMs)}) before it is deprecated (${day(lifecycle.deprecatedMs)})`
  const { origin, route } = place
  if (diagnostics.some((item) => item.message === message && item.route === route)) return
  diagnostics.push({
    severity: 'error',
    code: 'sunset-before-deprecation',
    message,
    route,
    ...(origin === undefined ? {} : { origin }),
  })
}

/** The prefix of the next version that serves the same address and is to stay. */
function successorPrefix(plan: Plan, copy: Copy, version: Version): string | undefined {
  const { method, shape } = copy.registration.declaration
  const serving = plan.table.versions.filter(
    (item) =>
      item === version ||
      plan.table.served
        .get(item.text)
        ?.some((declaration) => declaration.shape === shape && declaration.method === method),
  )
  const successor = successorOf(plan.catalogue, serving, version)
  return plan.addresses.find((address) => !address.latest && address.version.text === successor?.text)?.prefix
}

function mayAnyRefuse(lives: Lives): boolean {
  return [...lives.values()].some(({ lifecycle }) => mayRefuse(lifecycle))
}

function tellsAnything(plan: Plan, copy: Copy, lives: Lives): boolean {
  if (copy.versions.length === 0) return false
  const always =
    copy.negotiated || plan.options.report === true || (plan.options.echo !== undefined && plan.options.echo !== false)
  return always || [...lives.values()].some(({ lifecycle }) => isAnnounced(lifecycle))
}

function refuser(plan: Plan, lives: Lives, pick: VersionPicker) {
  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    const text = pick(request)
    const life = lives.get(text)
    const refusal = life === undefined ? undefined : refusalAt(life.lifecycle, plan.clock())
    if (refusal === undefined) done()
    else sendRefusal(plan, text, refusal, reply)
  }
}

function sendRefusal(plan: Plan, text: string, refusal: Refusal, reply: FastifyReply): void {
  const supported = supportedVersions(plan).supported
  const detail =
    refusal.kind === 'sunset'
      ? `Version ${text} has ended on ${new Date(refusal.sinceMs).toISOString().slice(0, 10)}.`
      : `Version ${text} is switched off until ${new Date(refusal.untilMs).toISOString()}, to show that it will end; move to a newer one.`
  const { status, body } = problem({ kind: refusal.kind, detail, supported }, plan.options.problems)
  if (refusal.kind === 'brownout') reply.header('retry-after', Math.ceil((refusal.untilMs - plan.clock()) / 1000))
  void reply.code(status).type(problemMediaType).send(body)
}

interface TellerParts {
  readonly lives: Lives
  readonly pick: VersionPicker
  readonly telling: Telling
}

/** Adds the headers just before the answer leaves, so that what others have set stays. */
function teller(plan: Plan, copy: Copy, { lives, pick, telling }: TellerParts) {
  const vary = copy.negotiated ? (plan.negotiation?.vary ?? '') : ''
  const lines = new Map(
    [...lives].map(([text, { lifecycle }]) => [text, [...echoLines(plan, copy, text), ...lifecycleHeaders(lifecycle)]]),
  )
  const report = plan.options.report === true
  return (
    request: FastifyRequest,
    reply: FastifyReply,
    payload: unknown,
    done: (error: Error | null, payload: unknown) => void,
  ): void => {
    const text = pick(request)
    if (vary !== '') addVary(reply, vary)
    for (const line of lines.get(text) ?? []) addLine(reply, line)
    const prefix = lives.get(text)?.successorPrefix
    if (prefix !== undefined) addLine(reply, ['link', successorLink(successorPath(plan, copy, prefix, request))])
    if (report) for (const line of telling.reportLines()) addLine(reply, line)
    done(null, payload)
  }
}

/** Which version answered. */
function echoLines(plan: Plan, copy: Copy, text: string): readonly HeaderLine[] {
  const name = echoHeader(plan, copy.negotiated)
  return name === undefined ? [] : [[name, text]]
}

/** The header that says which version answered; undefined: none does. */
export function echoHeader(
  { options, readers }: Pick<Plan, 'options' | 'readers'>,
  negotiated: boolean,
): string | undefined {
  const { echo = negotiated } = options
  if (echo === false) return undefined
  if (typeof echo === 'string') return echo
  const reader = readers.find(({ name }) => name.startsWith('header '))
  return reader === undefined ? 'api-version' : reader.name.slice('header '.length)
}

function addLine(reply: FastifyReply, [name, value]: HeaderLine): void {
  const before = name === 'link' ? reply.getHeader('link') : undefined
  reply.header(name, before === undefined ? value : `${[before].flat().join(', ')}, ${value}`)
}

/** Adds to `Vary` what is not in it yet (RFC 9110 §12.5.5). */
export function addVary(reply: FastifyReply, names: string): void {
  const before = reply.getHeader('vary')
  if (before === undefined) {
    reply.header('vary', names)
    return
  }
  const present = [before].flat().join(', ')
  const known = new Set(present.toLowerCase().split(/\s*,\s*/))
  if (known.has('*')) return
  const missing = names.split(', ').filter((name) => !known.has(name))
  if (missing.length > 0) reply.header('vary', `${present}, ${missing.join(', ')}`)
}

/** The request's own path with the version's segments replaced; the scope's prefix may hold parameters, so segments are counted. */
function successorPath(plan: Plan, copy: Copy, prefix: string, request: FastifyRequest): string {
  const segments = (request.originalUrl.split('?', 1)[0] ?? '').split('/')
  const start = plan.base.split('/').length
  const width = copy.prefix.split('/').length - 1
  return [...segments.slice(0, start), ...prefix.split('/').slice(1), ...segments.slice(start + width)].join('/')
}

/** Whether anybody wants to know; a subscriber of the channel has to be there before the app starts. */
export function isCounted({ options }: Plan): boolean {
  return (
    (options.usage ?? false) !== false ||
    options.onVersionUsed !== undefined ||
    channel(usageChannelName).hasSubscribers
  )
}

function counter(plan: Plan, copy: Copy, { pick, telling }: Pick<TellerParts, 'pick' | 'telling'>) {
  const { options } = plan
  const clientOf = typeof options.usage === 'object' ? options.usage.client : undefined
  const route = copy.registration.declaration.path
  const published = channel(usageChannelName)
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const use: VersionUse = {
      version: pick(request),
      method: request.method,
      route,
      status: reply.statusCode,
      client: clientOf?.(request) ?? '',
    }
    telling.usage?.add(use)
    options.onVersionUsed?.(use, request)
    if (published.hasSubscribers) published.publish({ ...use, request })
    done()
  }
}

/** Makes {@link Telling.reportLines}. */
export function reporter(plan: Pick<Plan, 'table' | 'catalogue' | 'clock'>): () => readonly HeaderLine[] {
  const dates = [...plan.catalogue.lifecycles.values()].flatMap(({ deprecatedMs }) => deprecatedMs ?? [])
  let lines: readonly HeaderLine[] = []
  let validUntil = Number.NEGATIVE_INFINITY
  return () => {
    const now = plan.clock()
    if (now < validUntil) return lines
    const { supported, deprecated } = supportedVersions(plan)
    lines =
      deprecated.length > 0
        ? [
            ['api-supported-versions', supported.join(', ')],
            ['api-deprecated-versions', deprecated.join(', ')],
          ]
        : [['api-supported-versions', supported.join(', ')]]
    validUntil = Math.min(...dates.filter((date) => date > now), Number.POSITIVE_INFINITY)
    return lines
  }
}

/** A hook option is a function, a list or nothing. */
export function list<Hook>(hooks: Hook | readonly Hook[] | undefined): readonly Hook[] {
  return hooks === undefined ? [] : ([hooks].flat() as readonly Hook[])
}

/** How a version is written in documents. */
export function labelOf({ options }: Pick<Plan, 'options'>, version: Version): string {
  return formatVersion(options.label ?? '{version}', version)
}
