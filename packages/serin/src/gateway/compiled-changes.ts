/** Header changes as octets: what a Mapping adds and removes, and what features of the gateway add of their own. */
import type { HeaderChange, HeaderChanges } from '../model/destination.ts'
import { nameHash } from '../wire/field-names.ts'
import { fieldText, octetsOf } from '../wire/octets.ts'

export interface CompiledChanges {
  readonly add: readonly CompiledChange[]
  readonly remove: readonly FieldName[]
}

export interface FieldName {
  readonly lower: Uint8Array
  readonly hash: number
}

export interface CompiledChange extends FieldName {
  readonly change: HeaderChange
  /** `name: value` CRLF where the value is plain text; null where it has operators. */
  readonly line: Uint8Array | null
}

export function compileChanges(changes: HeaderChanges): CompiledChanges {
  return {
    add: changes.add.map(compileChange),
    remove: changes.remove.map((name) => fieldName(name)),
  }
}

function compileChange(change: HeaderChange): CompiledChange {
  const plain = change.value.every((part) => part.kind === 'text')
  const text = plain ? change.value.map((part) => (part.kind === 'text' ? part.text : '')).join('') : ''
  // What a person wrote must not be able to end a line (CVE-2022-35948 class); the compiler refuses it too.
  const line = plain ? octetsOf(`${fieldText(change.name)}: ${fieldText(text)}\r\n`) : null
  return { ...fieldName(change.name), change, line }
}

/** Lines of plain text. `append` false: the line replaces what is there. */
export function plainChanges(lines: readonly (readonly [string, string])[], append: boolean): CompiledChanges {
  const add = lines.map(([name, text]) => compileChange({ name, value: [{ kind: 'text', text }], append }))
  return { add, remove: [] }
}

/** Both, `left` first. */
export function joinChanges(left: CompiledChanges | null, right: CompiledChanges): CompiledChanges {
  if (left === null) return right
  return { add: [...left.add, ...right.add], remove: [...left.remove, ...right.remove] }
}

export function fieldName(name: string): FieldName {
  const lower = octetsOf(name.toLowerCase())
  return { lower, hash: nameHash(lower) }
}
