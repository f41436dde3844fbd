/** Resources from files, ready to be applied: checked, in the order in which they have to be written, with the images they name. */
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

import type { ImageDirectories } from '../image-directories.ts'
import { lintManifests } from '../compile/lint.ts'
import type { Diagnostic } from '../resources/diagnostic.ts'
import { KINDS, type Kind } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { type ManifestResource, readManifest } from '../resources/manifest.ts'
import { countText, printText } from '../resources/print.ts'
import { CliError, EXIT } from './exit.ts'
import { note } from './output.ts'
import { readSources, type Source } from './sources.ts'

const IMAGE_DIRECTORY = 'serin.dev/image-directory'

export interface ResourceFiles {
  readonly resources: readonly ManifestResource[]
  readonly images: ImageDirectories
  /** `k8s/ (4 files): 1 Deployment, 2 Mappings`. */
  readonly summary: string
}

export interface ReadOptions {
  /** Of `--image NAME=DIR`. */
  readonly imageFlags?: readonly string[]
  /** What is there beside the files, for references. */
  readonly known?: readonly KubeObject[]
}

/** Throws CliError (exit code 2) after it has shown every mistake. Warnings are shown and do not stop anything. */
export async function readResources(paths: readonly string[], options: ReadOptions = {}): Promise<ResourceFiles> {
  const { imageFlags = [], known = [] } = options
  const sources = await readSources(paths)
  const manifests = sources.map(({ file, text }) => readManifest(text, { file }))
  const resources = manifests.flatMap((manifest) => manifest.resources)
  const annotated = annotatedImages(resources)
  const diagnostics = [
    // What is already there may have mistakes of its own: they are not this command's.
    ...lintManifests(manifests, { known }).filter(({ origin }) => origin.file !== undefined),
    ...annotated.diagnostics,
  ]
  showDiagnostics(diagnostics, sources)
  if (diagnostics.some(({ severity }) => severity === 'error')) {
    throw new CliError(`${countText(diagnostics)}; nothing was changed`, { exitCode: EXIT.usage })
  }
  return {
    resources: resources.toSorted((left, right) => KINDS.indexOf(left.kind) - KINDS.indexOf(right.kind)),
    images: { ...annotated.images, ...flaggedImages(imageFlags) },
    summary: summaryOf(paths, sources.length, resources),
  }
}

/** With an excerpt and a caret, on stderr. */
export function showDiagnostics(diagnostics: readonly Diagnostic[], sources: readonly Source[]): void {
  if (diagnostics.length === 0) return
  const color = process.stderr.hasColors?.() === true && (process.env['NO_COLOR'] ?? '') === ''
  note(printText(diagnostics, { sources: new Map(sources.map(({ file, text }) => [file, text])), color }))
}

interface WithTemplate {
  readonly spec?: {
    readonly template?: {
      readonly metadata?: { readonly annotations?: Record<string, string> }
      readonly spec?: { readonly containers?: readonly { readonly image?: string }[] }
    }
  }
}

/** What the annotation on pod templates says, relative to the file it stands in. */
function annotatedImages(resources: readonly ManifestResource[]): {
  readonly images: ImageDirectories
  readonly diagnostics: readonly Diagnostic[]
} {
  const images: Record<string, string> = {}
  const diagnostics: Diagnostic[] = []
  for (const resource of resources) {
    const { origin } = resource
    const { spec } = resource.object as unknown as WithTemplate
    const directory = spec?.template?.metadata?.annotations?.[IMAGE_DIRECTORY]
    const image = spec?.template?.spec?.containers?.[0]?.image
    if (typeof directory !== 'string' || typeof image !== 'string') continue
    const inFile = origin.file !== undefined && origin.file !== '<stdin>'
    const absolute = resolve(inFile ? dirname(origin.file) : '.', directory)
    if (existsSync(absolute)) images[image] = absolute
    else {
      diagnostics.push({
        code: 'image-directory-missing',
        severity: 'error',
        message: `the directory of image "${image}" does not exist: ${absolute}`,
        origin: resource.place(['spec', 'template', 'metadata', 'annotations', IMAGE_DIRECTORY]),
        expected: 'a directory, relative to this file',
      })
    }
  }
  return { images, diagnostics }
}

function flaggedImages(flags: readonly string[]): ImageDirectories {
  return Object.fromEntries(
    flags.map((flag) => {
      const [name = '', directory = ''] = flag.split('=', 2)
      if (name === '' || directory === '') {
        throw new CliError(`--image takes NAME=DIR, not "${flag}"`, { exitCode: EXIT.usage })
      }
      const absolute = resolve(directory)
      if (!existsSync(absolute)) {
        throw new CliError(`the directory of image "${name}" does not exist: ${absolute}`, { exitCode: EXIT.usage })
      }
      return [name, absolute]
    }),
  )
}

function summaryOf(paths: readonly string[], fileCount: number, resources: readonly ManifestResource[]): string {
  const counts = new Map<Kind, number>()
  for (const { kind } of resources) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  const words = [...counts].map(([kind, count]) => `${count} ${count === 1 ? kind.kind : pluralOf(kind.kind)}`)
  const files = `${fileCount} ${fileCount === 1 ? 'file' : 'files'}`
  return `${paths.join(', ')} (${files}): ${words.join(', ')}`
}

function pluralOf(word: string): string {
  return /(s|x|ch)$/.test(word) ? `${word}es` : word.replace(/y$/, 'ie').concat('s')
}
