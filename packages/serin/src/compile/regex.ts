/** Whether a text is a regular expression that RE2 takes: no look-around, no back-references. */

const ESCAPED = /\\[\s\S]/g

/** What is wrong with it, in a few words; undefined: nothing. Pure. */
export function regexProblem(pattern: string): string | undefined {
  const bare = pattern.replace(/\\\\/g, '')
  if (/\(\?(?:=|!|<=|<!)/.test(bare.replace(ESCAPED, ''))) return 'look-around is not RE2 syntax'
  if (/\\[1-9]|\\k</.test(bare.replace(/\[(?:[^\]\\]|\\[\s\S])*\]/g, ''))) return 'back-references are not RE2 syntax'
  if (/\(\?>|[*+?}]\+/.test(bare.replace(ESCAPED, '').replace(/\[[^\]]*\]/g, '')))
    return 'possessive and atomic groups are not RE2 syntax'
  try {
    new RegExp(toJavaScript(pattern))
    return undefined
  } catch (error) {
    return String((error as Error).message).replace(/^Invalid regular expression: /, '')
  }
}

/** RE2's own spellings to JavaScript's, near enough to see whether the rest is well-formed. */
function toJavaScript(pattern: string): string {
  return pattern
    .replace(/\\Q([\s\S]*?)(?:\\E|$)/g, (_, text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    .replace(/\(\?P</g, '(?<')
    .replace(/\(\?[imsU]*(?:-[imsU]+)?(:|\))/g, (_, end: string) => (end === ':' ? '(?:' : '(?:)'))
    .replace(/\[:\^?\w+:\]/g, 'a')
    .replace(/\\[AzC]/g, '(?:)')
}
