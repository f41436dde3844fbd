/** YAML files to resources that know where they stand: several documents, Lists, older versions, and all mistakes at once. */
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type ScalarTag,
  type YAMLError,
} from 'yaml'
import type { Diagnostic, Place, Severity } from './diagnostic.ts'
import { apiVersionOf, findKind, type Kind, KINDS } from './kinds.ts'
import type { KubeObject } from './object.ts'
import { type Path, type Problem, validateObject } from './schema.ts'
import { suggest } from './suggest.ts'

export interface ManifestOptions {
  /** For messages. Default `<stdin>`. */
  readonly file?: string
  /** For resources that name none. Default `default`. */
  readonly namespace?: string
}

/** A resource that was written in a file. */
export interface ManifestResource {
  readonly object: KubeObject
  readonly kind: Kind
  /** Where the document, or the item of a List, starts. */
  readonly origin: Place
  /** Where a field stands. A field that is not there: the nearest one around it that is. */
  place(path: Path, part?: 'key' | 'value'): Place
}

export interface Manifest {
  readonly file: string
  readonly text: string
  /** Of kinds that serin knows, in the order of the file. A resource with structural mistakes is among them. */
  readonly resources: readonly ManifestResource[]
  /** Syntax, unknown kinds, unknown or missing fields, wrong types. */
  readonly diagnostics: readonly Diagnostic[]
}

/** A file that repeats aliases more often than this is an attack. */
const ALIASES_MAX = 100
/** What to do about the parser's errors that people make most. */
const SYNTAX_ADVICE: Readonly<Record<string, string>> = {
  BAD_INDENT: 'a closing bracket before here, or deeper indentation',
  BLOCK_AS_IMPLICIT_KEY: 'quotes around a text that holds ": "',
  MULTILINE_IMPLICIT_KEY: 'the indentation of the lines it belongs to',
  TAB_AS_INDENT: 'spaces in place of the tab',
  DUPLICATE_KEY: 'each key once',
  MISSING_CHAR: 'a closing quote or bracket',
}
/** More mistakes in one file are counted, not listed. */
const MISTAKES_MAX = 200

/** Never throws; what cannot be read is in `diagnostics`. Pure. */
export function readManifest(text: string, options: ManifestOptions = {}): Manifest {
  const reader = new ManifestReader(text, options)
  return reader.read()
}

/** YAML 1.1's booleans and octal numbers, which Kubernetes' files use; 1.1's other surprises (sexagesimal numbers, dates) stay off. */
const YAML_1_1: readonly ScalarTag[] = [
  { tag: 'tag:yaml.org,2002:bool', default: true, test: /^(?:yes|Yes|YES|on|On|ON)$/, resolve: () => true },
  { tag: 'tag:yaml.org,2002:bool', default: true, test: /^(?:no|No|NO|off|Off|OFF)$/, resolve: () => false },
  { tag: 'tag:yaml.org,2002:int', default: true, test: /^0[0-7]+$/, resolve: (digits) => Number.parseInt(digits, 8) },
]

class ManifestReader {
  readonly #text: string
  readonly #file: string
  readonly #namespace: string
  readonly #lines = new LineCounter()
  readonly #resources: ManifestResource[] = []
  readonly #diagnostics: Diagnostic[] = []

  constructor(text: string, options: ManifestOptions) {
    this.#text = text
    this.#file = options.file ?? '<stdin>'
    this.#namespace = options.namespace ?? 'default'
  }

