/** "Did you mean": the known word that a person most likely wanted to write. */

/** Longer words are not compared: nobody misspells them, and the cost is quadratic. */
const WORD_LENGTH_MAX = 64

/** The candidate nearest to `word`, if it is near enough: at most two edits, or a third of its length. Pure. */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > WORD_LENGTH_MAX) return undefined
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), bestDistance)
    // A two-letter word is two edits away from everything.
    if (distance < bestDistance && distance < Math.max(word.length, 2)) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Damerau-Levenshtein with adjacent transpositions (optimal string alignment): `wieght` is one edit from `weight`.
 * At least `limit` where it cannot be less. Pure. */
function editDistance(left: string, right: string, limit: number): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1]
      let cost = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1))
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, beforeLast[column - 2]! + 1)
      current.push(cost)
    }
    if (Math.min(...current) >= limit && Math.min(...last) >= limit) return limit
    beforeLast = last
    last = current
  }
  return last[right.length]!
}
