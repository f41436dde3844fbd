/** Requests and limits of a container. Pure. */
import { qualifiedNameErrors } from './names.ts'
import { invalid, invalids, type FieldProblem } from './problems.ts'
import { billionthsOf, canonicalQuantity } from './quantity.ts'
import type { Container } from './types.ts'

const STANDARD = ['cpu', 'memory', 'ephemeral-storage']

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
    if (wanted > (billionthsOf(String(limit)) ?? 0n)) {
      const shown = canonicalQuantity(String(quantity))
      problems.push(
        invalid(
          `${field}.requests`,
          shown,
          `must be less than or equal to ${name} limit of ${canonicalQuantity(String(limit))}`,
        ),
      )
    }
  }
  return problems
}

function validateQuantity(name: string, quantity: string, field: string): FieldProblem[] {
  const problems = validateName(name, field)
  if ((billionthsOf(quantity) ?? 0n) < 0n) {
    problems.push(invalid(field, canonicalQuantity(quantity), 'must be greater than or equal to 0'))
  }
  return problems
}

function validateName(name: string, field: string): FieldProblem[] {
  const errors = qualifiedNameErrors(name)
  if (errors.length > 0) return invalids(field, name, errors)
  if (STANDARD.includes(name) || name.startsWith('hugepages-') || name.includes('/')) return []
  return invalids(field, name, [
    'must be a standard resource type or fully qualified',
    'must be a standard resource for containers',
  ])
}

function sorted<T>(entries: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1))
}
