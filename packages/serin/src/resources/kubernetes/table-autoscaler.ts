/** The cells of a HorizontalPodAutoscaler (autoscaling/v2). Pure. */
import { list, number, text, type Cell, type Loose } from './loose.ts'

/** How many metrics the TARGETS column lists. */
const METRICS_MAX = 2

export function autoscalerCells({ spec, status }: Loose): readonly Cell[] {
  const reference = spec?.['scaleTargetRef']
  const minimum = spec?.['minReplicas']
  return [
    `${text(reference?.['kind'])}/${text(reference?.['name'])}`,
    targets(list(spec?.['metrics']), list(status?.['currentMetrics'])),
    minimum === undefined ? '<unset>' : text(minimum),
    number(spec?.['maxReplicas']),
    number(status?.['currentReplicas']),
  ]
}

function targets(specs: readonly Loose[], current: readonly Loose[]): string {
  if (specs.length === 0) return '<none>'
  const shown = specs.slice(0, METRICS_MAX).map((metric, index) => target(metric, current[index]))
  return specs.length > METRICS_MAX ? `${shown.join(', ')} + ${specs.length - METRICS_MAX} more...` : shown.join(', ')
}

function target(metric: Loose, status: Loose | undefined): string {
  const type = text(metric['type'])
  const field = type.charAt(0).toLowerCase() + type.slice(1)
  const wanted = metric[field]?.['target']
  const seen = status?.[field]?.['current']
  const name = type === 'Resource' || type === 'ContainerResource' ? `${text(metric[field]?.['name'])}: ` : ''
  const utilization = text(wanted?.['averageUtilization'])
  if (utilization !== '') {
    const now = text(seen?.['averageUtilization'])
    return `${name}${now === '' ? '<unknown>' : `${now}%`}/${utilization}%`
  }
  const average = text(wanted?.['averageValue'])
  const suffix = type === 'External' || type === 'Object' ? ' (avg)' : ''
  if (average !== '') return `${name}${text(seen?.['averageValue']) || '<unknown>'}/${average}${suffix}`
  return `${name}${text(seen?.['value']) || '<unknown>'}/${text(wanted?.['value'])}`
}
