import type { LabelSelector } from '../resources/kubernetes/types.ts'

/** Does a set of labels match what a controller selects? Pure. (Selectors as text, as in a list request: `store/selector.ts`.) */

type Labels = Readonly<Record<string, string>>
type Requirement = NonNullable<LabelSelector['matchExpressions']>[number]

/** An empty selector matches nothing here: a controller that would own everything owns nothing. */
export function selectorMatches(selector: LabelSelector | undefined, labels: Labels = {}): boolean {
  const wanted = Object.entries(selector?.matchLabels ?? {})
  const expressions = selector?.matchExpressions ?? []
  if (wanted.length === 0 && expressions.length === 0) return false
  return wanted.every(([key, value]) => labels[key] === value) && expressions.every((entry) => isMet(entry, labels))
}

const OPERATORS: Readonly<Record<string, (value: string | undefined, values: readonly string[]) => boolean>> = {
  In: (value, values) => value !== undefined && values.includes(value),
  NotIn: (value, values) => value === undefined || !values.includes(value),
  Exists: (value) => value !== undefined,
  DoesNotExist: (value) => value === undefined,
}

function isMet({ key, operator, values = [] }: Requirement, labels: Labels): boolean {
  return OPERATORS[operator]?.(labels[key], values) ?? false
}

/** A Service's selector: a plain map, absent and empty match nothing. */
export function labelsMatch(selector: Labels | undefined, labels: Labels = {}): boolean {
  return selectorMatches(selector === undefined ? {} : { matchLabels: { ...selector } }, labels)
}
