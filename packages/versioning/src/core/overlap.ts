/** Whether two path shapes may match one path. Pure. */

/** True if there may be a path that both match; never false if there is one. */
export function shapesOverlap(a: string, b: string): boolean {
  const left = a.split('/')
  const right = b.split('/')
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const one = left[index]
    const other = right[index]
    if (one?.includes('*') === true || other?.includes('*') === true) return true
    if (one === undefined || other === undefined) return false
    if (!isParametric(one) && !isParametric(other) && one !== other) return false
  }
  return true
}

function isParametric(segment: string): boolean {
  return /(?<!:):(?!:)/.test(segment)
}
