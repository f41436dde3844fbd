/** The options of a request in its query, checked as a Kubernetes API server checks them. Pure. */
import { StoreError, type DeleteOptions, type ListOptions, type WriteOptions } from '../store/store.ts'
import { invalidOptions } from './status.ts'

const FIELD_MANAGER_BYTES_MAX = 128
const FIELD_VALIDATIONS = ['Ignore', 'Warn', 'Strict']

interface Cause {
  readonly reason: string
  readonly message: string
  readonly field: string
}

/** `true` also for `?watch=1`, `?watch=maybe`, `?watch`; false for `0` and `false` (as Go's conversion of queries). */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== '0' && value.toLowerCase() !== 'false'
}

/** Throws StoreError `BadRequest`, `Invalid`. */
export function listOptions(
  query: URLSearchParams,
): ListOptions & { readonly watch: boolean; readonly sendInitialEvents: boolean } {
  const watch = isTrue(query.get('watch'))
  const resourceVersion = query.get('resourceVersion') ?? ''
  const match = query.get('resourceVersionMatch') ?? ''
  const initial = query.get('sendInitialEvents')
  const causes = watch ? watchCauses(match, initial) : listCauses(resourceVersion, match, initial)
  if (causes.length > 0) throw invalidOptions('ListOptions', causes)
  const limit = integer(query, 'limit')
  return {
    watch,
    sendInitialEvents: isTrue(initial),
    ...optional('labelSelector', query.get('labelSelector')),
    ...optional('fieldSelector', query.get('fieldSelector')),
    ...optional('continue', query.get('continue')),
    ...(limit === undefined ? {} : { limit }),
    ...optional('resourceVersion', resourceVersion),
    ...(match === 'Exact' || match === 'NotOlderThan' ? { resourceVersionMatch: match } : {}),
  }
}

