/**
 * What the compiler has to say about resources, told where people look: the resource's status (condition `Accepted`) and an Event.
 * Only a change is written, so a resource that is well costs nothing.
 */
import { createHash } from 'node:crypto'

import { apiVersionOf, Event, type Kind, KINDS } from './resources/kinds.ts'
import type { Diagnostic } from './resources/diagnostic.ts'
import type { KubeObject } from './resources/object.ts'
import { type Store, StoreError } from './store/store.ts'

/** Of one report; the API allows 32 kB for a condition and 1 kB for an Event. */
const MESSAGE_CHARACTERS_MAX = 1000
/** Reports written in one go after a change; the rest follows with the next one. */
const REPORTS_AT_ONCE_MAX = 500

interface Report {
  readonly kind: Kind
  readonly namespace: string
  readonly name: string
  /** undefined: all is well again. */
  readonly problem: { readonly reason: string; readonly message: string; readonly isError: boolean } | undefined
}

export interface GatewayReports {
  /** Takes all diagnostics of the newest compile. Writes go out one after the other, in the background. */
  update(diagnostics: readonly Diagnostic[]): void
  idle(): Promise<void>
}

export function createGatewayReports(store: Store, onError: (error: unknown) => void): GatewayReports {
  const told = new Map<string, string>()
  let newest: readonly Diagnostic[] | undefined
  let writing: Promise<void> | undefined

  async function run(): Promise<void> {
    while (newest !== undefined) {
      const diagnostics = newest
      newest = undefined
      for (const report of changes(told, diagnostics).slice(0, REPORTS_AT_ONCE_MAX)) {
        try {
          await write(store, report)
          remember(told, report)
        } catch (error) {
          onError(error)
        }
      }
    }
  }

  return {
    update(diagnostics) {
      newest = diagnostics
      writing ??= run().finally(() => {
        writing = undefined
      })
    },
    idle: async () => writing,
  }
}

/** What has to be written, given what was told before. Pure. */
function changes(told: ReadonlyMap<string, string>, diagnostics: readonly Diagnostic[]): readonly Report[] {
  const now = new Map<string, Report>()
  for (const [key, group] of byResource(diagnostics)) {
    const report = reportOf(group)
    if (report !== undefined) now.set(key, report)
  }
  const wanted = [...now].filter(([key, report]) => told.get(key) !== textOf(report)).map(([, report]) => report)
  const healed = [...told.keys()].filter((key) => !now.has(key)).flatMap(wellAgain)
  return [...wanted, ...healed]
}

function byResource(diagnostics: readonly Diagnostic[]): ReadonlyMap<string, readonly Diagnostic[]> {
  const groups = new Map<string, Diagnostic[]>()
  for (const diagnostic of diagnostics) {
    if (diagnostic.severity === 'note') continue
    const { kind, namespace, name } = diagnostic.origin
    const key = JSON.stringify([kind, namespace, name])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [diagnostic])
    else group.push(diagnostic)
  }
  return groups
}

function reportOf(diagnostics: readonly Diagnostic[]): Report | undefined {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error')
  const shown = errors.length > 0 ? errors : diagnostics
  const [first] = shown
  const kind = KINDS.find((entry) => entry.kind === first?.origin.kind)
  if (first === undefined || kind === undefined) return undefined
  const message = shown.map(sentenceOf).join('. ')
  return {
    kind,
    namespace: first.origin.namespace,
    name: first.origin.name,
    problem: {
      reason: pascalCase(first.code),
      message: message.length > MESSAGE_CHARACTERS_MAX ? `${message.slice(0, MESSAGE_CHARACTERS_MAX - 1)}…` : message,
      isError: errors.length > 0,
    },
  }
}

function sentenceOf({ message, suggestion, notes = [] }: Diagnostic): string {
  const advice = suggestion === undefined ? [] : [`did you mean ${JSON.stringify(suggestion)}?`]
  return [message, ...advice, ...notes].join('; ')
}

