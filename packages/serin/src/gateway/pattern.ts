/**
 * RE2 syntax on V8's engine. Workers run with V8's switch that falls back to a linear-time engine when a pattern backtracks
 * too much (see `worker-process.ts`), so a pattern cannot hold up the loop, as in RE2.
 */

const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
}

/** A RegExp for RE2 `source`, or null if V8 cannot express it. `whole`: must match the whole text. */
export function compilePattern(source: string, whole: boolean, flags = ''): RegExp | null {
  const inline = /^\(\?([ims]+)\)/u.exec(source)
  const body = translate(inline ? source.slice(inline[0].length) : source)
  const allFlags = [...new Set(`${flags}${inline?.[1] ?? ''}`.split(''))].join('')
  try {
    // The pattern is latin1 octets against latin1 octets; the `u` flag would refuse escapes that RE2 takes.
    // oxlint-disable-next-line require-unicode-regexp
    return new RegExp(whole ? `^(?:${body})$` : body, allFlags)
  } catch {
    return null
  }
}

function translate(source: string): string {
  return source
    .replaceAll(/\\Q([\s\S]*?)(?:\\E|$)/gu, (_, text: string) =>
      text.replaceAll(/[\\^$.*+?()[\]{}|/]/gu, String.raw`\$&`),
    )
    .replaceAll('(?P<', '(?<')
    .replaceAll(/\[:(\^?)(\w+):\]/gu, (all, negated: string, name: string) =>
      negated ? all : (POSIX_CLASSES[name] ?? all),
    )
    .replaceAll(String.raw`\A`, '^')
    .replaceAll(String.raw`\z`, '$')
}

/** The literal text that every match begins with. */
export function literalPrefix(source: string): string {
  if (source.includes('|') || source.startsWith('(?')) return ''
  const literal = /^[\w/~:@%&=,;!' -]*/u.exec(source)?.[0] ?? ''
  const next = source[literal.length]
  // The last character belongs to a quantifier, if one follows.
  return next !== undefined && '*?{+'.includes(next) ? literal.slice(0, -1) : literal
}

/** RE2's `\1` as JavaScript's `$1`; a `$` is literal. */
export function compileSubstitution(substitution: string): string {
  return substitution
    .replaceAll('$', '$$$$')
    .replaceAll(/\\(\d|\\)/gu, (_, group: string) => (group === '\\' ? '\\' : group === '0' ? '$&' : `$${group}`))
}
