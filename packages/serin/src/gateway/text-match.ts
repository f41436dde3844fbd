/** TextMatch as a predicate, made once when a Plan is built. */
import type { TextMatch } from '../model/match.ts'
import { compilePattern } from './pattern.ts'

export type Predicate = (text: string) => boolean

export function compileTextMatch(match: TextMatch): Predicate {
  switch (match.kind) {
    case 'exact':
      return (text) => text === match.value
    case 'prefix':
      return (text) => text.startsWith(match.value)
    case 'suffix':
      return (text) => text.endsWith(match.value)
    case 'present':
      return () => true
    case 'regex': {
      const pattern = compilePattern(match.value, true)
      return pattern ? (text) => pattern.test(text) : () => false
    }
  }
}
