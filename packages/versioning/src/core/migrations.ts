/**
 * Write the newest version only; older ones are made of it, change by change.
 *
 * A change belongs to the version that brought it. For a client of an older version its request is moved up through all later changes
 * (oldest first), and the answer is moved down through them (newest first). Pure.
 */

import type { Diagnostic, Origin } from './diagnostics.ts'
import { callerOrigin } from './origin.ts'
import type { KnownVersion } from './register.ts'
import { pathShape } from './shape.ts'
import { compareVersions, isNotAVersion, parseVersion, sentence, version, type Version } from './version.ts'

/** What a change is about. `event` is a name of your own for payloads of webhooks and queues. */
export type ChangeTarget =
  | { readonly method?: string | readonly string[]; readonly url: string }
  | { readonly schema: string }
  | { readonly event: string }

/** What a migration may look at beside the payload. */
export interface ChangeContext {
  /** The version that the client asked for, or that a payload is made for. */
  readonly version: string
  /** Path parameters, query and headers, as the client sent them; empty for events. */
  readonly params: Readonly<Record<string, unknown>>
  readonly query: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Status of the answer; 0 while there is none. */
  readonly status: number
}

/** Schemas that held before this change, in the form the framework takes them. A part left out stays as it is; `true` lets anything pass. */
export interface ChangeSchema {
  readonly body?: unknown
  readonly querystring?: unknown
  readonly params?: unknown
  readonly headers?: unknown
  readonly response?: Readonly<Record<string | number, unknown>>
}

export interface ChangeDefinition<OldRequest, NewRequest, NewResponse, OldResponse> {
  /** Default: everything. */
  readonly on?: ChangeTarget | readonly ChangeTarget[]
  /** Body of an older client → body as this version takes it. */
  readonly request?: (body: OldRequest, context: ChangeContext) => NewRequest | Promise<NewRequest>
  /** Query of an older client → query as this version takes it. */
  readonly query?: (
    query: Readonly<Record<string, unknown>>,
    context: ChangeContext,
  ) => Readonly<Record<string, unknown>>
  /** Payload as this version gives it → payload as it was before. */
  readonly response?: (payload: NewResponse, context: ChangeContext) => OldResponse | Promise<OldResponse>
  readonly schema?: ChangeSchema
  /** Whether answers with a status of 300 and more are moved down too. Default `false`. */
  readonly errors?: boolean
}

/** What {@link change} makes. */
export interface Change {
  readonly version: Version
  readonly description: string
  readonly on: readonly ChangeTarget[]
  readonly request: ((body: unknown, context: ChangeContext) => unknown) | undefined
  readonly query:
    | ((query: Readonly<Record<string, unknown>>, context: ChangeContext) => Readonly<Record<string, unknown>>)
    | undefined
  readonly response: ((payload: unknown, context: ChangeContext) => unknown) | undefined
  readonly schema: ChangeSchema
  readonly errors: boolean
  readonly origin: Origin | undefined
}

/**
 * One change of the API: the version that brought it, a sentence for the change log, and how to translate.
 * Throws a `TypeError` if the version is none.
 */
export function change<OldRequest = never, NewRequest = unknown, NewResponse = never, OldResponse = unknown>(
  since: KnownVersion,
  description: string,
  definition: ChangeDefinition<OldRequest, NewRequest, NewResponse, OldResponse>,
): Change {
  const { on, request, query, response, schema, errors } = definition
  return {
    version: version(since),
    description,
    on: on === undefined ? [] : ([on].flat() as readonly ChangeTarget[]),
    request: request as Change['request'],
    query,
    response: response as Change['response'],
    schema: schema ?? {},
    errors: errors ?? false,
    origin: callerOrigin(),
  }
}

/** The subject that changes are looked up for. */
type ChangeSubject =
  | { readonly kind: 'route'; readonly method: string; readonly shape: string; readonly schemas: readonly SchemaUse[] }
  | { readonly kind: 'event'; readonly event: string | undefined }
  | { readonly kind: 'schema'; readonly schema: string }

/** A named schema that a route uses, and where. */
export interface SchemaUse {
  readonly name: string
  readonly side: 'request' | 'response'
  /** Whether it is the schema of the items of a list. */
  readonly items: boolean
}

/** A change as it applies to one subject. */
interface Step {
  readonly change: Change
  readonly request: Change['request']
  readonly response: Change['response']
  readonly schema: ChangeSchema
}

/** The changes between two versions for one subject, oldest first. */
export interface Chain {
  readonly steps: readonly Step[]
  /** The same text for the same steps: versions with one key can share what is made from it. */
  readonly key: string
}

export const emptyChain: Chain = { steps: [], key: '' }

/** Changes in order: by version, and within one version as they were given. */
export function orderChanges(changes: readonly Change[]): readonly Change[] {
  return [...changes].sort((a, b) => compareVersions(a.version, b.version))
}

