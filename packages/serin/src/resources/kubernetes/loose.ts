/** Reading objects whose shape is not checked, for what is printed of them: what is not there reads as empty. Pure. */

export type Cell = string | number | boolean | null

/** Fields of an object whose shape is not looked into here. */
export interface Loose {
  readonly [field: string]: Loose | undefined
}

export function list(value: Loose | undefined): readonly Loose[] {
  return Array.isArray(value) ? (value as readonly Loose[]) : []
}

export function text(value: Loose | undefined): string {
  const found: unknown = value
  return typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean' ? String(found) : ''
}

export function number(value: Loose | undefined): number {
  const found: unknown = value
  return typeof found === 'number' ? found : 0
}

export function orNone(value: string): string {
  return value === '' ? '<none>' : value
}

export function size(value: Loose | undefined): number {
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 0
}

/** `a=b,c=d`, sorted by key. */
export function labels(value: Loose | undefined): string {
  const entries = Object.entries(value ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return orNone(entries.map(([key, label]) => `${key}=${text(label)}`).join(','))
}

/** A LabelSelector, as `kubectl get -l` would take it. */
export function selector(value: Loose | undefined): string {
  const parts = Object.entries(value?.['matchLabels'] ?? {}).map(([key, label]) => ({
    key,
    part: `${key}=${text(label)}`,
  }))
  for (const expression of list(value?.['matchExpressions'])) {
    const key = text(expression['key'])
    const values = list(expression['values'])
      .map((entry) => text(entry))
      .sort()
      .join(',')
    const part = {
      In: `${key} in (${values})`,
      NotIn: `${key} notin (${values})`,
      Exists: key,
      DoesNotExist: `!${key}`,
    }[text(expression['operator'])]
    parts.push({ key, part: part ?? key })
  }
  parts.sort((a, b) => (a.key < b.key ? -1 : 1))
  return orNone(parts.map(({ part }) => part).join(','))
}

/** Names and images of a pod template's containers. */
export function containers(spec: Loose | undefined): [names: string, images: string] {
  const found = list(spec?.['template']?.['spec']?.['containers'])
  return [found.map((entry) => text(entry['name'])).join(','), found.map((entry) => text(entry['image'])).join(',')]
}

/** How many entries a cell lists before `+ N more...`. */
const SHOWN_MAX = 3

export function shortened(entries: readonly string[]): string {
  const shown = entries.slice(0, SHOWN_MAX).join(',')
  return entries.length > SHOWN_MAX ? `${shown} + ${entries.length - SHOWN_MAX} more...` : shown
}
