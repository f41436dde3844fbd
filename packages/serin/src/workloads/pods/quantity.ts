import type { Container, IntOrString } from '../../resources/kubernetes/types.ts'

/** Amounts as Kubernetes writes them: `250m`, `1.5Gi`, `2e3`. Pure. Source: API conventions, "Quantity". */

const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** Undefined for what is no quantity. */
export function parseQuantity(value: IntOrString | undefined): number | undefined {
  if (typeof value === 'number') return value
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/.exec(value ?? '')
  if (match === null) return undefined
  return Number(`${match[1] ?? ''}${match[2] ?? ''}`) * (SUFFIXES[match[3] ?? ''] ?? 1)
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
