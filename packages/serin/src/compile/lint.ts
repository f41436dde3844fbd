/**
 * All mistakes of some files, offline and at once: syntax and fields, what the compiler says, what does not fit together,
 * and what the real Emissary would do differently.
 */
import type { Diagnostic } from '../resources/diagnostic.ts'
import type { Manifest, ManifestResource } from '../resources/manifest.ts'
import { findKind } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { withoutMistakes } from '../resources/prune.ts'
import { type CompilerOptions, createCompiler } from './compile.ts'
import { lintGroups } from './lint-groups.ts'
import { lintWorkloads } from './lint-workloads.ts'
import { keyOf } from './report.ts'

export interface LintOptions extends CompilerOptions {
  /** Resources that are there beside the files, in a running serin: Services that a Mapping may name. Default: none. */
  readonly known?: readonly KubeObject[]
}

/** In the order of files and lines. Pure but for reading the PEM files that TLSContexts name. */
export function lintManifests(manifests: readonly Manifest[], options: LintOptions = {}): readonly Diagnostic[] {
  const resources = manifests.flatMap((manifest) => manifest.resources)
  const { known = [] } = options
  const objects = withoutRepeats([...resources.map(({ object }) => object), ...known])
  const result = createCompiler(options).compile({ objects })
  const found = [
    ...manifests.flatMap((manifest) => manifest.diagnostics),
    ...result.diagnostics.map(escalator(objects)),
    ...lintGroups(result, objects),
    ...lintWorkloads(objects.flatMap(usable)),
  ]
  const placed = [...found.map(placer(resources)), ...duplicates(resources)]
  return unique(placed).toSorted(byPlace(manifests))
}

/** Mistakes in its structure are reported already. */
function usable(object: KubeObject): KubeObject[] {
  const kind = findKind(object.apiVersion, object.kind)
  const rest = kind === undefined ? undefined : withoutMistakes(kind, object)
  return rest === undefined ? [] : [rest]
}

/** What stands in the files comes before what is known beside them; repeats within the files are reported by themselves. */
function withoutRepeats(objects: readonly KubeObject[]): KubeObject[] {
  const byKey = new Map<string, KubeObject>()
  for (const object of objects) {
    const key = `${object.kind} ${keyOf(object)}`
    if (!byKey.has(key)) byKey.set(key, object)
  }
  return [...byKey.values()]
}

/** Files that bring their own Services name all that there are, so a name that is not among them is a mistake. */
function escalator(objects: readonly KubeObject[]): (diagnostic: Diagnostic) => Diagnostic {
  const namesOf = (wanted: string): string[] =>
    objects.filter(({ kind }) => kind === wanted).map(({ metadata }) => metadata.name)
  const services = namesOf('Service')
  const deployments = new Set(namesOf('Deployment'))
  const found = services.length === 0 ? 'none' : services.slice(0, SERVICES_SHOWN_MAX).join(', ')
  return (diagnostic) => {
    if (diagnostic.code === 'unknown-port') return { ...diagnostic, severity: 'error' }
    const isKnown = services.length > 0 || deployments.size > 0
    if (diagnostic.code !== 'unknown-service' || !isKnown) return diagnostic
    const [, name = ''] = /"([^".]+)/.exec(diagnostic.message) ?? []
    const advice = deployments.has(name)
      ? `There is a Deployment "${name}": it needs a Service`
      : 'A host outside? Write its address, or a name with a dot'
    return { ...diagnostic, severity: 'error', notes: [`found: ${found}. ${advice}`] }
  }
}

const SERVICES_SHOWN_MAX = 10

/** Gives a diagnostic about a resource the place of its field in the file. */
function placer(resources: readonly ManifestResource[]): (diagnostic: Diagnostic) => Diagnostic {
  const byName = new Map<string, ManifestResource>()
  for (const resource of resources) {
    const key = nameKey(resource.origin)
    if (!byName.has(key)) byName.set(key, resource)
  }
  return (diagnostic) => {
    if (diagnostic.origin.file !== undefined) return diagnostic
    const resource = byName.get(nameKey(diagnostic.origin))
    if (resource === undefined) return diagnostic
    const isName = diagnostic.code === 'unknown-field'
    return { ...diagnostic, origin: resource.place(diagnostic.path ?? [], isName ? 'key' : 'value') }
  }
}

function nameKey({ kind, namespace, name }: Diagnostic['origin']): string {
  return `${kind} ${namespace}/${name}`
}

function duplicates(resources: readonly ManifestResource[]): Diagnostic[] {
  const first = new Map<string, ManifestResource>()
  const found: Diagnostic[] = []
  for (const resource of resources) {
    const key = nameKey(resource.origin)
    const other = first.get(key)
    if (other === undefined) {
      first.set(key, resource)
      continue
    }
    const { file, line } = other.origin
    found.push({
      code: 'duplicate',
      severity: 'error',
      message: `a second ${resource.kind.kind} "${resource.object.metadata.name}"; the first one stands at ${file}:${line}`,
      origin: resource.place(['metadata', 'name']),
      path: ['metadata', 'name'],
      expected: 'another name, or one of the two removed',
    })
  }
  return found
}

/** The reader of files and the compiler look at the same fields: one of the two messages is enough. */
function unique(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Set<string>()
  return diagnostics.filter(({ origin, path, code }) => {
    const key = JSON.stringify([nameKey(origin), origin.file, origin.line, path, code])
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}

function byPlace(manifests: readonly Manifest[]): (left: Diagnostic, right: Diagnostic) => number {
  const order = new Map(manifests.map(({ file }, index) => [file, index]))
  const fileOf = ({ origin }: Diagnostic): number => order.get(origin.file ?? '') ?? order.size
  return (left, right) =>
    fileOf(left) - fileOf(right) ||
    (left.origin.line ?? 0) - (right.origin.line ?? 0) ||
    (left.origin.column ?? 0) - (right.origin.column ?? 0)
}
