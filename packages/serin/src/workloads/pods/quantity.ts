import { billionthsOf } from '../../resources/kubernetes/quantity.ts'
import type { Container, IntOrString } from '../../resources/kubernetes/types.ts'

/** What containers ask for and may use. Pure. */

/** Undefined for what is no quantity. */
export function parseQuantity(value: IntOrString | undefined): number | undefined {
  if (typeof value === 'number') return value
  const billionths = value === undefined ? undefined : billionthsOf(value)
  return billionths === undefined ? undefined : Number(billionths) / 1e9
}

export function memoryBytes(container: Container, which: 'limits' | 'requests'): number | undefined {
  return parseQuantity(container.resources?.[which]?.['memory'])
}

export function cpuMillicores(container: Container, which: 'limits' | 'requests'): number | undefined {
  const cores = parseQuantity(container.resources?.[which]?.['cpu'])
  return cores === undefined ? undefined : Math.round(cores * 1000)
}

/** `valueFrom.resourceFieldRef`: rounded up to whole divisors. */
export function resourceField(
  container: Container,
  { resource, divisor }: { resource: string; divisor?: IntOrString },
): string {
  const [which, name] = resource.split('.', 2)
  const amounts = which === 'requests' ? container.resources?.requests : container.resources?.limits
  const divided = (parseQuantity(amounts?.[name ?? '']) ?? 0) / (parseQuantity(divisor) || 1)
  return String(Math.ceil(Number(divided.toFixed(9))))
}

/** How a pod would be treated when memory is short; containers decide together. */
export function qosClass(containers: readonly Container[]): string {
  const amounts = containers.flatMap(({ resources }) =>
    ['cpu', 'memory'].map((name) => ({
      limit: resources?.limits?.[name],
      request: resources?.requests?.[name] ?? resources?.limits?.[name],
    })),
  )
  if (amounts.every(({ limit, request }) => limit === undefined && request === undefined)) return 'BestEffort'
  const guaranteed = amounts.every(
    ({ limit, request }) => limit !== undefined && parseQuantity(limit) === parseQuantity(request),
  )
  return guaranteed ? 'Guaranteed' : 'Burstable'
}
