/** Weights to shares, with Emissary's arithmetic: cumulative, whole percents, the weightless ones share the rest. */
import { SHARE_WHOLE } from '../model/split.ts'

export interface Weighted {
  /** Percent; absent: shares what the others leave. */
  readonly weight?: number
}

export type Shares<T> =
  /** Weighted ones first, then the weightless, each in the order given. The shares add up to at most SHARE_WHOLE. */
  | { readonly ok: true; readonly shares: readonly { readonly member: T; readonly share: number }[] }
  | {
      readonly ok: false
      readonly code: 'weight-out-of-range' | 'weights-over-100'
      readonly members: readonly T[]
      readonly sum: number
    }

const PERCENT = SHARE_WHOLE / 100

/** A single member gets everything, whatever its weight. Pure. */
export function sharesOf<T extends Weighted>(members: readonly T[]): Shares<T> {
  const [only] = members
  if (only !== undefined && members.length === 1) return { ok: true, shares: [{ member: only, share: SHARE_WHOLE }] }
  const weighted = members.filter((member) => member.weight !== undefined)
  const outside = weighted.filter(({ weight = 0 }) => weight < 0 || weight > 100)
  const sum = weighted.reduce((total, { weight = 0 }) => total + weight, 0)
  if (outside.length > 0) return { ok: false, code: 'weight-out-of-range', members: outside, sum }
  if (sum > 100) return { ok: false, code: 'weights-over-100', members: weighted, sum }
  const weightless = members.filter((member) => member.weight === undefined)
  const shares = weighted.map((member) => ({ member, share: Math.round(member.weight! * PERCENT) }))
  return { ok: true, shares: [...shares, ...restOf(weightless, SHARE_WHOLE - Math.round(sum * PERCENT))] }
}

/** Whole percents where the rest is whole percents (33, 33, 34), the last one takes what is left. */
function restOf<T>(members: readonly T[], rest: number): { member: T; share: number }[] {
  const unit = rest % PERCENT === 0 ? PERCENT : 1
  const each = Math.round(rest / unit / members.length) * unit
  let left = rest
  return members.map((member, index) => {
    const share = index === members.length - 1 ? left : Math.min(each, left)
    left -= share
    return { member, share }
  })
}

/** What is served when the weights are illegal and nothing legal was there before: the weightless ones alone, or all in proportion. Pure. */
export function safeShares<T extends Weighted>(
  members: readonly T[],
): readonly { readonly member: T; readonly share: number }[] {
  const weightless = members.filter((member) => member.weight === undefined)
  if (weightless.length > 0) {
    const idle = members.filter((member) => member.weight !== undefined).map((member) => ({ member, share: 0 }))
    return [...idle, ...restOf(weightless, SHARE_WHOLE)]
  }
  const weights = members.map(({ weight = 0 }) => Math.max(0, Math.min(100, weight)))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  let left = SHARE_WHOLE
  return members.map((member, index) => {
    const part = sum === 0 ? SHARE_WHOLE / members.length : (weights[index]! / sum) * SHARE_WHOLE
    const share = index === members.length - 1 ? left : Math.min(Math.round(part), left)
    left -= share
    return { member, share }
  })
}