export interface ChainInput {
  /** In the order of {@link orderChanges}. */
  readonly changes: readonly Change[]
  readonly subject: ChangeSubject
  /** What the client speaks. */
  readonly from: Version
  /** What the handler speaks. */
  readonly to: Version
}

/** Finds what lies between two versions. */
export function chainFor({ changes, subject, from, to }: ChainInput): Chain {
  const steps: Step[] = []
  const key: number[] = []
  for (const [index, item] of changes.entries()) {
    if (compareVersions(item.version, from) <= 0 || compareVersions(item.version, to) > 0) continue
    const step = stepFor(item, subject)
    if (step === undefined) continue
    steps.push(step)
    key.push(index)
  }
  return { steps, key: key.join(',') }
}

function stepFor(item: Change, subject: ChangeSubject): Step | undefined {
  const whole: Step = { change: item, request: item.request, response: item.response, schema: item.schema }
  if (item.on.length === 0) return whole
  if (item.on.some((target) => isAbout(target, subject))) return whole
  if (subject.kind !== 'route') return undefined
  const names = item.on.flatMap((target) => ('schema' in target ? [target.schema] : []))
  const uses = subject.schemas.filter(({ name }) => names.includes(name))
  if (uses.length === 0) return undefined
  return {
    change: item,
    request: forUse(item.request, uses, 'request'),
    response: forUse(item.response, uses, 'response'),
    schema: schemaForUse(item.schema, uses),
  }
}

/** The older form of a named schema, where a route uses it: alone, or as the items of a list. */
function schemaForUse({ body, response }: ChangeSchema, uses: readonly SchemaUse[]): ChangeSchema {
  const useOf = (side: SchemaUse['side']): SchemaUse | undefined => uses.find((use) => use.side === side)
  const listed = (side: SchemaUse['side'], schema: unknown): unknown =>
    useOf(side)?.items === true && schema !== true ? { type: 'array', items: schema } : schema
  const answers = Object.entries(response ?? {}).map(([status, schema]) => [status, listed('response', schema)])
  return {
    ...(body === undefined || useOf('request') === undefined ? {} : { body: listed('request', body) }),
    ...(response === undefined || useOf('response') === undefined ? {} : { response: Object.fromEntries(answers) }),
  }
}

function isAbout(target: ChangeTarget, subject: ChangeSubject): boolean {
  if ('event' in target) return subject.kind === 'event' && subject.event === target.event
  if ('schema' in target) return subject.kind === 'schema' && subject.schema === target.schema
  if (subject.kind !== 'route' || pathShape(target.url) !== subject.shape) return false
  if (target.method === undefined) return true
  return [target.method]
    .flat()
    .some(
      (method) =>
        method.toUpperCase() === subject.method || (method.toUpperCase() === 'GET' && subject.method === 'HEAD'),
    )
}

function forUse(migrate: Change['request'], uses: readonly SchemaUse[], side: SchemaUse['side']): Change['request'] {
  const use = uses.find((item) => item.side === side)
  if (migrate === undefined || use === undefined) return undefined
  if (!use.items) return migrate
  return (list, context) => (Array.isArray(list) ? eachOf(list, (item) => migrate(item, context)) : list)
}

function eachOf(list: readonly unknown[], migrate: (item: unknown) => unknown): unknown {
  const results = list.map(migrate)
  return results.some((result) => result instanceof Promise) ? Promise.all(results) : results
}

/** Moves a request body up: oldest change first. */
export function moveBodyUp(chain: Chain, body: unknown, context: ChangeContext): unknown {
  return fold(
    chain.steps.flatMap((step) => step.request ?? []),
    body,
    context,
  )
}

/** Moves a query up. */
export function moveQueryUp(
  chain: Chain,
  query: Readonly<Record<string, unknown>>,
  context: ChangeContext,
): Readonly<Record<string, unknown>> {
  return chain.steps.reduce((value, step) => step.change.query?.(value, context) ?? value, query)
}

/** Moves an answer down: newest change first. Errors only through the changes that ask for it. */
export function moveAnswerDown(chain: Chain, payload: unknown, context: ChangeContext): unknown {
  const failed = context.status >= 300
  const steps = chain.steps.toReversed().filter((step) => !failed || step.change.errors)
  return fold(
    steps.flatMap((step) => step.response ?? []),
    payload,
    context,
  )
}

type Migrate = (value: unknown, context: ChangeContext) => unknown

/** One after the other; stays synchronous as long as the migrations are. */
function fold(functions: readonly Migrate[], start: unknown, context: ChangeContext): unknown {
  let value = start
  for (const [index, migrate] of functions.entries()) {
    if (value instanceof Promise) {
      const rest = functions.slice(index)
      return value.then((settled) => fold(rest, settled, context))
    }
    value = migrate(value, context)
  }
  return value
}

