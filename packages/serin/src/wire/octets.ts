/** Octet classes of RFC 9110 §5 and RFC 3986, and comparisons on Buffers. No Unicode, no strings. */

const TOKEN = 1
const VALUE = 2
const TARGET = 4
const HOST = 8
/** A target octet that path normalisation has to look at. */
const TARGET_SPECIAL = 16

/** What each octet may be; bits above. */
const CLASS: Uint8Array = new Uint8Array(256)
/** ASCII lower case, `_` unchanged, all other octets unchanged. */
export const LOWER: Uint8Array = new Uint8Array(256)

/** A token's octets in lower case, 0 for all others: what the head parser asks of every octet of a name, in one look. */
export const TOKEN_LOWER: Uint8Array = new Uint8Array(256)

for (let octet = 0; octet < 256; octet++) {
  LOWER[octet] = octet >= 0x41 && octet <= 0x5a ? octet + 32 : octet
  let bits = 0
  const alphanumeric =
    (octet >= 0x30 && octet <= 0x39) || (octet >= 0x41 && octet <= 0x5a) || (octet >= 0x61 && octet <= 0x7a)
  if (alphanumeric || includes("!#$%&'*+-.^_`|~", octet)) bits |= TOKEN
  // field-content: VCHAR, obs-text, SP, HTAB (RFC 9110 §5.5); other controls are refused, not repaired.
  if ((octet >= 0x20 && octet !== 0x7f) || octet === 0x09) bits |= VALUE
  // What Envoy takes in a target: visible ASCII without `#`.
  if (octet > 0x20 && octet < 0x7f && octet !== 0x23) bits |= TARGET
  if (includes('%\\', octet)) bits |= TARGET_SPECIAL
  // reg-name and IP-literal (RFC 3986 §3.2.2); brackets and colon are looked at one by one.
  if (alphanumeric || includes("-._~!$&'()*+,;=%", octet)) bits |= HOST
  CLASS[octet] = bits
  TOKEN_LOWER[octet] = (bits & TOKEN) === 0 ? 0 : LOWER[octet]!
}

function includes(set: string, octet: number): boolean {
  return set.includes(String.fromCharCode(octet))
}

export function isToken(octet: number): boolean {
  return (CLASS[octet]! & TOKEN) !== 0
}

export function isValue(octet: number): boolean {
  return (CLASS[octet]! & VALUE) !== 0
}

export function isTarget(octet: number): boolean {
  return (CLASS[octet]! & TARGET) !== 0
}

export function isRegName(octet: number): boolean {
  return (CLASS[octet]! & HOST) !== 0
}

export function isDigit(octet: number): boolean {
  return octet >= 0x30 && octet <= 0x39
}

/** 0-15, or -1. */
export function hexValue(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30
  const lower = octet | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** Whether buffer[start, end) is `lower` without regard to ASCII case. `lower` must be lower case. */
export function equalsLower(buffer: Uint8Array, start: number, end: number, lower: Uint8Array): boolean {
  if (end - start !== lower.length) return false
  for (let index = 0; index < lower.length; index++) {
    if (LOWER[buffer[start + index]!] !== lower[index]) return false
  }
  return true
}

/** Whether buffer[start, end) is exactly `octets`. */
export function equals(buffer: Uint8Array, start: number, end: number, octets: Uint8Array): boolean {
  if (end - start !== octets.length) return false
  for (let index = 0; index < octets.length; index++) {
    if (buffer[start + index] !== octets[index]) return false
  }
  return true
}

/** The octets of a latin1 text. */
export function octetsOf(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/** buffer[start, end) as a string, one character per octet. Twice as fast as `toString('latin1', …)` for short spans. */
export function latin1(buffer: Buffer, start: number, end: number): string {
  return (buffer as Buffer & { latin1Slice(start: number, end: number): string }).latin1Slice(start, end)
}

/** A text that a person wrote as octets of one field value: UTF-8, and nothing in it ends the line. */
export function fieldText(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return Buffer.from(text, 'utf8')
    .toString('latin1')
    .replaceAll(/[\0\r\n]/gu, ' ')
}

/** A text that a person wrote as part of a request target: what may not stand there is percent-encoded. */
export function targetText(text: string): string {
  let encoded = ''
  for (const octet of Buffer.from(text, 'utf8')) {
    encoded += isTarget(octet) ? String.fromCharCode(octet) : `%${octet.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

export const CR = 13
export const LF = 10
export const SP = 32
export const HTAB = 9
