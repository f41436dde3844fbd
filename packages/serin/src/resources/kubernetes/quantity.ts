/**
 * Quantities of resources (`500m`, `1Gi`), kept exactly: a count of billionths as a bigint. Canonical form as apimachinery's
 * `resource.Quantity` writes it. Pure.
 */

const BILLION = 1_000_000_000n
const DECIMAL: readonly (readonly [suffix: string, billionths: bigint])[] = [
  ['E', 10n ** 27n],
  ['P', 10n ** 24n],
  ['T', 10n ** 21n],
  ['G', 10n ** 18n],
  ['M', 10n ** 15n],
  ['k', 10n ** 12n],
  ['', BILLION],
  ['m', 10n ** 6n],
  ['u', 10n ** 3n],
  ['n', 1n],
]
const BINARY: readonly (readonly [suffix: string, billionths: bigint])[] = [
  ['Ei', 2n ** 60n * BILLION],
  ['Pi', 2n ** 50n * BILLION],
  ['Ti', 2n ** 40n * BILLION],
  ['Gi', 2n ** 30n * BILLION],
  ['Mi', 2n ** 20n * BILLION],
  ['Ki', 2n ** 10n * BILLION],
]
/** Larger exponents are no amount of anything. */
const EXPONENT_MAX = 30

interface Quantity {
  readonly billionths: bigint
  readonly format: 'decimal' | 'binary' | 'exponent'
}

const PATTERN = /^([+-]?)(\d+)?(?:\.(\d*))?(?:([numkMGTPE]|[KMGTPE]i)|[eE]([-+]?\d+))?$/

/** Undefined for what is no quantity. Finer than a billionth is rounded up. */
export function parseQuantity(text: string): Quantity | undefined {
  const match = PATTERN.exec(text)
  if (match === null) return undefined
  const [, sign, whole = '', fraction = '', suffix, exponent] = match
  if (whole === '' && fraction === '') return undefined
  const power = exponent === undefined ? 0 : Number(exponent)
  if (Math.abs(power) > EXPONENT_MAX) return undefined
  const unit = unitOf(suffix, power)
  const digits = BigInt(whole + fraction)
  const scale = 10n ** BigInt(fraction.length) * unit.divisor
  const scaled = digits * unit.billionths
  const billionths = scaled / scale + (scaled % scale === 0n ? 0n : 1n)
  return {
    billionths: sign === '-' ? -billionths : billionths,
    format: suffix?.endsWith('i') === true ? 'binary' : exponent === undefined ? 'decimal' : 'exponent',
  }
}

function unitOf(suffix: string | undefined, power: number): { billionths: bigint; divisor: bigint } {
  if (power < 0) return { billionths: BILLION, divisor: 10n ** BigInt(-power) }
  if (power > 0) return { billionths: BILLION * 10n ** BigInt(power), divisor: 1n }
  const found = [...DECIMAL, ...BINARY].find(([name]) => name === (suffix ?? ''))
  return { billionths: found?.[1] ?? BILLION, divisor: 1n }
}

/** The one way to write an amount: no fraction, the largest suffix that loses nothing. Text that is no quantity stays as it is. */
export function canonicalQuantity(text: string): string {
  const quantity = parseQuantity(text)
  if (quantity === undefined) return text
  const { billionths, format } = quantity
  if (billionths === 0n) return '0'
  const magnitude = billionths < 0n ? -billionths : billionths
  if (format === 'exponent') return exponentForm(billionths)
  const units = format === 'binary' && magnitude >= 1024n * BILLION ? [...BINARY, ...DECIMAL.slice(6)] : DECIMAL
  for (const [suffix, unit] of units) if (billionths % unit === 0n) return `${billionths / unit}${suffix}`
  return text
}

function exponentForm(billionths: bigint): string {
  let mantissa = billionths
  let power = -9
  while (mantissa % 1000n === 0n) {
    mantissa /= 1000n
    power += 3
  }
  return power === 0 ? String(mantissa) : `${mantissa}e${power}`
}

/** In billionths, for comparing; undefined for what is no quantity. */
export function billionthsOf(text: string): bigint | undefined {
  return parseQuantity(text)?.billionths
}
