/** Metrics of a HorizontalPodAutoscaler (autoscaling/v2). Pure. */
import { forbidden, invalid, required, unsupported, type FieldProblem } from './problems.ts'
import { billionthsOf } from './quantity.ts'
import type { HorizontalPodAutoscalerSpec, MetricSpec } from './types.ts'

type MetricTarget = NonNullable<MetricSpec['resource']>['target']

/** The field of a source, by its type. */
const SOURCES: Readonly<Record<string, string>> = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
}
/** In which order Kubernetes looks at them. */
const FIELDS = ['object', 'external', 'pods', 'resource', 'containerResource']

interface Source {
  readonly name?: string
  readonly container?: string
  readonly metric?: { readonly name?: string }
  readonly describedObject?: Reference
  readonly target?: Partial<MetricTarget>
}

export function validateMetrics({ metrics = [] }: HorizontalPodAutoscalerSpec): FieldProblem[] {
  return metrics.flatMap((metric, index) => validateMetric(metric, `spec.metrics[${index}]`))
}

function validateMetric(metric: Partial<MetricSpec>, field: string): FieldProblem[] {
  const { type = '' } = metric
  const problems: FieldProblem[] = []
  if (type === '') problems.push(required(`${field}.type`, 'must specify a metric source type'))
  const expected = SOURCES[type]
  if (expected === undefined) problems.push(unsupported(`${field}.type`, type, Object.keys(SOURCES)))
  const given = metric as Readonly<Record<string, Source | undefined>>
  const present = FIELDS.filter((name) => given[name] !== undefined)
  const [first] = present
  if (first !== undefined) problems.push(...validateSource(first, given[first] ?? {}, `${field}.${first}`))
  if (expected !== undefined && given[expected] === undefined) {
    problems.push(required(`${field}.${expected}`, 'must populate information for the given metric source'))
  }
  if (present.length !== 1) {
    for (const name of present.filter((other) => other !== expected)) {
      problems.push(forbidden(`${field}.${name}`, 'must populate the given metric source only'))
    }
  }
  return problems
}

function validateSource(type: string, source: Source, field: string): FieldProblem[] {
  const target = source.target ?? {}
  const at = `${field}.target`
  const problems: FieldProblem[] = []
  if (type === 'object') problems.push(...validateReference(source.describedObject, `${field}.describedObject`))
  if (type === 'resource' || type === 'containerResource') {
    if ((source.name ?? '') === '') problems.push(required(`${field}.name`, 'must specify a resource name'))
    if (type === 'containerResource' && (source.container ?? '') === '') {
      problems.push(required(`${field}.container`, 'must specify a container'))
    }
  } else if ((source.metric?.name ?? '') === '')
    problems.push(required(`${field}.metric.name`, 'must specify a metric name'))
  problems.push(...validateTarget(target, at))
  return [...problems, ...validateAmounts(type, target, at)]
}

function validateAmounts(
  type: string,
  { averageUtilization, averageValue, value }: Partial<MetricTarget>,
  field: string,
): FieldProblem[] {
  switch (type) {
    case 'pods':
      return isPositive(averageValue)
        ? []
        : [required(`${field}.averageValue`, 'must specify a positive target averageValue')]
    case 'object':
    case 'external':
      if (value !== undefined || averageValue !== undefined) return []
      return [required(`${field}.averageValue`, 'must set either a target value for metric or a per-pod target')]
    default:
      if (averageUtilization === undefined && averageValue === undefined) {
        return [required(`${field}.averageUtilization`, 'must set either a target raw value or a target utilization')]
      }
      if (averageUtilization === undefined || averageValue === undefined) return []
      return [forbidden(`${field}.averageValue`, 'may not set both a target raw value and a target utilization')]
  }
}

function validateTarget(
  { type = '', value, averageValue, averageUtilization }: Partial<MetricTarget>,
  field: string,
): FieldProblem[] {
  const problems: FieldProblem[] = []
  if (type === '') problems.push(required(`${field}.type`, 'must specify a metric target type'))
  if (!['Utilization', 'Value', 'AverageValue'].includes(type)) {
    problems.push(invalid(`${field}.type`, type, 'must be either Utilization, Value, or AverageValue'))
  }
  if (value !== undefined && !isPositive(value))
    problems.push(invalid(`${field}.value`, String(value), 'must be positive'))
  if (averageValue !== undefined && !isPositive(averageValue)) {
    problems.push(invalid(`${field}.averageValue`, String(averageValue), 'must be positive'))
  }
  if (averageUtilization !== undefined && averageUtilization < 1) {
    problems.push(invalid(`${field}.averageUtilization`, averageUtilization, 'must be greater than 0'))
  }
  return problems
}

function isPositive(quantity: MetricTarget['value']): boolean {
  return quantity !== undefined && (billionthsOf(String(quantity)) ?? 0n) > 0n
}

interface Reference {
  readonly kind?: string
  readonly name?: string
}

/** What a scale or a metric is about. */
export function validateReference({ kind = '', name = '' }: Reference = {}, field: string): FieldProblem[] {
  const segment = (value: string, at: string): FieldProblem[] => {
    if (value === '') return [required(at)]
    if (value === '.' || value === '..') return [invalid(at, value, `may not be '${value}'`)]
    return ['/', '%']
      .filter((part) => value.includes(part))
      .map((part) => invalid(at, value, `may not contain '${part}'`))
  }
  return [...segment(kind, `${field}.kind`), ...segment(name, `${field}.name`)]
}
