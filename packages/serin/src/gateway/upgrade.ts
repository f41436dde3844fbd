/** Which protocol an Upgrade may switch to (RFC 9110 §7.8). Pure. */
import type { Head } from '../wire/head.ts'
import { FIELD } from '../wire/field-names.ts'

/** The first offered token that is allowed, as it was written; `null` if others were offered in earnest, '' if none was (`h2c` never counts). */
export function chosenUpgrade(head: Head, allowed: readonly string[]): string | null {
  let others = false
  for (let index = 0; index < head.fieldCount; index++) {
    if (head.id(index) !== FIELD.upgrade) continue
    for (const part of head.value(index).split(',')) {
      const written = part.trim()
      const token = written.toLowerCase()
      if (token === '' || token === 'h2c') continue
      if (allowed.includes(token)) return written
      others = true
    }
  }
  return others ? null : ''
}

/** Whether a 101 names exactly the protocol that was offered. */
export function switchesTo(head: Head, offered: string): boolean {
  return head.upgradeCount === 1 && head.value(head.upgradeIndex).trim().toLowerCase() === offered.toLowerCase()
}
