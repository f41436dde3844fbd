/** `serin api diff OLD NEW`: two OpenAPI documents compared, so that a CI can refuse a break that is no new version. */
import { compareDocuments, printChanges, type OpenApiDocument, type SpecChange } from '@serin/versioning/openapi'
import { LineCounter, parseDocument } from 'yaml'

import { type Invocation, usageError } from './command.ts'
import { CliError, EXIT } from './exit.ts'
import { note, paint, print } from './output.ts'
import { readSources } from './sources.ts'

const FORMATS: Readonly<Record<string, (changes: readonly SpecChange[], all: boolean) => void>> = {
  text: showText,
  json: (changes) => print(JSON.stringify({ breaking: breaksIn(changes).length, changes }, null, 2)),
}
const FETCH_MS_MAX = 30_000

/** Resolves to 1 if the new document breaks clients of the old one. */
export async function apiDiff(invocation: Invocation): Promise<number> {
  const { command, positionals } = invocation
  const [, oldPlace, newPlace] = positionals
  const show = FORMATS[invocation.string('output') ?? 'text']
  if (show === undefined) throw usageError(command, `-o takes ${Object.keys(FORMATS).join(' or ')}`)
  if (oldPlace === undefined || newPlace === undefined)
    throw usageError(command, 'say which documents: serin api diff OLD NEW')
  const changes = compare(await readDocument(oldPlace), await readDocument(newPlace))
  show(changes, invocation.boolean('all'))
  return breaksIn(changes).length > 0 ? EXIT.failed : EXIT.done
}

interface Named {
  readonly place: string
  readonly document: unknown
}

function compare(before: Named, after: Named): readonly SpecChange[] {
  try {
    return compareDocuments(before.document as OpenApiDocument, after.document as OpenApiDocument)
  } catch (error) {
    const message = (error as Error).message.replace(
      /the (old|new) document/,
      (_all, which) => (which === 'old' ? before : after).place,
    )
    throw new CliError(message, { exitCode: EXIT.usage, cause: error })
  }
}

/** A file (JSON or YAML), `-` for stdin, or an address of a running API. */
async function readDocument(place: string): Promise<Named> {
  const text = /^https?:\/\//.test(place) ? await fetchText(place) : ((await readSources([place]))[0]?.text ?? '')
  const lines = new LineCounter()
  const parsed = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [error] = parsed.errors
  if (error === undefined) return { place, document: parsed.toJS() }
  const { line, col } = lines.linePos(error.pos[0])
  const source = text.split('\n')[line - 1] ?? ''
  const caret = `${' '.repeat(String(line).length + 3 + col - 1)}^`
  throw new CliError(`${place}:${line}:${col}: ${error.message}\n${line} | ${source}\n${caret}`, {
    exitCode: EXIT.usage,
  })
}

async function fetchText(place: string): Promise<string> {
  try {
    const response = await fetch(place, { signal: AbortSignal.timeout(FETCH_MS_MAX) })
    if (response.ok) return await response.text()
    throw new Error(`it answered ${response.status}`)
  } catch (error) {
    const cause = (error as Error).cause
    const reason = cause instanceof Error ? cause.message : (error as Error).message
    throw new CliError(`cannot read ${place}: ${reason}`, { exitCode: EXIT.usage, cause: error })
  }
}

function breaksIn(changes: readonly SpecChange[]): readonly SpecChange[] {
  return changes.filter(({ level }) => level === 'breaking')
}

function showText(changes: readonly SpecChange[], all: boolean): void {
  const shown = all ? changes : changes.filter(({ level }) => level !== 'addition')
  for (const change of shown) {
    const line = printChanges([change]).trimEnd()
    print(change.level === 'breaking' ? paint('red', line) : change.level === 'warning' ? paint('yellow', line) : line)
  }
  const count = breaksIn(changes).length
  const hidden = changes.length - shown.length
  const rest = hidden === 0 ? '' : `; ${hidden} harmless ${hidden === 1 ? 'addition' : 'additions'} (--all shows them)`
  note(`${count === 0 ? 'nothing breaks' : `${count} ${count === 1 ? 'break' : 'breaks'}`}${rest}`)
}
