/** CustomResourceDefinitions: taken for the kinds we serve anyway, refused for all others, because nothing here would act on them. */
import type { KubeObject } from '../object.ts'
import { KINDS } from '../kinds.ts'
import { validateMetadata } from './metadata.ts'
import { invalid } from './problems.ts'
import type { KindRules } from './kind-rules.ts'

interface DefinitionObject extends KubeObject {
  spec: {
    group: string
    scope: string
    names: {
      kind: string
      plural: string
      singular?: string
      listKind?: string
      shortNames?: string[]
      categories?: string[]
    }
    versions: { name: string; served?: boolean; storage?: boolean }[]
    conversion?: unknown
  }
}

export const DEFINITION_RULES: KindRules<DefinitionObject> = {
  convert(definition) {
    definition.spec ??= { group: '', scope: '', names: { kind: '', plural: '' }, versions: [] }
  },
  prepareCreate(definition) {
    const { names, versions = [] } = definition.spec as Partial<DefinitionObject['spec']>
    const at = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
    const condition = (type: string, reason: string, message: string): unknown => ({
      type,
      status: 'True',
      reason,
      message,
      lastTransitionTime: at,
    })
    definition.status = {
      acceptedNames: names,
      conditions: [
        condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
        condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
      ],
      storedVersions: versions.filter(({ storage }) => storage === true).map(({ name }) => name),
    }
  },
  defaults({ spec }) {
    spec.names.singular ??= spec.names.kind.toLowerCase()
    spec.names.listKind ??= `${spec.names.kind}List`
    spec.conversion ??= { strategy: 'None' }
  },
  validate({ metadata, spec }) {
    const problems = validateMetadata(metadata, 'subdomain')
    const { group = '', names } = spec as Partial<DefinitionObject['spec']>
    const expected = `${names?.plural}.${group}`
    if (metadata.name !== expected)
      problems.push(invalid('metadata.name', metadata.name, `must be spec.names.plural+"."+spec.group`))
    if (!KINDS.some((kind) => kind.group === group && kind.kind === names?.kind)) {
      problems.push(
        invalid(
          'spec.names.kind',
          names?.kind,
          `serin knows no kind ${names?.kind} in the group ${group}: nothing here would act on its objects`,
        ),
      )
    }
    return problems
  },
}
