/** Requests and limits of a container. Pure. */
import { qualifiedNameErrors } from './names.ts'
import { forbidden, invalid, invalids, type FieldProblem } from './problems.ts'
import { billionthsOf, canonicalQuantity } from './quantity.ts'
import type { Container } from './types.ts'

const STANDARD = ['cpu', 'memory', 'ephemeral-storage']
const HUGE_PAGES = 'hugepages-'
/** Kubernetes knows them, of namespaces and volumes. */
const OTHER_STANDARD = [
  'storage',
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
]

export function validateResources(resources: Container['resources'], field: string): FieldProblem[] {
  const { limits = {}, requests = {} } = resources ?? {}
  const problems: FieldProblem[] = []
  for (const [name, quantity] of sorted(limits))
    problems.push(...validateQuantity(name, String(quantity), `${field}.limits[${name}]`))
  for (const [name, quantity] of sorted(requests)) {
    problems.push(...validateQuantity(name, String(quantity), `${field}.requests[${name}]`))
    const limit = limits[name]
    if (limit === undefined) continue
    const wanted = billionthsOf(String(quantity)) ?? 0n
    const most = billionthsOf(String(limit)) ?? 0n
    const isExact = isExtended(name) || name.startsWith(HUGE_PAGES)
    if (isExact ? wanted !== most : wanted > most) {
      const shown = canonicalQuantity(String(quantity))
      const how = isExact ? 'must be equal to' : 'must be less than or equal to'
      problems.push(invalid(`${field}.requests`, shown, `${how} ${name} limit of ${canonicalQuantity(String(limit))}`))
    }
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)]
  if (names.some((name) => name.startsWith(HUGE_PAGES)) && !names.includes('cpu') && !names.includes('memory'))
    problems.push(forbidden(field, 'HugePages require cpu or memory'))
  return problems
}

function validateQuantity(name: string, quantity: string, field: string): FieldProblem[] {
  const problems = validateName(name, field)
  if ((billionthsOf(quantity) ?? 0n) < 0n) {
    problems.push(invalid(field, canonicalQuantity(quantity), 'must be greater than or equal to 0'))
  }
  if (isExtended(name) && (billionthsOf(quantity) ?? 0n) % 1_000_000_000n !== 0n)
    problems.push(invalid(field, canonicalQuantity(quantity), 'must be an integer'))
  return problems
}

/** A resource of somebody's own, in whole pieces. */
function isExtended(name: string): boolean {
  return name.includes('/') && !name.includes('kubernetes.io/')
}

function validateName(name: string, field: string): FieldProblem[] {
  const errors = qualifiedNameErrors(name)
  if (errors.length > 0) return invalids(field, name, errors)
  if (STANDARD.includes(name) || name.startsWith(HUGE_PAGES) || name.includes('/')) return []
  return invalids(field, name, [
    ...(OTHER_STANDARD.includes(name) ? [] : ['must be a standard resource type or fully qualified']),
    'must be a standard resource for containers',
  ])
}

function sorted<T>(entries: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1))
}
