/** A body that arrives in pieces, as lines. */

/** A line that is longer is not one of ours. */
const LINE_CHARACTERS_MAX = 32 * 1024 * 1024

/** Empty lines are left out. */
export async function* linesOf(body: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = ''
  for await (const piece of body) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') yield line
    if (rest.length > LINE_CHARACTERS_MAX) throw new Error(`a line of more than ${LINE_CHARACTERS_MAX} characters`)
  }
  if (rest !== '') yield rest
}
