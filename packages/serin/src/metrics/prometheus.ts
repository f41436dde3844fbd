/** Prometheus' text exposition format 0.0.4: families of samples, escaped. Knows no metric by name. */

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** `untyped` is for names of others that break the rules of theirs (a counter without `_total`). */
export type FamilyType = 'counter' | 'gauge' | 'histogram' | 'untyped'

export type LabelValues = Readonly<Record<string, string | number>>

/** One metric: what it is called, what it means, and what it is now. */
export interface Family {
  readonly name: string
  readonly type: FamilyType
  readonly help: string
  readonly samples: readonly FamilySample[]
}

export interface FamilySample {
  readonly labels: LabelValues
  readonly value: number | HistogramValue
}

/** Bounds ascending, without +Inf; counts cumulative, one for each bound. */
export interface HistogramValue {
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
  readonly count: number
  readonly sum: number
}

/** The text of some families. A family without samples is left out. Pure. */
export function prometheusText(families: readonly Family[]): string {
  const lines: string[] = []
  for (const family of families) {
    if (family.samples.length > 0) writeFamily(lines, family)
  }
  return lines.join('')
}

function writeFamily(lines: string[], { name, type, help, samples }: Family): void {
  lines.push(`# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`)
  for (const { labels, value } of samples) {
    const text = labelText(labels)
    if (typeof value === 'number') lines.push(`${name}${text === '' ? '' : `{${text}}`} ${numberText(value)}\n`)
    else writeHistogram(lines, name, text, value)
  }
}

function writeHistogram(lines: string[], name: string, labels: string, value: HistogramValue): void {
  const prefix = `${name}_bucket{${labels}${labels === '' ? '' : ','}le="`
  value.bounds.forEach((bound, index) => {
    lines.push(`${prefix}${numberText(bound)}"} ${numberText(value.counts[index] ?? 0)}\n`)
  })
  lines.push(`${prefix}+Inf"} ${numberText(value.count)}\n`)
  const suffix = labels === '' ? '' : `{${labels}}`
  lines.push(`${name}_sum${suffix} ${numberText(value.sum)}\n${name}_count${suffix} ${numberText(value.count)}\n`)
}

function labelText(labels: LabelValues): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeValue(String(value))}"`)
    .join(',')
}

function escapeValue(text: string): string {
  return /[\\"\n]/.test(text) ? text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n') : text
}

function escapeHelp(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  return String(value)
}
