/** Header changes of a Mapping: removals first, then additions, with Envoy's `%OPERATOR%`s. */
import type { HeaderValuePart } from '../model/destination.ts'
import type { Head } from '../wire/head.ts'
import type { OutBuffer } from '../wire/out-buffer.ts'
import type { CompiledChanges } from './compiled-changes.ts'

/** Who knows what an operator stands for. */
export interface OperatorValues {
  /** The text of `%OPERATOR(argument)%`; null if there is none: the header is then left out. */
  operatorValue(operator: string, argument: string | undefined): string | null
}

/** Whether the line goes away: it is removed, or overwritten by an addition that does not append. */
export function isRemoved(changes: CompiledChanges, head: Head, index: number): boolean {
  const hash = head.hash(index)
  for (const name of changes.remove) if (name.hash === hash && head.nameIs(index, name.lower)) return true
  for (const addition of changes.add) {
    if (!addition.change.append && addition.hash === hash && head.nameIs(index, addition.lower)) return true
  }
  return false
}

/** Writes the additions. */
export function applyChanges(out: OutBuffer, changes: CompiledChanges, values: OperatorValues): void {
  for (const addition of changes.add) {
    if (addition.line !== null) {
      out.reserve(addition.line.length + 2)
      out.octets(addition.line)
      continue
    }
    const text = valueText(addition.change.value, values)
    if (text === null) continue
    out.reserve(addition.change.name.length + text.length + 8)
    out.value(`${addition.change.name}: ${text}`)
    out.crlf()
  }
}

/** The text of a value, or null where an operator has none. Nothing in it can end a line. */
export function valueText(parts: readonly HeaderValuePart[], values: OperatorValues): string | null {
  let text = ''
  for (const part of parts) {
    const piece = part.kind === 'text' ? part.text : values.operatorValue(part.operator, part.argument)
    if (piece === null) return null
    text += piece
  }
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\0\r\n\u0100-\uFFFF]/gu, '?')
}
