/** The patches of the Kubernetes API (API concepts, "Patch"): what an object is afterwards, checked against its kind. Pure. */
import { isCustom } from '../resources/kubernetes/custom.ts'
import { DecodeError, decodeObject } from '../resources/kubernetes/decode.ts'
import type { KubeObject } from '../resources/object.ts'
import type { Kind } from '../resources/kinds.ts'
import { goText } from './go-text.ts'
import { applyJsonPatch } from './json-patch.ts'
import { mergePatch } from './merge-patch.ts'
import { StoreError, type Patch, type WriteOptions } from './store.ts'
import { strategicPatch } from './strategic-patch.ts'

type PlainPatch = Exclude<Patch, { type: 'apply' }>

/** Throws StoreErrors. With `fieldValidation` set, the result is decoded as a request's body would be. */
export function applyPatch(kind: Kind, current: KubeObject, patch: PlainPatch, options: WriteOptions = {}): KubeObject {
  const patched = plainPatch(kind, current, patch)
  checkIdentity(current, patched)
  if (options.fieldValidation === undefined) return patched
  return decoded(kind, patched, patch, options)
}

function plainPatch(kind: Kind, current: KubeObject, patch: PlainPatch): KubeObject {
  switch (patch.type) {
    case 'merge':
      return mergePatch(current, patch.body) as KubeObject
    case 'json':
      return applyJsonPatch(current, patch.body) as KubeObject
    case 'strategic':
      return strategicPatch(kind, current, patch.body) as KubeObject
  }
}

/** A patch cannot make another object of it. */
function checkIdentity(current: KubeObject, patched: KubeObject): void {
  const { name, namespace } = patched.metadata ?? {}
  if (name !== current.metadata.name) {
    throw new StoreError(
      'BadRequest',
      `the name of the object (${name ?? ''}) does not match the name on the URL (${current.metadata.name})`,
    )
  }
  if (namespace !== current.metadata.namespace) {
    throw new StoreError(
      'BadRequest',
      'the namespace of the provided object does not match the namespace sent on the request',
    )
  }
}

function decoded(
  kind: Kind,
  patched: KubeObject,
  patch: PlainPatch,
  { fieldValidation, onWarning }: WriteOptions,
): KubeObject {
  const touched = isCustom(kind) ? patched : patch.body
  const shown = patch.type === 'strategic' ? goText(patch.body) : JSON.stringify(sortedForMessage(patched, touched))
  try {
    // A strategic patch works on the typed object: the kind stays what it was.
    const typed = patch.type === 'strategic' ? { ...patched, kind: kind.kind } : patched
    if (typed.kind !== kind.kind) throw new DecodeError(otherKind(typed))
    const { value, unknown } = decodeObject(kind, kind.version, typed)
    const duplicates = patch.type === 'merge' ? (patch.duplicates ?? []) : []
    const problems = [
      ...duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
      ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
    ]
    if (problems.length > 0 && fieldValidation === 'Strict')
      throw new DecodeError(`strict decoding error: ${problems.join(', ')}`)
    if (fieldValidation === 'Warn') for (const problem of problems) onWarning?.(problem)
    return value as unknown as KubeObject
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw invalidPatch(shown, patch.type === 'strategic' ? conversionMessage(error) : error.message)
  }
}

function otherKind({ kind, apiVersion }: KubeObject): string {
  // What Go's decoder meets first in a Secret made of a ConfigMap's data.
  if (kind === 'Secret') return 'illegal base64 data at input byte 0'
  return `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:110"`
}

/** The words of Go's conversion from untyped values, which strategic patches go through. */
function conversionMessage({ message, goType, found }: DecodeError): string {
  if (goType === undefined) return message
  if (goType.startsWith('[]')) return `cannot restore slice from ${found}`
  if (goType.startsWith('map[')) return `cannot restore map from ${found}`
  if (['string', 'bool', 'int32', 'int64', 'float64'].includes(goType)) return `unrecognized type: ${goType}`
  return GO_STRINGS.test(goType) ? 'unrecognized type: string' : `cannot restore struct from: ${found}`
}

/** Named string types of Go. */
const GO_STRINGS = /Policy$|Type$|Protocol$|Affinity$|Scheme$|Operator$|Medium$|Phase$|Class$|Status$|UID$/

/** As Go writes what a merge touched: keys in order. What it did not touch stays as it was; custom resources are sorted whole. */
function sortedForMessage(value: unknown, patch: unknown): unknown {
  if (Array.isArray(value) && Array.isArray(patch))
    return value.map((entry: unknown, index) => sortedForMessage(entry, patch[index]))
  if (!isMap(value) || !isMap(patch)) return value
  const keys = Object.keys(value).sort()
  return Object.fromEntries(keys.map((key) => [key, sortedForMessage(value[key], patch[key])]))
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalidPatch(shown: string, why: string): StoreError {
  const message = `Invalid value: ${JSON.stringify(shown)}: ${why}`
  return new StoreError('Invalid', ` "" is invalid: patch: ${message}`, {
    details: { causes: [{ reason: 'FieldValueInvalid', message, field: 'patch' }] },
  })
}
