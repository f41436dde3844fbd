/** What the adapters for the web's own `Request` and `Response` share: one route of one version, and what is done around its handler. */

import {
  fixedLines,
  lifeOf,
  policyOf,
  refusedAnswer,
  reporter,
  successorPath,
  varyWith,
  type Life,
} from '../core/answers.ts'
import { throwErrors, type Diagnostic } from '../core/diagnostics.ts'
import { successorLink, type HeaderLine, type RoutePolicy } from '../core/lifecycle.ts'
import {
  chainFor,
  moveAnswerDown,
  moveBodyUp,
  moveQueryUp,
  touchesRequest,
  touchesResponse,
  type Chain,
  type ChangeContext,
} from '../core/migrations.ts'
import type { ApiPlan } from '../core/plan.ts'
import { problemMediaType, type Problem } from '../core/problems.ts'
import type { RequestSource } from '../core/readers.ts'
import { pathShape } from '../core/shape.ts'
import type { Declaration } from '../core/table.ts'
import type { Version } from '../core/version.ts'

/** What the author of a route may say beside its method, path and handler. */
export interface RouteMarks extends RoutePolicy {
  readonly version?: Declaration<unknown>['version']
  readonly overrides?: boolean
}

/** A route as it is served in one version at one address. */
export interface Entry<Payload> {
  readonly declaration: Declaration<Payload>
  readonly version: Version
  /** `/v2`; `` where the version does not stand in the URL. */
  readonly prefix: string
  readonly negotiated: boolean
  readonly life: Life
  readonly chain: Chain
}

export interface Service<Payload> {
  readonly plan: ApiPlan<Payload>
  /** At URLs with a version, one list for each address. */
  readonly byUrl: readonly { readonly prefix: string; readonly entries: readonly Entry<Payload>[] }[]
  /** By version text; empty without `read`. */
  readonly negotiated: ReadonlyMap<string, readonly Entry<Payload>[]>
  readonly reportLines: () => readonly HeaderLine[]
}

/** Compiles all entries. Throws a `VersioningError` if a date makes no sense. */
export function makeService<Payload extends { readonly marks: RouteMarks }>(plan: ApiPlan<Payload>): Service<Payload> {
  const diagnostics: Diagnostic[] = []
  const entriesOf = (version: Version, prefix: string, negotiated: boolean): readonly Entry<Payload>[] =>
    (plan.table.served.get(version.text) ?? []).map((declaration) => ({
      declaration,
      version,
      prefix,
      negotiated,
      life: lifeOf(plan, declaration, { version, policy: policyOf(declaration.payload.marks), diagnostics }),
      chain: chainOf(plan, declaration, version),
    }))
  const byUrl = plan.addresses.map(({ version, prefix }) => ({ prefix, entries: entriesOf(version, prefix, false) }))
  const negotiated =
    plan.negotiation === undefined
      ? []
      : plan.table.versions.map((version) => [version.text, entriesOf(version, '', true)] as const)
  throwErrors(diagnostics)
  return { plan, byUrl, negotiated: new Map(negotiated), reportLines: reporter(plan) }
}

function chainOf<Payload>(plan: ApiPlan<Payload>, declaration: Declaration<Payload>, version: Version): Chain {
  const shape = pathShape(declaration.path)
  const subject = { kind: 'route', method: declaration.method, shape, schemas: [] } as const
  return chainFor({ changes: plan.changes, subject, from: version, to: plan.heads.get(declaration) ?? version })
}

/** A web request as the readers take it. */
export function sourceOf(request: Request): RequestSource {
  const url = new URL(request.url)
  const headers = Object.fromEntries(request.headers)
  return { url: `${url.pathname}${url.search}`, headers: { host: url.host, ...headers } }
}

export interface Exchange<Payload> {
  readonly service: Service<Payload>
  readonly entry: Entry<Payload>
  readonly request: Request
  readonly params: Readonly<Record<string, string>>
  /** Segments before the version's prefix, the empty one included: 1 for an API at the root. */
  readonly baseSegments: number
}

