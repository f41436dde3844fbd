/** Errors as Kubernetes puts them: `v1` Status objects and their HTTP status codes (API conventions, "Response Status Kind"). */
import type { Kind } from '../resources/kinds.ts'
import { StoreError, type StoreErrorReason } from '../store/store.ts'

const CODES: Readonly<Record<StoreErrorReason, number>> = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  Unknown: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
  InsufficientStorage: 507,
}

export interface Status {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: Readonly<Record<string, unknown>>
  readonly status: 'Success' | 'Failure'
  readonly message?: string
  readonly reason?: string
  readonly details?: Readonly<Record<string, unknown>>
  readonly code?: number
}

export function codeOf(reason: StoreErrorReason): number {
  return CODES[reason]
}

/** Anything thrown, as a Status; what is not a StoreError is a fault of ours and says no more than that. */
export function statusOf(error: unknown): Status {
  if (!(error instanceof StoreError)) {
    return failure({
      message: 'Internal error occurred: the server met an unexpected condition',
      reason: 'InternalError',
      code: 500,
    })
  }
  return failure({
    message: error.message,
    ...(error.reason === 'Unknown' ? {} : { reason: error.reason }),
    ...(error.details === undefined ? {} : { details: error.details }),
    code: CODES[error.reason],
  })
}

function failure(rest: Omit<Status, 'kind' | 'apiVersion' | 'metadata' | 'status'>): Status {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', ...rest }
}

/** What a delete answers when the object is gone. */
export function deletedStatus(kind: Kind, name: string, uid: string | undefined): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name,
      ...(kind.group === '' ? {} : { group: kind.group }),
      kind: kind.plural,
      ...(uid === undefined ? {} : { uid }),
    },
  }
}

export function notAllowed(): StoreError {
  return new StoreError('MethodNotAllowed', 'the server does not allow this method on the requested resource', {
    details: {},
  })
}

export function noSuchResource(): StoreError {
  return new StoreError('NotFound', 'the server could not find the requested resource', { details: {} })
}

/** 422 about the options of a request (`CreateOptions`, `ListOptions`…). */
export function invalidOptions(
  kind: string,
  causes: readonly { readonly reason: string; readonly message: string; readonly field: string }[],
): StoreError {
  const texts = causes.map(({ field, message }) => `${field}: ${message}`)
  const text = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`
  return new StoreError('Invalid', `${kind}.meta.k8s.io "" is invalid: ${text}`, {
    details: { group: 'meta.k8s.io', kind, causes },
  })
}
