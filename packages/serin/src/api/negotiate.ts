/** Which representation a client accepts, and how an answer is written in it. Pure. */
import { stringify } from 'yaml'
import { StoreError } from '../store/store.ts'

export interface Representation {
  readonly format: 'json' | 'yaml'
  /** `as=` of the media type. */
  readonly as?: 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList' | 'APIGroupDiscoveryList'
  /** Of the group `as` belongs to. */
  readonly version?: string
}

const AVAILABLE = 'application/json, application/yaml, application/vnd.kubernetes.protobuf'
const FORMATS: Readonly<Record<string, 'json' | 'yaml'>> = {
  'application/json': 'json',
  'application/yaml': 'yaml',
  '*/*': 'json',
}
/** `as` → the groups and versions it is served in. */
const AS: Readonly<Record<string, { readonly group: string; readonly versions: readonly string[] }>> = {
  Table: { group: 'meta.k8s.io', versions: ['v1', 'v1beta1'] },
  PartialObjectMetadata: { group: 'meta.k8s.io', versions: ['v1', 'v1beta1'] },
  PartialObjectMetadataList: { group: 'meta.k8s.io', versions: ['v1', 'v1beta1'] },
  APIGroupDiscoveryList: { group: 'apidiscovery.k8s.io', versions: ['v2', 'v2beta1'] },
}

/** The first accepted one that we have. Throws StoreError `NotAcceptable`. */
export function negotiate(accept: string | undefined): Representation {
  if (accept === undefined || accept.trim() === '') return { format: 'json' }
  const clauses = accept
    .split(',')
    .map(parseClause)
    .sort((a, b) => b.quality - a.quality)
  for (const clause of clauses) {
    const format = FORMATS[clause.type]
    if (format === undefined) continue
    const as = clause.parameters['as']
    if (as === undefined) return { format }
    const served = AS[as]
    const version = clause.parameters['v'] ?? ''
    if (served?.group !== clause.parameters['g'] || served?.versions.includes(version) !== true) continue
    return { format, as: as as NonNullable<Representation['as']>, version }
  }
  if (clauses.some(({ type }) => FORMATS[type] !== undefined)) {
    throw new StoreError('NotAcceptable', `only the following media types are accepted: ${AVAILABLE}`)
  }
  throw new StoreError('NotAcceptable', `406: Not Acceptable\n\nAvailable representations: ${AVAILABLE}`, {
    details: {},
  })
}

function parseClause(text: string): { type: string; quality: number; parameters: Record<string, string> } {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim())
  const parameters: Record<string, string> = {}
  for (const part of rest) {
    const equals = part.indexOf('=')
    if (equals > 0) parameters[part.slice(0, equals).toLowerCase()] = part.slice(equals + 1)
  }
  const quality = Number(parameters['q'] ?? 1)
  return { type: type.toLowerCase(), quality: Number.isNaN(quality) ? 0 : quality, parameters }
}

export function contentTypeOf({ format, as, version }: Representation): string {
  const base = format === 'json' ? 'application/json' : 'application/yaml'
  return as === 'APIGroupDiscoveryList' ? `${base};g=apidiscovery.k8s.io;v=${version};as=${as}` : base
}

/** The octets of an answer's body. */
export function encode(value: unknown, { format }: Representation, isPretty = false): string {
  return format === 'json' ? `${JSON.stringify(value, undefined, isPretty ? 2 : undefined)}\n` : toYaml(value)
}

/** YAML as Kubernetes' writers make it: sorted keys, strings quoted when YAML 1.1 would read them as something else. */
function toYaml(value: unknown): string {
  const text = stringify(value, {
    version: '1.1',
    sortMapEntries: true,
    indentSeq: false,
    lineWidth: 0,
    defaultStringType: 'PLAIN',
    defaultKeyType: 'PLAIN',
    aliasDuplicateObjects: false,
  })
  // A lone dot (`fieldsV1`) is no number, whatever the library thinks.
  return text.replaceAll(/^(\s*(?:- )?)"\.":/gm, '$1.:')
}
