/** Diagnostics for people (an excerpt with a caret), for programs (JSON), for GitHub and for SARIF readers. */
import { pathToFileURL } from 'node:url'
import type { Diagnostic, Severity } from './diagnostic.ts'

export interface PrintOptions {
  /** The text of each file that diagnostics point into. */
  readonly sources?: ReadonlyMap<string, string>
  /** Default false. */
  readonly color?: boolean
}

const RED = '31'
const YELLOW = '33'
const CYAN = '36'
const BOLD = '1'
const DIM = '2'

const COLORS: Readonly<Record<Severity, string>> = { error: RED, warning: YELLOW, note: CYAN }

/** `file:line:column: message`, the line before, the line, a caret. One blank line between two. Pure. */
export function printText(diagnostics: readonly Diagnostic[], options: PrintOptions = {}): string {
  const split = new Map<string, readonly string[]>()
  const linesOf: LinesOf = (file) => {
    const text = options.sources?.get(file)
    const lines = split.get(file) ?? text?.split(/\r?\n/)
    if (lines !== undefined) split.set(file, lines)
    return lines
  }
  return diagnostics.map((diagnostic) => printOne(diagnostic, linesOf, options)).join('\n')
}

/** The lines of a file, split once however many diagnostics point into it. */
type LinesOf = (file: string) => readonly string[] | undefined

function printOne(diagnostic: Diagnostic, linesOf: LinesOf, options: PrintOptions): string {
  const paint = (code: string, text: string): string =>
    options.color === true ? `\u001b[${code}m${text}\u001b[0m` : text
  const { severity, message, expected, suggestion, notes = [] } = diagnostic
  const label = severity === 'error' ? '' : `${severity}: `
  const lines = [`${paint(BOLD, `${placeText(diagnostic)}:`)} ${paint(COLORS[severity], `${label}${message}`)}`]
  const advice = suggestion === undefined ? undefined : `did you mean ${quoted(suggestion)}?`
  const excerpt = excerptOf(diagnostic, linesOf)
  if (excerpt !== undefined) {
    const caret = paint(COLORS[severity], '^'.repeat(excerpt.length))
    const hint = advice ?? (expected === undefined ? '' : `expected ${expected}`)
    lines.push(...excerpt.lines.map((line) => paint(DIM, line)), `${excerpt.indent}${caret} ${hint}`.trimEnd())
  } else if (advice !== undefined) lines.push(`     = ${advice}`)
  if (expected !== undefined && (excerpt === undefined || advice !== undefined))
    lines.push(`     = expected ${expected}`)
  lines.push(...notes.map((note) => `     = ${note}`))
  return `${lines.join('\n')}\n`
}