  read(): Manifest {
    const documents = parseAllDocuments(this.#text, {
      lineCounter: this.#lines,
      merge: true,
      prettyErrors: false,
      customTags: (tags) => [...YAML_1_1, ...tags],
    })
    for (const document of Array.isArray(documents) ? documents : []) this.#readDocument(document)
    return {
      file: this.#file,
      text: this.#text,
      resources: this.#resources,
      diagnostics: this.#diagnostics.slice(0, MISTAKES_MAX),
    }
  }

  #readDocument(document: Document.Parsed): void {
    this.#syntaxErrors(document.errors)
    if (document.errors.length > 0 || document.contents === null) return
    let value: unknown
    try {
      value = document.toJS({ maxAliasCount: ALIASES_MAX })
    } catch (error) {
      this.#mistake('error', 'yaml', (error as Error).message, this.#placeOf(document.contents))
      return
    }
    if (value !== null && value !== undefined) this.#readValue(value, document, [])
  }

  #readValue(value: unknown, document: Document.Parsed, prefix: Path): void {
    const locate: Locate = (path, part) => this.#locate(document, [...prefix, ...path], part)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.#mistake('error', 'wrong-type', 'a document that is no map', locate([]), {
        expected: 'apiVersion, kind, metadata',
      })
      return
    }
    const object = value as { apiVersion?: unknown; kind?: unknown; items?: unknown; metadata?: unknown }
    if (typeof object.kind === 'string' && object.kind.endsWith('List') && Array.isArray(object.items)) {
      for (const [index, item] of object.items.entries()) this.#readValue(item, document, [...prefix, 'items', index])
      return
    }
    const kind = this.#kindOf(object, locate)
    if (kind !== undefined) this.#readResource(object as Partial<KubeObject>, kind, locate)
  }

  #kindOf({ apiVersion, kind }: { apiVersion?: unknown; kind?: unknown }, locate: Locate): Kind | undefined {
    for (const [name, value] of Object.entries({ apiVersion, kind })) {
      if (typeof value === 'string') continue
      this.#mistake('error', 'missing-field', `missing field "${name}"`, locate([name]), {
        path: [name],
        expected: 'string',
      })
    }
    if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined
    const known = findKind(apiVersion, kind)
    if (known === undefined) this.#unknownKind(apiVersion, kind, locate)
    return known
  }

  /** A kind of a group that serin knows is a mistake; any other is somebody else's and is passed over. */
  #unknownKind(apiVersion: string, name: string, locate: Locate): void {
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
    const inGroup = KINDS.filter((entry) => entry.group === group)
    const sameName = KINDS.find((entry) => entry.kind === name)
    const otherVersion = inGroup.find((entry) => entry.kind === name)
    if (otherVersion !== undefined) {
      this.#mistake('error', 'unknown-version', `${name} has no version "${apiVersion}"`, locate(['apiVersion']), {
        path: ['apiVersion'],
        suggestion: apiVersionOf(otherVersion),
      })
      return
    }
    const suggestion = suggest(
      name,
      KINDS.map((entry) => entry.kind),
    )
    const isMistake =
      group === 'getambassador.io' || (suggestion !== undefined && inGroup.some(({ kind }) => kind === suggestion))
    this.#mistake(
      isMistake ? 'error' : 'warning',
      'unknown-kind',
      `unknown kind "${name}" in ${apiVersion}`,
      locate(['kind']),
      {
        path: ['kind'],
        ...(isMistake && suggestion !== undefined && { suggestion }),
        ...(sameName !== undefined && { expected: apiVersionOf(sameName) }),
        ...(!isMistake && { notes: ['it is passed over'] }),
      },
    )
  }

  #readResource(object: Partial<KubeObject>, kind: Kind, locate: Locate): void {
    const name = (object.metadata as { name?: unknown } | undefined)?.name
    const named = typeof name === 'string' && name !== ''
    const { namespace = this.#namespace } = object.metadata ?? {}
    const who = { kind: kind.kind, namespace: kind.namespaced ? namespace : '', name: named ? name : '' }
    const place = (path: Path, part?: 'key' | 'value'): Place => ({ ...locate(path, part), ...who })
    for (const problem of validateObject(kind, object as KubeObject)) this.#problem(problem, place)
    const generated = typeof object.metadata?.generateName === 'string'
    if (!named && !generated) {
      this.#mistake('error', 'missing-field', 'missing field "name" in metadata', place(['metadata']), {
        path: ['metadata', 'name'],
        expected: 'string',
      })
      return
    }
    const complete = object as KubeObject
    if (kind.namespaced && complete.metadata.namespace === undefined) complete.metadata.namespace = namespace
    this.#resources.push({ object: complete, kind, origin: place([]), place })
  }

  #problem({ path, code, message, expected, suggestion }: Problem, place: Locate): void {
    const isField = code === 'unknown-field' || code === 'missing-field'
    const origin = place(path, isField ? 'key' : 'value')
    const where = (isField ? path.slice(0, -1) : path).join('.')
    const who = origin.name === '' ? origin.kind : `${origin.kind} "${origin.name}"`
    this.#mistake('error', code, `${message} in ${who}${where === '' ? '' : ` (${where})`}`, origin, {
      path,
      ...(expected !== undefined && { expected }),
      ...(suggestion !== undefined && { suggestion }),
    })
  }

  #mistake(severity: Severity, code: string, message: string, origin: Place, details: Partial<Diagnostic> = {}): void {
    this.#diagnostics.push({ code, severity, message, origin, ...details })
  }

  /** Of errors that follow from one another only the last of a chain, or the first of a line, is reported. */
  #syntaxErrors(errors: readonly YAMLError[]): void {
    const lines = new Set<number>()
    for (const [index, { pos, code, message }] of errors.entries()) {
      // The parser reports the block that a wrong indentation spoils, and then the line itself.
      if (code === 'BLOCK_AS_IMPLICIT_KEY' && errors[index + 1]?.code === 'MULTILINE_IMPLICIT_KEY') continue
      const { line, col } = this.#lines.linePos(code === 'MULTILINE_IMPLICIT_KEY' ? this.#lastText(pos) : pos[0])
      if (lines.has(line)) continue
      lines.add(line)
      const origin: Place = { kind: '', namespace: '', name: '', file: this.#file, line, column: col, length: 1 }
      const expected = SYNTAX_ADVICE[code]
      this.#mistake('error', 'yaml', `this is not YAML: ${message.split('\n')[0]}`, origin, {
        ...(expected !== undefined && { expected }),
      })
    }
  }

  /** Where the last line of a range begins to say something. */
  #lastText([start, end]: readonly [number, number]): number {
    const text = this.#text.slice(start, end).trimEnd()
    const newline = text.lastIndexOf('\n')
    return start + newline + 1 + /^\s*/.exec(text.slice(newline + 1))![0].length
  }

  #locate(document: Document.Parsed, path: Path, part: 'key' | 'value' = 'value'): Place {
    let node = document.contents as Node | null
    let key: Node | undefined
    for (const [index, segment] of path.entries()) {
      const step = stepInto(resolveAlias(node, document), segment)
      if (step === undefined) return this.#placeOf(key ?? node)
      key = step.key ?? key
      node = step.value
      const isLast = index === path.length - 1
      if (isLast && step.key !== undefined && (part === 'key' || !isScalar(node))) return this.#placeOf(step.key)
    }
    return this.#placeOf(node ?? key ?? null)
  }

  #placeOf(node: Node | null): Place {
    const [start, end] = node?.range ?? [0, 0]
    const { line, col } = this.#lines.linePos(start)
    const text = this.#text.slice(start, end)
    const length = Math.max(1, isScalar(node) ? text.split('\n', 1)[0]!.trimEnd().length : 1)
    return { kind: '', namespace: '', name: '', file: this.#file, line, column: col, length }
  }
}

type Locate = (path: Path, part?: 'key' | 'value') => Place

function resolveAlias(node: Node | null, document: Document.Parsed): Node | null {
  return isAlias(node) ? (node.resolve(document) ?? null) : node
}

function stepInto(
  node: Node | null,
  segment: string | number,
): { readonly key?: Node; readonly value: Node | null } | undefined {
  if (isSeq(node)) {
    const item = node.items[Number(segment)]
    return item === undefined ? undefined : { value: item as Node }
  }
  if (!isMap(node)) return undefined
  const pair = node.items.find(
    (entry) => isPair(entry) && String(isScalar(entry.key) ? entry.key.value : entry.key) === String(segment),
  )
  return pair === undefined ? undefined : { key: pair.key as Node, value: (pair.value ?? null) as Node | null }
}
