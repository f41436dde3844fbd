/** ConfigMaps and Secrets. */
import { isSame, validateMetadata } from './metadata.ts'
import { scanJson } from './go-json.ts'
import { configKeyErrors } from './names.ts'
import { forbidden, invalid, invalids, required, tooLong, type FieldProblem } from './problems.ts'
import type { KindRules } from './kind-rules.ts'
import type { ConfigMapObject, SecretObject } from './types.ts'

/** Of all values together. */
const DATA_BYTES_MAX = 1024 * 1024

interface ImmutableConfigMap extends ConfigMapObject {
  immutable?: boolean
}

export const CONFIG_MAP_RULES: KindRules<ImmutableConfigMap> = {
  validate({ metadata, data = {}, binaryData = {} }) {
    const problems = validateMetadata(metadata, 'subdomain')
    let bytes = 0
    for (const [key, value] of Object.entries(data).sort(byKey)) {
      problems.push(...invalids(`data[${key}]`, key, configKeyErrors(key)))
      if (binaryData[key] !== undefined)
        problems.push(invalid(`data[${key}]`, key, 'duplicate of key present in binaryData'))
      bytes += Buffer.byteLength(value)
    }
    for (const [key, value] of Object.entries(binaryData).sort(byKey)) {
      problems.push(...invalids(`binaryData[${key}]`, key, configKeyErrors(key)))
      bytes += Buffer.byteLength(value, 'base64')
    }
    // The field is the object itself, which is shown so.
    if (bytes > DATA_BYTES_MAX) problems.push(tooLong('[]', DATA_BYTES_MAX))
    return problems
  },
  validateUpdate: (object, current) => immutable(object, current, ['data', 'binaryData']),
}

interface WrittenSecret extends SecretObject {
  immutable?: boolean
  /** Write only: goes into `data`. */
  stringData?: Record<string, string>
}

const fold = (secret: WrittenSecret): void => {
  const { stringData } = secret
  delete secret.stringData
  if (stringData === undefined) return
  const encoded = Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString('base64')])
  secret.data = { ...secret.data, ...(Object.fromEntries(encoded) as Record<string, string>) }
}

export const SECRET_RULES: KindRules<WrittenSecret> = {
  convert: fold,
  prepareUpdate(secret, current) {
    if (current.type !== undefined) secret.type ??= current.type
  },
  defaults(secret) {
    if (secret.type === undefined || secret.type === '') secret.type = 'Opaque'
  },
  validate(secret) {
    const { metadata, data = {} } = secret
    const problems = validateMetadata(metadata, 'subdomain')
    let bytes = 0
    for (const [key, value] of Object.entries(data).sort(byKey)) {
      problems.push(...invalids(`data[${key}]`, key, configKeyErrors(key)))
      bytes += Buffer.byteLength(value, 'base64')
    }
    if (bytes > DATA_BYTES_MAX) problems.push(tooLong('data', DATA_BYTES_MAX))
    return [...problems, ...validateType(secret)]
  },
  validateUpdate: (secret, current) => [
    ...(secret.type === current.type ? [] : [invalid('type', secret.type, 'field is immutable')]),
    ...immutable(secret, current, ['data']),
  ],
}

/** What Secrets of Kubernetes' own types have to have. */
function validateType({ type, data = {}, metadata }: WrittenSecret): FieldProblem[] {
  const needs = (...keys: readonly string[]): FieldProblem[] =>
    keys.filter((key) => data[key] === undefined).map((key) => required(`data[${key}]`))
  switch (type) {
    case 'kubernetes.io/tls':
      return needs('tls.crt', 'tls.key')
    case 'kubernetes.io/ssh-auth':
      return needs('ssh-privatekey')
    case 'kubernetes.io/basic-auth':
      return data['username'] === undefined && data['password'] === undefined ? needs('username', 'password') : []
    case 'kubernetes.io/dockerconfigjson':
      return validateJson(data, '.dockerconfigjson')
    case 'kubernetes.io/dockercfg':
      return validateJson(data, '.dockercfg')
    case 'kubernetes.io/service-account-token': {
      const annotation = 'kubernetes.io/service-account.name'
      return metadata.annotations?.[annotation] === undefined ? [required(`metadata.annotations[${annotation}]`)] : []
    }
    case undefined:
    default:
      return []
  }
}

function validateJson(data: Readonly<Record<string, string>>, key: string): FieldProblem[] {
  const value = data[key]
  if (value === undefined) return [required(`data[${key}]`)]
  try {
    scanJson(Buffer.from(value, 'base64').toString())
    return []
  } catch (error) {
    return [invalid(`data[${key}]`, '<secret contents redacted>', (error as Error).message)]
  }
}

function immutable<T extends { immutable?: boolean }>(
  object: T,
  current: T,
  fields: readonly (keyof T & string)[],
): FieldProblem[] {
  if (current.immutable !== true) return []
  const detail = 'field is immutable when `immutable` is set'
  return [
    ...(object.immutable === true ? [] : [forbidden('immutable', detail)]),
    ...fields.filter((field) => !isSame(object[field], current[field])).map((field) => forbidden(field, detail)),
  ]
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}
