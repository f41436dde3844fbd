/**
 * Label and field selectors as Kubernetes writes them (API conventions, "Label and field selectors"). Pure.
 * Messages are those that a Kubernetes API server gives, because clients show them to people.
 */
import type { KubeObject } from '../resources/object.ts'
import type { Kind } from '../resources/kinds.ts'
import { labelKeyError, labelValueError } from '../resources/kubernetes/names.ts'
import { StoreError } from './store.ts'

export interface Requirement {
  readonly key: string
  readonly operator: 'exists' | '!' | 'in' | 'notin' | 'gt' | 'lt'
  readonly values: readonly string[]
}

/** All of them have to hold. */
export type LabelSelector = readonly Requirement[]

export interface FieldRequirement {
  readonly field: string
  readonly equal: boolean
  readonly value: string
}

/** All of them have to hold. */
export type FieldSelector = readonly FieldRequirement[]

const BINARY_OPERATORS = 'in, notin, =, ==, !=, gt, lt'
const SPECIAL = '=!(),<>'

type Token = { readonly type: 'identifier' | 'symbol' | 'end'; readonly text: string }

/** Throws StoreError `BadRequest`. */
export function parseLabelSelector(text: string): LabelSelector {
  const reader = new TokenReader(tokens(text))
  const requirements: Requirement[] = []
  for (;;) {
    const next = reader.peek()
    if (next.type === 'end') return requirements
    if (next.type !== 'identifier' && next.text !== '!') {
      throw bad(`found '${next.text}', expected: !, identifier, or 'end of string'`)
    }
    requirements.push(parseRequirement(reader))
    const after = reader.take()
    if (after.type === 'end') return requirements
    if (after.text !== ',') throw bad(`found '${after.text}', expected: ',' or 'end of string'`)
    const following = reader.peek()
    if (following.type !== 'identifier' && following.text !== '!') {
      throw bad(`found '${following.text}', expected: identifier after ','`)
    }
  }
}

export function matchesLabels(selector: LabelSelector, labels: Readonly<Record<string, string>> | undefined): boolean {
  return selector.every((requirement) => matchesRequirement(requirement, labels?.[requirement.key]))
}

function matchesRequirement({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'exists':
      return value !== undefined
    case '!':
      return value === undefined
    case 'in':
      return value !== undefined && values.includes(value)
    case 'notin':
      return value === undefined || !values.includes(value)
    case 'gt':
    case 'lt': {
      if (value === undefined || !/^[+-]?\d+$/.test(value)) return false
      const bound = Number(values[0])
      return operator === 'gt' ? Number(value) > bound : Number(value) < bound
    }
  }
}

function parseRequirement(reader: TokenReader): Requirement {
  try {
    return requirement(reader)
  } catch (error) {
    throw error instanceof StoreError ? bad(`unable to parse requirement: ${error.message}`) : error
  }
}

function requirement(reader: TokenReader): Requirement {
  const absent = reader.peek().text === '!'
  if (absent) reader.take()
  const key = reader.take()
  if (key.type !== 'identifier') throw bad(`found '${key.text}', expected: identifier`)
  const keyError = labelKeyError(key.text)
  if (keyError !== undefined) throw bad(`<nil>: Invalid value: ${JSON.stringify(key.text)}: ${keyError}`)
  const next = reader.peek()
  if (absent) return { key: key.text, operator: '!', values: [] }
  if (next.type === 'end' || next.text === ',') return { key: key.text, operator: 'exists', values: [] }
  const operator = reader.take()
  switch (operator.text) {
    case 'in':
    case 'notin':
      return checked({ key: key.text, operator: operator.text, values: parseValues(reader) })
    case '=':
    case '==':
      return checked({ key: key.text, operator: 'in', values: [parseExactValue(reader)] })
    case '!=':
      return checked({ key: key.text, operator: 'notin', values: [parseExactValue(reader)] })
    case '>':
      return checked({ key: key.text, operator: 'gt', values: [parseExactValue(reader)] })
    case '<':
      return checked({ key: key.text, operator: 'lt', values: [parseExactValue(reader)] })
    default:
      throw bad(`found '${operator.text}', expected: ${BINARY_OPERATORS}`)
  }
}

function checked(found: Requirement): Requirement {
  found.values.forEach((value, index) => {
    const quoted = `values[${index}]: Invalid value: ${JSON.stringify(value)}`
    if ((found.operator === 'gt' || found.operator === 'lt') && !/^[+-]?\d+$/.test(value)) {
      throw bad(`${quoted}: for 'Gt', 'Lt' operators, the value must be an integer`)
    }
    const error = labelValueError(value)
    if (error !== undefined)
      throw bad(`values[${index}][${found.key}]: Invalid value: ${JSON.stringify(value)}: ${error}`)
  })
  return found
}