function watchCauses(match: string, initial: string | null): Cause[] {
  const causes: Cause[] = []
  const forbidden = (message: string): Cause => ({
    reason: 'FieldValueForbidden',
    message: `Forbidden: ${message}`,
    field: 'resourceVersionMatch',
  })
  if (initial !== null && match !== 'NotOlderThan') {
    causes.push(forbidden('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
  }
  if (match !== '' && initial === null)
    causes.push(forbidden('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'))
  if (match !== '' && initial !== null && match !== 'NotOlderThan')
    causes.push(unsupportedMatch(match, ['NotOlderThan']))
  return causes
}

function unsupportedMatch(match: string, supported: readonly string[]): Cause {
  return {
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${JSON.stringify(match)}: supported values: ${supported.map((value) => JSON.stringify(value)).join(', ')}`,
    field: 'resourceVersionMatch',
  }
}

function listCauses(resourceVersion: string, match: string, initial: string | null): Cause[] {
  const causes: Cause[] = []
  const forbidden = (message: string, field = 'resourceVersionMatch'): void => {
    causes.push({ reason: 'FieldValueForbidden', message: `Forbidden: ${message}`, field })
  }
  if (initial !== null) forbidden('sendInitialEvents is forbidden for list', 'sendInitialEvents')
  if (match === '') return causes
  if (resourceVersion === '') forbidden('resourceVersionMatch is forbidden unless resourceVersion is provided')
  if (match !== 'Exact' && match !== 'NotOlderThan') causes.push(unsupportedMatch(match, ['Exact', 'NotOlderThan', '']))
  if (match === 'Exact' && resourceVersion === '0') {
    forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
  }
  return causes
}

/** Throws StoreError `BadRequest`. */
export function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  if (/^[+-]?\d+$/.test(text)) return Number(text)
  throw new StoreError('BadRequest', `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
}

/** What kind of write it is, for the name of the options in messages. */
export type WriteKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions'

/** Throws StoreError `Invalid`. `apply`: a server-side apply, which needs a manager and may be forced. */
export function writeOptions(
  query: URLSearchParams,
  kind: WriteKind,
  userAgent: string | undefined,
  apply: boolean,
): WriteOptions & { readonly force: boolean } {
  const causes: Cause[] = []
  const dryRuns = query.getAll('dryRun').filter((value) => value !== '')
  const manager = query.get('fieldManager') ?? ''
  const validation = query.get('fieldValidation') ?? ''
  if (kind === 'PatchOptions') causes.push(...patchCauses(query, manager, apply))
  if (Buffer.byteLength(manager) > FIELD_MANAGER_BYTES_MAX) {
    const message = `Too long: may not be more than ${FIELD_MANAGER_BYTES_MAX} bytes`
    causes.push({ reason: 'FieldValueTooLong', message, field: 'fieldManager' })
  }
  if (dryRuns.some((value) => value !== 'All')) {
    const message = `Unsupported value: ${JSON.stringify(dryRuns)}: supported values: "All"`
    causes.push({ reason: 'FieldValueNotSupported', message, field: 'dryRun' })
  }
  if (validation !== '' && !FIELD_VALIDATIONS.includes(validation)) {
    const message = `Unsupported value: ${JSON.stringify(validation)}: supported values: "", "Ignore", "Strict", "Warn"`
    causes.push({ reason: 'FieldValueNotSupported', message, field: 'fieldValidation' })
  }
  if (causes.length > 0) throw invalidOptions(kind, causes)
  return {
    fieldManager: manager === '' ? managerOf(userAgent) : manager,
    dryRun: dryRuns.length > 0,
    // Kubernetes' default for requests that do not say.
    fieldValidation: validation === '' ? 'Warn' : (validation as NonNullable<WriteOptions['fieldValidation']>),
    force: isTrue(query.get('force')),
  }
}

function patchCauses(query: URLSearchParams, manager: string, apply: boolean): Cause[] {
  const causes: Cause[] = []
  if (apply && manager === '') {
    causes.push({
      reason: 'FieldValueRequired',
      message: 'Required value: is required for apply patch',
      field: 'fieldManager',
    })
  }
  if (!apply && query.has('force')) {
    causes.push({
      reason: 'FieldValueForbidden',
      message: 'Forbidden: may not be specified for non-apply patch',
      field: 'force',
    })
  }
  return causes
}

/** The first part of the client's name, as Kubernetes takes it. */
function managerOf(userAgent: string | undefined): string {
  const name = (userAgent ?? '').split('/', 1)[0] ?? ''
  return name === '' ? 'unknown' : name.slice(0, FIELD_MANAGER_BYTES_MAX)
}

/** From the body (a `v1` DeleteOptions), or else from the query. Throws StoreError `Invalid`, `BadRequest`. */
export function deleteOptions(query: URLSearchParams, body: unknown): DeleteOptions {
  const given = typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : {}
  const dryRuns = Array.isArray(given['dryRun']) ? (given['dryRun'] as unknown[]) : query.getAll('dryRun')
  if (dryRuns.some((value) => value !== 'All')) {
    const message = `Unsupported value: ${JSON.stringify(dryRuns)}: supported values: "All"`
    throw invalidOptions('DeleteOptions', [{ reason: 'FieldValueNotSupported', message, field: 'dryRun' }])
  }
  const grace = given['gracePeriodSeconds'] ?? integer(query, 'gracePeriodSeconds')
  const propagation = propagationOf(given, query)
  const preconditions = given['preconditions'] as DeleteOptions['preconditions']
  return {
    dryRun: dryRuns.length > 0,
    ...(typeof grace === 'number' ? { gracePeriodSeconds: grace } : {}),
    ...(propagation === undefined ? {} : { propagation }),
    ...(preconditions === undefined || preconditions === null ? {} : { preconditions }),
  }
}

function propagationOf(
  given: Readonly<Record<string, unknown>>,
  query: URLSearchParams,
): NonNullable<DeleteOptions['propagation']> | undefined {
  const policy = given['propagationPolicy'] ?? query.get('propagationPolicy')
  const orphan = given['orphanDependents'] ?? query.get('orphanDependents')
  if (policy !== undefined && policy !== null && orphan !== undefined && orphan !== null) {
    const message = `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set`
    throw invalidOptions('DeleteOptions', [{ reason: 'FieldValueInvalid', message, field: 'propagationPolicy' }])
  }
  if (policy === 'Foreground' || policy === 'Background' || policy === 'Orphan') return policy
  if (policy !== undefined && policy !== null && policy !== '') {
    const message = `Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan", "nil"`
    throw invalidOptions('DeleteOptions', [{ reason: 'FieldValueNotSupported', message, field: 'propagationPolicy' }])
  }
  if (orphan === true || orphan === 'true') return 'Orphan'
  return orphan === false || orphan === 'false' ? 'Background' : undefined
}

function optional<K extends string>(name: K, value: string | null): { readonly [key in K]?: string } {
  return value === null || value === '' ? {} : ({ [name]: value } as { readonly [key in K]: string })
}
