/** `serin lint`: the mistakes in files, offline. */
import { lintManifests } from '../compile/lint.ts'
import type { Diagnostic } from '../resources/diagnostic.ts'
import { readManifest } from '../resources/manifest.ts'
import { countText, printGithub, printJson, printSarif } from '../resources/print.ts'
import { VERSION } from '../version.ts'
import { type Invocation, usageError } from './command.ts'
import { EXIT } from './exit.ts'
import { note, print } from './output.ts'
import { showDiagnostics } from './resource-files.ts'
import { readSources, type Source } from './sources.ts'

const FORMATS: Readonly<Record<string, (diagnostics: readonly Diagnostic[], sources: readonly Source[]) => void>> = {
  text: showText,
  json: (diagnostics) => print(printJson(diagnostics)),
  github: (diagnostics) => print(printGithub(diagnostics)),
  sarif: (diagnostics) => print(printSarif(diagnostics, VERSION)),
}

export async function lint(invocation: Invocation): Promise<number> {
  const format = invocation.string('format') ?? 'text'
  const show = FORMATS[format]
  if (show === undefined) {
    throw usageError(invocation.command, `--format takes ${Object.keys(FORMATS).join(', ')}, not "${format}"`)
  }
  const paths = [...invocation.strings('filename'), ...invocation.positionals]
  if (paths.length === 0) throw usageError(invocation.command, 'say which files: serin lint PATH')
  const sources = await readSources(paths)
  const diagnostics = lintManifests(sources.map(({ file, text }) => readManifest(text, { file })))
  show(diagnostics, sources)
  return diagnostics.some(({ severity }) => severity === 'error') ? EXIT.usage : EXIT.done
}

function showText(diagnostics: readonly Diagnostic[], sources: readonly Source[]): void {
  showDiagnostics(diagnostics, sources)
  const files = `${sources.length} ${sources.length === 1 ? 'file' : 'files'}`
  note(diagnostics.length === 0 ? `${files}, no mistakes` : `${files}: ${countText(diagnostics)}`)
}
