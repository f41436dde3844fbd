/** What holds for the metadata of every kind (apimachinery's `ValidateObjectMeta`). Pure. */
import { isDeepStrictEqual } from 'node:util'
import type { ObjectMeta } from '../object.ts'
import { dns1035LabelErrors, dnsLabelErrors, labelValueErrors, qualifiedNameErrors, subdomainErrors } from './names.ts'
import { forbidden, invalid, invalids, required, tooLong, type FieldProblem } from './problems.ts'

const ANNOTATIONS_BYTES_MAX = 256 * 1024
const STANDARD_FINALIZERS = ['kubernetes', 'orphan', 'foregroundDeletion']

/** How a kind's objects may be called. */
export type NameRule = 'subdomain' | 'label' | 'rfc1035' | 'path-segment'

function nameErrors(name: string, rule: NameRule): string[] {
  switch (rule) {
    case 'subdomain':
      return subdomainErrors(name)
    case 'label':
      return dnsLabelErrors(name)
    case 'rfc1035':
      return dns1035LabelErrors(name)
    case 'path-segment':
      return name === '.' || name === '..'
        ? [`may not be '${name}'`]
        : ['/', '%'].filter((part) => name.includes(part)).map((part) => `may not contain '${part}'`)
  }
}

export function validateMetadata(meta: ObjectMeta, rule: NameRule): FieldProblem[] {
  const problems: FieldProblem[] = []
  const { generateName = '', name = '' } = meta as Partial<ObjectMeta>
  if (generateName !== '') {
    // A name follows: a dash at the end is not the end.
    const masked =
      generateName.endsWith('-') && rule !== 'path-segment' ? `${generateName.slice(0, -1)}a` : generateName
    const errors = nameErrors(masked, rule).filter((error) => !error.startsWith('must be no more than'))
    problems.push(...invalids('metadata.generateName', generateName, errors))
  }
  if (name === '') problems.push(required('metadata.name', 'name or generateName is required'))
  else problems.push(...invalids('metadata.name', name, nameErrors(name, rule)))
  problems.push(...validateLabels(meta.labels, 'metadata.labels'))
  problems.push(...validateAnnotations(meta.annotations, 'metadata.annotations'))
  problems.push(...validateOwners(meta))
  for (const [index, finalizer] of (meta.finalizers ?? []).entries()) {
    problems.push(...validateFinalizer(finalizer, 'metadata.finalizers', index))
  }
  return problems
}

export function validateLabels(labels: Readonly<Record<string, string>> | undefined, field: string): FieldProblem[] {
  return Object.entries(labels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, value]) => [
      ...invalids(field, key, qualifiedNameErrors(key)),
      ...invalids(field, value, labelValueErrors(value)),
    ])
}

export function validateAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  field: string,
): FieldProblem[] {
  const entries = Object.entries(annotations ?? {})
  const problems = entries.flatMap(([key]) => invalids(field, key, qualifiedNameErrors(key.toLowerCase())))
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
  if (bytes > ANNOTATIONS_BYTES_MAX) problems.push(tooLong(field, ANNOTATIONS_BYTES_MAX))
  return problems
}

function validateOwners({ ownerReferences = [] }: ObjectMeta): FieldProblem[] {
  const field = 'metadata.ownerReferences'
  const problems: FieldProblem[] = []
  for (const { apiVersion, kind, name, uid } of ownerReferences) {
    if (apiVersion === undefined || apiVersion === '')
      problems.push(invalid(`${field}.apiVersion`, '', 'version must not be empty'))
    if (kind === undefined || kind === '') problems.push(invalid(`${field}.kind`, '', 'must not be empty'))
    if (name === undefined || name === '') problems.push(invalid(`${field}.name`, '', 'must not be empty'))
    if (uid === undefined || uid === '') problems.push(invalid(`${field}.uid`, '', 'must not be empty'))
  }
  const controllers = ownerReferences.filter(({ controller }) => controller === true)
  if (controllers.length > 1) {
    const [first, second] = controllers
    const detail = `Only one reference can have Controller set to true. Found "true" in references for ${first?.kind}/${first?.name} and ${second?.kind}/${second?.name}`
    problems.push(invalid(field, ownerReferences, detail))
  }
  return problems
}

export function validateFinalizer(finalizer: string, field: string, index = 0): FieldProblem[] {
  const errors = qualifiedNameErrors(finalizer)
  if (errors.length > 0) return invalids(field, finalizer, errors)
  if (finalizer.includes('/') || STANDARD_FINALIZERS.includes(finalizer)) return []
  return [
    invalid(`${field}[${index}]`, finalizer, 'name is neither a standard finalizer name nor is it fully qualified'),
  ]
}

/** What an update may not change, and finalizers that come too late. `asGiven`: before the registry put the fixed fields back. */
export function validateMetadataUpdate(asGiven: ObjectMeta, current: ObjectMeta): FieldProblem[] {
  const problems: FieldProblem[] = []
  const { uid } = asGiven
  if (uid !== undefined && uid !== '' && uid !== current.uid)
    problems.push(invalid('metadata.uid', uid, 'field is immutable'))
  const added = (asGiven.finalizers ?? []).filter((finalizer) => !(current.finalizers ?? []).includes(finalizer))
  if (current.deletionTimestamp !== undefined && added.length > 0) {
    const list = `[]string{${added.map((finalizer) => JSON.stringify(finalizer)).join(', ')}}`
    const problem = forbidden(
      'metadata.finalizers',
      `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`,
    )
    // Twice, as a Kubernetes API server has it.
    problems.push(problem, problem)
  }
  return problems
}

export function isSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(a, b)
}