/** A name is quoted; a number, a truth value, a list or a whole line stands by itself. */
function quoted(suggestion: string): string {
  return /["[:]|^[\d-]|^(?:true|false)$/.test(suggestion) ? suggestion : `"${suggestion}"`
}

/** `file:line:column`, or `Mapping default/name spec.weight` for what came from no file. Pure. */
function placeText({ origin, path }: Diagnostic): string {
  if (origin.file !== undefined)
    return [origin.file, origin.line, origin.column].filter((part) => part !== undefined).join(':')
  const name = origin.namespace === '' ? origin.name : `${origin.namespace}/${origin.name}`
  return [origin.kind, name, path?.join('.')].filter((part) => part !== undefined && part !== '').join(' ')
}

/** Longer lines are cut around the caret. */
const LINE_LENGTH_MAX = 160

function excerptOf(
  { origin }: Diagnostic,
  linesOf: LinesOf,
): { lines: string[]; indent: string; length: number } | undefined {
  const { file, line, column = 1, length = 1 } = origin
  const all = file === undefined ? undefined : linesOf(file)
  if (all === undefined || line === undefined) return undefined
  const current = all[line - 1]
  if (current === undefined) return undefined
  const cut = column > LINE_LENGTH_MAX ? column - LINE_LENGTH_MAX / 2 : 0
  const width = Math.max(4, String(line).length + 3)
  const row = (number: number, content: string): string =>
    `${String(number).padStart(width)} | ${content.slice(cut, cut + LINE_LENGTH_MAX).replaceAll('\t', ' ')}`.trimEnd()
  const before = all[line - 2]
  const lines = [
    ...(before === undefined || before.trim() === '' || before === '---' ? [] : [row(line - 1, before)]),
    row(line, current),
  ]
  const room = Math.max(1, Math.min(current.length - column + 1, LINE_LENGTH_MAX))
  return {
    lines,
    indent: `${' '.repeat(width)} | ${' '.repeat(column - 1 - cut)}`,
    length: Math.max(1, Math.min(length, room)),
  }
}

/** `2 errors, 1 warning`. Pure. */
export function countText(diagnostics: readonly Diagnostic[]): string {
  const count = (severity: Severity): number =>
    diagnostics.filter((diagnostic) => diagnostic.severity === severity).length
  const word = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`
  const notes = count('note')
  return [
    word(count('error'), 'error'),
    word(count('warning'), 'warning'),
    ...(notes === 0 ? [] : [word(notes, 'note')]),
  ].join(', ')
}

/** One JSON document. Pure. */
export function printJson(diagnostics: readonly Diagnostic[]): string {
  const count = (severity: Severity): number =>
    diagnostics.filter((diagnostic) => diagnostic.severity === severity).length
  const document = {
    apiVersion: 'serin.dev/v1',
    kind: 'Diagnostics',
    errors: count('error'),
    warnings: count('warning'),
    items: diagnostics,
  }
  return `${JSON.stringify(document, undefined, 2)}\n`
}

const GITHUB: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', note: 'notice' }

/** GitHub's workflow commands, one a line. Pure. */
export function printGithub(diagnostics: readonly Diagnostic[]): string {
  const escapeData = (text: string): string =>
    text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
  const escapeProperty = (text: string): string => escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
  return diagnostics
    .map((diagnostic) => {
      const { file, line, column, length } = diagnostic.origin
      const properties = {
        file,
        line,
        col: column,
        endColumn: column === undefined || length === undefined ? undefined : column + length,
        title: diagnostic.code,
      }
      const list = Object.entries(properties).filter(([, value]) => value !== undefined)
      const text = list.map(([name, value]) => `${name}=${escapeProperty(String(value))}`).join(',')
      return `::${GITHUB[diagnostic.severity]} ${text}::${escapeData(sentence(diagnostic))}\n`
    })
    .join('')
}

/** SARIF 2.1.0. Pure. */
export function printSarif(diagnostics: readonly Diagnostic[], version: string): string {
  const codes = [...new Set(diagnostics.map(({ code }) => code))]
  const driver = {
    name: 'serin',
    version,
    rules: codes.map((id) => ({ id, shortDescription: { text: id.replaceAll('-', ' ') } })),
  }
  const results = diagnostics.map((diagnostic) => ({
    ruleId: diagnostic.code,
    ruleIndex: codes.indexOf(diagnostic.code),
    level: diagnostic.severity,
    message: { text: sentence(diagnostic) },
    locations: locationsOf(diagnostic),
  }))
  const document = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver }, columnKind: 'utf16CodeUnits', results }],
  }
  return `${JSON.stringify(document, undefined, 2)}\n`
}

function locationsOf({ origin }: Diagnostic): object[] {
  const { file, line, column = 1, length = 1 } = origin
  if (file === undefined) return []
  const uri = file.startsWith('/') ? pathToFileURL(file).href : file
  const region =
    line === undefined ? {} : { region: { startLine: line, startColumn: column, endColumn: column + length } }
  return [{ physicalLocation: { artifactLocation: { uri }, ...region } }]
}

function sentence({ message, expected, suggestion, notes = [] }: Diagnostic): string {
  const parts = [message]
  if (suggestion !== undefined) parts.push(`did you mean ${quoted(suggestion)}?`)
  if (expected !== undefined) parts.push(`expected ${expected}`)
  return [parts.join('; '), ...notes].join('. ')
}