function parseValues(reader: TokenReader): string[] {
  const open = reader.take()
  if (open.text !== '(') throw bad(`found '${open.text}' expected: '('`)
  const values: string[] = []
  for (;;) {
    const token = reader.take()
    if (token.type === 'identifier') {
      values.push(token.text)
      const after = reader.take()
      if (after.text === ')') break
      if (after.text !== ',') throw bad(`found '${after.text}', expected: ',' or ')'`)
      if (reader.peek().text === ')') values.push('')
    } else if (token.text === ',') values.push('')
    else if (token.text === ')') break
    else throw bad(`found '${token.text}', expected: ',', ')' or identifier`)
  }
  return [...new Set(values)].sort()
}

function parseExactValue(reader: TokenReader): string {
  const next = reader.peek()
  if (next.type === 'end' || next.text === ',') return ''
  const value = reader.take()
  if (value.type !== 'identifier') throw bad(`found '${value.text}', expected: identifier`)
  return value.text
}

function tokens(text: string): Token[] {
  const found: Token[] = []
  let at = 0
  while (at < text.length) {
    const character = text.charAt(at)
    if (/\s/.test(character)) {
      at += 1
      continue
    }
    let end = at + 1
    if (SPECIAL.includes(character)) {
      if (['==', '!='].includes(text.slice(at, at + 2))) end += 1
      found.push({ type: 'symbol', text: text.slice(at, end) })
    } else {
      while (end < text.length && !SPECIAL.includes(text.charAt(end)) && !/\s/.test(text.charAt(end))) end += 1
      found.push({ type: 'identifier', text: text.slice(at, end) })
    }
    at = end
  }
  return found
}

class TokenReader {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(list: readonly Token[]) {
    this.#tokens = list
  }

  peek(): Token {
    return this.#tokens[this.#at] ?? { type: 'end', text: '' }
  }

  take(): Token {
    const token = this.peek()
    this.#at += 1
    return token
  }
}

/** Throws StoreError `BadRequest`, also for a field that the kind cannot be selected by. */
export function parseFieldSelector(text: string, kind: Kind): FieldSelector {
  const requirements: FieldRequirement[] = []
  for (const part of text.split(/(?<!\\),/)) {
    if (part === '') continue
    const match = /^(.*?)(==|!=|=)(.*)$/s.exec(part)
    if (match === null) throw bad(`invalid selector: '${text}'; can't understand '${part}'`)
    const [, field = '', operator, value = ''] = match
    if (!selectable(kind).includes(field)) {
      throw bad(
        FIELDS[`${kind.group}/${kind.kind}`] !== undefined
          ? `field label not supported: ${field}`
          : `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
      )
    }
    requirements.push({ field, equal: operator !== '!=', value: value.replaceAll(/\\([\\,=])/g, '$1') })
  }
  return requirements
}

export function matchesFields(selector: FieldSelector, object: KubeObject): boolean {
  return selector.every(({ field, equal, value }) => (fieldOf(object, field) === value) === equal)
}

const EVERY_KIND = ['metadata.name', 'metadata.namespace']
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  '/Pod': [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  '/Event': [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  '/Namespace': ['status.phase'],
  '/Node': ['spec.unschedulable'],
  '/Secret': ['type'],
  '/Service': ['spec.clusterIP', 'spec.type'],
}

function selectable(kind: Kind): readonly string[] {
  return [...EVERY_KIND, ...(FIELDS[`${kind.group}/${kind.kind}`] ?? [])]
}

/** Where a selector's name differs from the path in the object. */
const FIELD_PATHS: Readonly<Record<string, string>> = {
  source: 'source.component',
  'status.podIPs': 'status.podIP',
}

function fieldOf(object: KubeObject, field: string): string {
  let value: unknown = object
  for (const part of (FIELD_PATHS[field] ?? field).split('.')) {
    if (typeof value !== 'object' || value === null) return absentField(field)
    value = (value as Readonly<Record<string, unknown>>)[part]
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : absentField(field)
}

/** Booleans that are not set read as false. */
function absentField(field: string): string {
  return field === 'spec.unschedulable' || field === 'spec.hostNetwork' ? 'false' : ''
}

function bad(message: string): StoreError {
  return new StoreError('BadRequest', message)
}