/** The schemas an older client was promised: of each part, what the first change after its version says of it. */
export function olderSchema(chain: Chain, current: ChangeSchema): ChangeSchema {
  let result = current
  for (const { schema } of chain.steps.toReversed()) {
    const { response, ...parts } = schema
    const merged =
      response === undefined ? {} : { response: { ...result.response, ...known(response, current.response) } }
    result = { ...result, ...parts, ...merged }
  }
  return result
}

/** A change may be about several routes: each takes the statuses it has. */
function known(older: object, current: ChangeSchema['response']): object {
  if (current === undefined) return older
  const has = (status: string): boolean =>
    Object.keys(current).some((own) => own === status || own === 'default' || own.toLowerCase() === `${status[0]}xx`)
  return Object.fromEntries(Object.entries(older).filter(([status]) => has(status)))
}

export function touchesRequest(chain: Chain): boolean {
  return chain.steps.some((step) => step.request !== undefined || step.change.query !== undefined)
}

export function touchesResponse(chain: Chain): boolean {
  return chain.steps.some((step) => step.response !== undefined)
}

/** Changes that cannot be right, whatever the routes are. */
export function checkChanges(changes: readonly Change[], versions: readonly Version[]): readonly Diagnostic[] {
  const oldest = versions[0]
  return changes.flatMap((item) => {
    const problems: string[] = []
    const known = versions.some(({ text }) => text === item.version.text)
    if (!known) problems.push(`it belongs to version ${item.version.text}, which this API does not have`)
    else if (item.version.text === oldest?.text)
      problems.push(`it belongs to the oldest version (${oldest.text}), so no client is older than it`)
    if (
      item.request === undefined &&
      item.response === undefined &&
      item.query === undefined &&
      Object.keys(item.schema).length === 0
    ) {
      problems.push('it neither migrates anything nor gives an older schema')
    }
    if (item.description.trim() === '') problems.push('it has no description; the change log is made of them')
    return problems.map((message) => badChange(item, message))
  })
}

export function badChange(item: Change, problemText: string, route?: string): Diagnostic {
  const message = `the change "${item.description}" of version ${item.version.text}: ${problemText}`
  const place = item.origin === undefined ? {} : { origin: item.origin }
  return { severity: 'error', code: 'bad-change', message, ...place, ...(route === undefined ? {} : { route }) }
}

export interface MigrateOptions {
  /** The version that the payload has now. Default: the newest of the changes. */
  readonly from?: KnownVersion
  /** Which changes count: those of this event or schema, and those that are about everything. */
  readonly on?: { readonly event: string } | { readonly schema: string }
}

/** A chain of changes for payloads that are no answers: webhooks, queues, exports. */
export interface Migrations {
  /** A payload of the newest version → as a receiver of version `to` expects it. */
  readonly migrate: (payload: unknown, to: KnownVersion, options?: MigrateOptions) => Promise<unknown>
  /** A payload of an older version → as the newest takes it. */
  readonly upgrade: (payload: unknown, from: KnownVersion, options?: Omit<MigrateOptions, 'from'>) => Promise<unknown>
  /** Newest first. */
  readonly log: readonly { readonly version: string; readonly description: string }[]
}

/** The chain of an API for use outside HTTP: `migrations(changes).migrate(payload, '2025-01-01')`. */
export function migrations(changes: readonly Change[]): Migrations {
  const ordered = orderChanges(changes)
  const newest = ordered.at(-1)?.version
  const subject = (on: MigrateOptions['on']): ChangeSubject =>
    on !== undefined && 'schema' in on ? { kind: 'schema', schema: on.schema } : { kind: 'event', event: on?.event }
  const chain = (
    from: unknown,
    to: Version | undefined,
    on: MigrateOptions['on'],
  ): { chain: Chain; asked: Version } => {
    const asked = parseVersion(from)
    if (isNotAVersion(asked)) throw new TypeError(sentence(from, asked))
    return {
      asked,
      chain: to === undefined ? emptyChain : chainFor({ changes: ordered, subject: subject(on), from: asked, to }),
    }
  }
  return {
    migrate: async (payload, to, options = {}) => {
      const head = options.from === undefined ? newest : version(options.from)
      const { chain: found, asked } = chain(to, head, options.on)
      return moveAnswerDown(found, payload, noContext(asked))
    },
    upgrade: async (payload, from, options = {}) => {
      const { chain: found, asked } = chain(from, newest, options.on)
      return moveBodyUp(found, payload, noContext(asked))
    },
    log: ordered.toReversed().map((item) => ({ version: item.version.text, description: item.description })),
  }
}

function noContext(asked: Version): ChangeContext {
  return { version: asked.text, params: {}, query: {}, headers: {}, status: 0 }
}
