/** The body of a server-side apply before and after it is merged: what it must be, and what comes out of it. Pure. */
import { DecodeError, decodeObject } from '../resources/kubernetes/decode.ts'
import { apiVersionOf, type Kind } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { misfit, typeOf } from './fields/typed.ts'
import { StoreError, type ObjectKey, type WriteOptions } from './store.ts'

/** The body as an object of the kind, in the place the request names. Throws StoreError `BadRequest`. */
export function checkedApply(kind: Kind, key: ObjectKey, body: unknown): KubeObject {
  if (body !== null && (typeof body !== 'object' || Array.isArray(body))) throw notAMap(body)
  const given = (body ?? {}) as Partial<KubeObject>
  const { apiVersion = '', kind: name = '' } = given
  const slash = apiVersion.indexOf('/')
  const group = slash === -1 ? '' : apiVersion.slice(0, slash)
  const version = apiVersion.slice(slash + 1)
  if (name !== kind.kind || apiVersion !== apiVersionOf(kind)) {
    throw new StoreError('BadRequest', `invalid object type: ${group}/${version}, Kind=${name}`)
  }
  const metadata = { ...given.metadata } as KubeObject['metadata']
  if (metadata.managedFields !== undefined && metadata.managedFields !== null) {
    throw new StoreError('BadRequest', 'metadata.managedFields must be nil')
  }
  if (metadata.name !== undefined && metadata.name !== key.name) {
    throw new StoreError(
      'BadRequest',
      `the name of the object (${metadata.name}) does not match the name on the URL (${key.name})`,
    )
  }
  if (metadata.namespace !== undefined && metadata.namespace !== key.namespace) {
    throw new StoreError(
      'BadRequest',
      'the namespace of the provided object does not match the namespace sent on the request',
    )
  }
  const problem = misfit(typeOf(kind), given, '')
  if (problem !== undefined) throw untyped(kind, metadata, problem)
  const place = key.namespace === undefined ? {} : { namespace: key.namespace }
  delete metadata.managedFields
  return { ...given, metadata: { ...metadata, name: key.name, ...place } } as KubeObject
}

function notAMap(body: unknown): StoreError {
  const word = Array.isArray(body) ? 'array' : typeof body === 'boolean' ? 'bool' : typeof body
  return new StoreError(
    'BadRequest',
    `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${word} into Go value of type map[string]interface {}`,
  )
}

function untyped(kind: Kind, { name, namespace = '' }: KubeObject['metadata'], problem: string): StoreError {
  const group = kind.group === '' ? `/${kind.version}` : `${kind.group}/${kind.version}`
  return new StoreError(
    'Unknown',
    `failed to create typed patch object (${namespace}/${name}; ${group}, Kind=${kind.kind}): ${problem}`,
  )
}

/** The merged object as its kind has it. Throws StoreError `BadRequest`. */
export function decodeApplied(
  kind: Kind,
  merged: KubeObject,
  { onWarning, fieldValidation }: WriteOptions,
): KubeObject {
  try {
    const { value, unknown } = decodeObject(kind, kind.version, merged)
    if (fieldValidation === 'Warn') for (const path of unknown) onWarning?.(`unknown field ${JSON.stringify(path)}`)
    return value as unknown as KubeObject
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new StoreError(
      'BadRequest',
      `${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: ${error.message}`,
    )
  }
}