function wellAgain(key: string): readonly Report[] {
  const [kindName, namespace, name] = JSON.parse(key) as [string, string, string]
  const kind = KINDS.find((entry) => entry.kind === kindName)
  return kind === undefined ? [] : [{ kind, namespace, name, problem: undefined }]
}

function keyOf({ kind, namespace, name }: Report): string {
  return JSON.stringify([kind.kind, namespace, name])
}

function textOf({ problem }: Report): string {
  return problem === undefined ? '' : `${problem.isError} ${problem.reason} ${problem.message}`
}

function remember(told: Map<string, string>, report: Report): void {
  if (report.problem === undefined) told.delete(keyOf(report))
  else told.set(keyOf(report), textOf(report))
}

async function write(store: Store, report: Report): Promise<void> {
  const { kind, name, problem } = report
  const key = kind.namespaced ? { namespace: report.namespace, name } : { name }
  const object = await store.get<KubeObject>(kind, key)
  // Deleted meanwhile: there is nobody to tell.
  if (object === undefined) return
  if (kind.subresources.includes('status')) await writeStatus(store, report, object)
  if (problem !== undefined) await writeEvent(store, report, object)
}

async function writeStatus(
  store: Store,
  { kind, namespace, name, problem }: Report,
  object: KubeObject,
): Promise<void> {
  const isAccepted = problem?.isError !== true
  const condition = {
    type: 'Accepted',
    status: isAccepted ? 'True' : 'False',
    reason: problem?.reason ?? 'Accepted',
    message: problem?.message ?? '',
    observedGeneration: object.metadata.generation ?? 0,
    lastTransitionTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
  }
  const others = conditionsOf(object).filter((other) => other.type !== 'Accepted')
  const body = {
    status: {
      state: isAccepted ? 'Running' : 'Error',
      reason: problem?.message ?? null,
      conditions: [...others, condition],
    },
  }
  try {
    const key = kind.namespaced ? { namespace, name } : { name }
    await store.patch(kind, key, { type: 'merge', body }, { subresource: 'status', fieldManager: 'serin-gateway' })
  } catch (error) {
    if (!(error instanceof StoreError) || error.reason !== 'NotFound') throw error
  }
}

function conditionsOf(object: KubeObject): readonly { readonly type: string }[] {
  const { conditions } = (object.status ?? {}) as { conditions?: unknown }
  return Array.isArray(conditions) ? (conditions as { type: string }[]) : []
}

/** The same problem of the same object has the same name, so that a gateway that starts again counts instead of repeating. */
async function writeEvent(store: Store, { kind, namespace, name, problem }: Report, object: KubeObject): Promise<void> {
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  const hash = createHash('sha256')
    .update(`${object.metadata.uid} ${problem?.reason} ${problem?.message}`)
    .digest('hex')
  const key = { namespace: namespace === '' ? 'default' : namespace, name: `${name}.${hash.slice(0, 16)}` }
  const known = await store.get<KubeObject & { count?: number }>(Event, key)
  if (known !== undefined) {
    const body = { count: (known.count ?? 1) + 1, lastTimestamp: now }
    await store.patch(Event, key, { type: 'merge', body })
    return
  }
  await store.create<KubeObject & Record<string, unknown>>(Event, {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: key,
    involvedObject: {
      apiVersion: apiVersionOf(kind),
      kind: kind.kind,
      name,
      namespace,
      uid: object.metadata.uid,
      resourceVersion: object.metadata.resourceVersion,
    },
    type: 'Warning',
    reason: problem?.reason ?? '',
    message: problem?.message ?? '',
    source: { component: 'serin-gateway' },
    reportingComponent: 'serin-gateway',
    reportingInstance: '',
    count: 1,
    firstTimestamp: now,
    lastTimestamp: now,
  })
}

/** `weights-over-100` → `WeightsOver100`, as reasons are written. Pure. */
function pascalCase(code: string): string {
  return code
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')
}
