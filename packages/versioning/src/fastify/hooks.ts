/** What is added to a copy of a route so that it tells and refuses what its version's life asks for. Nothing, where nothing is to be told. */

import { channel } from 'node:diagnostics_channel'
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { fixedLines, lifeOf, policyOf, refusedAnswer, successorPath, varyWith, type Life } from '../core/answers.ts'
import type { Diagnostic } from '../core/diagnostics.ts'
import { isAnnounced, mayRefuse, successorLink, type HeaderLine } from '../core/lifecycle.ts'
import { problemMediaType } from '../core/problems.ts'
import { usageChannelName, type UsageCounter, type VersionUse } from '../core/usage.ts'
import { outcomeVersion, type Copy } from './copy.ts'
import type { Plan } from './plan.ts'

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
  const { declaration, route } = copy.registration
  const { options } = route
  const policy = policyOf(options)
  const lives: Lives = new Map(
    copy.versions.map((version) => [version.text, lifeOf(plan, declaration, { version, policy, diagnostics })]),
  )
  const pick = versionPicker(copy, telling)
  const parts = { lives, pick, telling }
  return {
    ...(mayAnyRefuse(lives) ? { onRequest: [refuser(plan, parts), ...list(options.onRequest)] } : {}),
    ...(tellsAnything(plan, copy, lives) ? { onSend: [...list(options.onSend), teller(plan, copy, parts)] } : {}),
    ...countingHooks(plan, copy, telling),
  } as Hooks
}

/** Counts the uses of a copy, also of a neutral one. */
export function countingHooks(plan: Plan, copy: Copy, telling: Telling): Hooks {
  if (!isCounted(plan)) return {}
  const count = counter(plan, copy, { pick: versionPicker(copy, telling), telling })
  return { onResponse: [...list(copy.registration.route.options.onResponse), count] } as Hooks
}

/** By version text. */
type Lives = ReadonlyMap<string, Life>

interface Parts {
  readonly lives: Lives
  /** The text of the version that serves a request. */
  readonly pick: (request: FastifyRequest) => string
  readonly telling: Telling
}

function versionPicker(copy: Copy, telling: Telling): Parts['pick'] {
  const [first] = copy.versions
  if (copy.versions.length <= 1) return () => first?.text ?? 'neutral'
  return (request) => outcomeVersion(request, telling.outcomeKey) ?? ''
}

function mayAnyRefuse(lives: Lives): boolean {
  return [...lives.values()].some(({ lifecycle }) => mayRefuse(lifecycle))
}

function tellsAnything(plan: Plan, copy: Copy, lives: Lives): boolean {
  const { report = false, echo = false } = plan.options
  return (
    copy.negotiated || report || echo !== false || [...lives.values()].some(({ lifecycle }) => isAnnounced(lifecycle))
  )
}

function refuser(plan: Plan, { lives, pick }: Parts) {
  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    const text = pick(request)
    const life = lives.get(text)
    const refused = life === undefined ? undefined : refusedAnswer(plan, text, life)
    if (refused === undefined) {
      done()
      return
    }
    for (const [name, value] of refused.headers) reply.header(name, value)
    void reply.code(refused.problem.status).type(problemMediaType).send(refused.problem.body)
  }
}

/** Adds the headers just before the answer leaves, so that what others have set stays. */
function teller(plan: Plan, copy: Copy, { lives, pick, telling }: Parts) {
  const vary = copy.negotiated ? (plan.negotiation?.vary ?? '') : ''
  const told = new Map([...lives].map(([text, life]) => [text, toldOf(plan, copy, text, life)]))
  const [only] = told.values()
  const always = told.size === 1 ? only : undefined
  const report = plan.options.report === true
  const baseSegments = plan.base.split('/').length
  return (
    request: FastifyRequest,
    reply: FastifyReply,
    payload: unknown,
    done: (error: Error | null, payload: unknown) => void,
  ): void => {
    const { lines, links, successorPrefix: to } = always ?? told.get(pick(request)) ?? nothingTold
    if (vary !== '') addVary(reply, vary)
    for (let index = 0; index < lines.length; index++) {
      const line = lines[index] as HeaderLine
      reply.header(line[0], line[1])
    }
    for (const link of links) addLink(reply, link)
    if (to !== undefined) {
      const path = request.originalUrl.split('?', 1)[0] ?? ''
      addLink(reply, successorLink(successorPath(path, { baseSegments, from: copy.prefix, to })))
    }
    if (report) for (const [name, value] of telling.reportLines()) reply.header(name, value)
    done(null, payload)
  }
}

/** What is the same for every answer of a version. */
interface Told {
  readonly lines: readonly HeaderLine[]
  readonly links: readonly string[]
  readonly successorPrefix: string | undefined
}

const nothingTold: Told = { lines: [], links: [], successorPrefix: undefined }

function toldOf(plan: Plan, copy: Copy, text: string, life: Life): Told {
  const all = fixedLines(plan, text, life, copy.negotiated)
  const links = all.filter(([name]) => name === 'link').map(([, value]) => value)
  return { lines: all.filter(([name]) => name !== 'link'), links, successorPrefix: life.successorPrefix }
}

function addLink(reply: FastifyReply, link: string): void {
  const before = textOf(reply.getHeader('link'))
  reply.header('link', before === undefined ? link : `${before}, ${link}`)
}

export function addVary(reply: FastifyReply, names: string): void {
  const before = reply.getHeader('vary')
  reply.header('vary', before === undefined ? names : varyWith(textOf(before), names))
}

function textOf(value: number | string | string[] | undefined): string | undefined {
  return value === undefined ? undefined : [value].flat().join(', ')
}

/** Whether anybody wants to know; a subscriber of the channel has to be there before the app starts. */
export function isCounted({ options }: Plan): boolean {
  return (
    (options.usage ?? false) !== false ||
    options.onVersionUsed !== undefined ||
    channel(usageChannelName).hasSubscribers
  )
}

function counter(plan: Plan, copy: Copy, { pick, telling }: Omit<Parts, 'lives'>) {
  const { options } = plan
  const clientOf = typeof options.usage === 'object' ? options.usage.client : undefined
  const route = copy.registration.declaration.path
  const published = channel(usageChannelName)
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const client = clientOf?.(request) ?? ''
    const use: VersionUse = { version: pick(request), method: request.method, route, status: reply.statusCode, client }
    telling.usage?.add(use)
    options.onVersionUsed?.(use, request)
    if (published.hasSubscribers) published.publish({ ...use, request })
    done()
  }
}

/** A hook option is a function, a list or nothing. */
export function list<Hook>(hooks: Hook | readonly Hook[] | undefined): readonly Hook[] {
  return hooks === undefined ? [] : ([hooks].flat() as readonly Hook[])
}