/** One request through one entry: refuse, move up, run, move down, tell. `run` gets the request as the handler should see it. */
export async function exchange<Payload>(
  input: Exchange<Payload>,
  run: (request: Request) => Promise<Response>,
): Promise<Response> {
  const { service, entry, request } = input
  const refused = refusedAnswer(service.plan, entry.version.text, entry.life)
  if (refused !== undefined) return tell(input, problemResponse(refused.problem, refused.headers))
  const moved = touchesRequest(entry.chain) ? await moveRequest(input) : request
  const response = await run(moved)
  return tell(input, touchesResponse(entry.chain) ? await moveResponse(input, response) : response)
}

export function problemResponse(problem: Problem, headers: readonly HeaderLine[] = []): Response {
  const lines = headers.map(([name, value]): [string, string] => [name, value])
  return new Response(JSON.stringify(problem.body), {
    status: problem.status,
    headers: [['content-type', problemMediaType], ...lines],
  })
}

/** The lines an answer of this entry gets; also for errors that are answered elsewhere. */
export function linesOf<Payload>({ service, entry, request, baseSegments }: Exchange<Payload>): readonly HeaderLine[] {
  const { plan } = service
  const lines = [...fixedLines(plan, entry.version.text, entry.life, entry.negotiated)]
  const to = entry.life.successorPrefix
  if (to !== undefined)
    lines.push([
      'link',
      successorLink(successorPath(new URL(request.url).pathname, { baseSegments, from: entry.prefix, to })),
    ])
  if (plan.options.report === true) lines.push(...service.reportLines())
  return lines
}

function tell<Payload>(input: Exchange<Payload>, response: Response): Response {
  const { service, entry } = input
  const lines = linesOf(input)
  const vary = entry.negotiated ? (service.plan.negotiation?.vary ?? '') : ''
  if (lines.length === 0 && vary === '') return response
  // A response that came from `fetch` has headers that cannot be changed.
  const result = new Response(response.body, response)
  if (vary !== '') result.headers.set('vary', varyWith(result.headers.get('vary') ?? undefined, vary))
  for (const [name, value] of lines) {
    if (name === 'link') result.headers.append(name, value)
    else result.headers.set(name, value)
  }
  return result
}

function contextOf<Payload>({ entry, request, params }: Exchange<Payload>, status: number): ChangeContext {
  const query = Object.fromEntries(new URL(request.url).searchParams)
  return { version: entry.version.text, params, query, headers: Object.fromEntries(request.headers), status }
}

/** The request as a client of the newest version would have sent it. A body that is no JSON stays as it is. */
async function moveRequest<Payload>(input: Exchange<Payload>): Promise<Request> {
  const { entry, request } = input
  const context = contextOf(input, 0)
  const url = new URL(request.url)
  url.search = new URLSearchParams(textValues(moveQueryUp(entry.chain, context.query, context))).toString()
  if (request.body === null || !isJson(request.headers)) return new Request(url, request)
  const text = await request.text()
  const body = JSON.stringify(await moveBodyUp(entry.chain, JSON.parse(text), context))
  const headers = new Headers(request.headers)
  headers.delete('content-length')
  return new Request(url, { method: request.method, headers, body, signal: request.signal })
}

function textValues(query: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]))
}

async function moveResponse<Payload>(input: Exchange<Payload>, response: Response): Promise<Response> {
  if (response.body === null || !isJson(response.headers)) return response
  const text = await response.text()
  const moved = await moveAnswerDown(input.entry.chain, JSON.parse(text), contextOf(input, response.status))
  const headers = new Headers(response.headers)
  headers.delete('content-length')
  return new Response(JSON.stringify(moved), { status: response.status, statusText: response.statusText, headers })
}

function isJson(headers: Headers): boolean {
  return /^application\/(?:[\w.-]+\+)?json\b/i.test(headers.get('content-type') ?? '')
}
