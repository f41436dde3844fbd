/** One text for all JSON values that mean the same: for comparing pod templates and for their hash. Pure. */

/** Letters and digits of generated names: no vowels and none that look alike, so that no word comes out (Kubernetes). */
const SAFE_CHARACTERS = 'bcdfghjklmnpqrstvwxz2456789'

/** Keys in order; null, undefined, empty lists and empty maps are left out: defaulting may put them in, and they mean nothing. */
export function canonicalText(value: unknown): string {
  return JSON.stringify(canonical(value)) ?? 'null'
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((entry) => canonical(entry) ?? null)
  if (typeof value !== 'object' || value === null) return value ?? undefined
  const entries = Object.entries(value)
    .map(([key, entry]) => [key, canonical(entry)] as const)
    .filter(([, entry]) => !isNothing(entry))
    .sort(([left], [right]) => (left < right ? -1 : 1))
  return Object.fromEntries(entries)
}

function isNothing(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === undefined || value === null
  return Object.keys(value).length === 0
}

/** `hash32`, written with safe characters. */
export function safeHash(text: string): string {
  return safeText(String(hash32(text)))
}

/** FNV-1a of 32 bits over UTF-8. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5
  for (const octet of Buffer.from(text)) hash = Math.imul(hash ^ octet, 0x01000193)
  return hash >>> 0
}

function safeText(text: string): string {
  return Array.from(text, (character) => SAFE_CHARACTERS[character.charCodeAt(0) % SAFE_CHARACTERS.length]).join('')
}
