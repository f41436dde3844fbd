/** Pages and past states of a collection (API concepts, "Retrieving large results sets in chunks", "resourceVersion"). Pure. */
import type { KubeObject } from '../resources/object.ts'
import type { Kind } from '../resources/kinds.ts'
import type { KindLog, StoredEvent } from './history.ts'
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from './selector.ts'
import { StoreError, type List, type ListOptions } from './store.ts'

type Entry = readonly [key: string, object: KubeObject]

interface Position {
  readonly revision: number
  readonly compacted: number
}

/** Where a list goes on: the state it belongs to, and the last key that was given. */
interface Token {
  readonly v: 'serin'
  readonly rv: number
  readonly after: string
}

/** One page. `entriesAt` gives the whole collection, sorted by key, as it was at a revision of the window. Throws StoreError. */
export function pageOf<T extends KubeObject>(
  kind: Kind,
  options: ListOptions,
  now: Position,
  entriesAt: (revision: number) => readonly Entry[],
): List<T> {
  const token = options.continue === undefined || options.continue === '' ? undefined : parseToken(options.continue)
  const revision = token?.rv ?? listRevision(options, now)
  if (token !== undefined && token.rv < now.compacted) {
    throw new StoreError(
      'Expired',
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
    )
  }
  const matches = matcher(kind, options)
  const limit = options.limit !== undefined && options.limit > 0 ? options.limit : Infinity
  const within = entriesAt(revision).filter(
    ([key]) => inNamespace(kind, options.namespace, key) && (token === undefined || key > token.after),
  )
  const found: Entry[] = []
  for (const entry of within) {
    if (found.length > limit) break
    if (matches(entry[1])) found.push(entry)
  }
  const page = found.slice(0, limit)
  const last = page.at(-1)
  const items = page.map(([, object]) => object as T)
  if (found.length <= limit || last === undefined) return { items, resourceVersion: String(revision) }
  return {
    items,
    resourceVersion: String(revision),
    continue: formatToken({ v: 'serin', rv: revision, after: last[0] }),
    ...(hasSelector(options) ? {} : { remainingItemCount: within.length - page.length }),
  }
}

/** Which objects a list or a watch is about, namespace aside. Throws StoreError `BadRequest`. */
export function matcher(
  kind: Kind,
  { labelSelector, fieldSelector }: Pick<ListOptions, 'labelSelector' | 'fieldSelector'>,
): (object: KubeObject) => boolean {
  const labels = labelSelector === undefined || labelSelector === '' ? [] : parseLabelSelector(labelSelector)
  const fields = fieldSelector === undefined || fieldSelector === '' ? [] : parseFieldSelector(fieldSelector, kind)
  if (labels.length === 0 && fields.length === 0) return () => true
  return (object) => matchesLabels(labels, object.metadata.labels) && matchesFields(fields, object)
}

/** The state at an older revision: the newest one with the later events taken back. */
export function rewound(
  entries: readonly Entry[],
  laterEvents: Iterable<{ readonly log: KindLog; readonly event: StoredEvent }>,
  log: KindLog,
): readonly Entry[] {
  const state = new Map(entries)
  for (const { log: eventLog, event } of laterEvents) {
    if (eventLog !== log) continue
    const { namespace, name } = event.object.metadata
    const key = namespace === undefined ? name : `${namespace}/${name}`
    if (event.previous === undefined) state.delete(key)
    else state.set(key, event.previous.object)
  }
  return [...state].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/** The revision a list without a token shows. Throws StoreError `Expired`, `Timeout`, `BadRequest`. */
function listRevision({ resourceVersion, resourceVersionMatch }: ListOptions, now: Position): number {
  const asked = parseRevision(resourceVersion)
  if (asked === undefined || asked === 0) return now.revision
  if (asked > now.revision) throw tooLarge(asked, now.revision)
  if (resourceVersionMatch !== 'Exact') return now.revision
  if (asked <= now.compacted) {
    throw new StoreError('Expired', 'The resourceVersion for the provided list is too old.')
  }
  return asked
}

/** Undefined when there is none. Throws StoreError `BadRequest`. */
export function parseRevision(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new StoreError(
    'BadRequest',
    `invalid resource version: resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
  )
}

/** A version from the future: the client has talked to another store. */
function tooLarge(asked: number, current: number): StoreError {
  return new StoreError('Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  })
}

function inNamespace(kind: Kind, namespace: string | undefined, key: string): boolean {
  return !kind.namespaced || namespace === undefined || key.startsWith(`${namespace}/`)
}

function hasSelector({ labelSelector, fieldSelector }: ListOptions): boolean {
  return (labelSelector ?? '') !== '' || (fieldSelector ?? '') !== ''
}

function formatToken(token: Token): string {
  return Buffer.from(JSON.stringify(token)).toString('base64url')
}

function parseToken(text: string): Token {
  const decoded = Buffer.from(text, 'base64url').toString()
  try {
    const token = JSON.parse(decoded) as Token
    if (token.v === 'serin' && Number.isSafeInteger(token.rv) && typeof token.after === 'string') return token
  } catch {
    const character = JSON.stringify(decoded.charAt(0)).slice(1, -1)
    throw new StoreError(
      'BadRequest',
      `invalid continue token: continue key is not valid: invalid character '${character}' looking for beginning of value`,
    )
  }
  const { v } = JSON.parse(decoded) as Partial<Token>
  if (v !== 'serin') {
    throw new StoreError(
      'BadRequest',
      `invalid continue token: continue key is not valid: server does not recognize this encoded version ${v ?? ''}`,
    )
  }
  throw new StoreError(
    'BadRequest',
    'invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)',
  )
}
