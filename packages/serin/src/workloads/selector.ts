import type { LabelSelector } from '../resources/kubernetes/types.ts'
import { matchesSelectorObject } from '../store/selector.ts'

/** Does a set of labels match what a controller selects? Pure. */

type Labels = Readonly<Record<string, string>>

/** An empty selector matches nothing here: a controller that would own everything owns nothing. */
export function selectorMatches(selector: LabelSelector | undefined, labels: Labels = {}): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {}
  if (Object.keys(matchLabels).length === 0 && matchExpressions.length === 0) return false
  return matchesSelectorObject(selector, labels)
}

/** A Service's selector: a plain map, absent and empty match nothing. */
export function labelsMatch(selector: Labels | undefined, labels: Labels = {}): boolean {
  return selectorMatches(selector === undefined ? {} : { matchLabels: { ...selector } }, labels)
}
